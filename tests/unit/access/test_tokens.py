"""Tokens: what is signed counts until it ends, and nothing else does. Protocol: Service Center section 14.3."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from registry.access import Access, Identity, Mode, Scope
from registry.access.accounts import Draft
from registry.access.tokens import private_key, public_key
from registry.errors import RegistryError
from tests.unit.access.made import EVERYTHING_OF_SERVICES, HOUR, NOW, made, pem, signed_in

SECONDS = NOW // 1000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)
GOOD = {"account": "root", "roles": ["admin"], "exp": SECONDS + 3600}


def refused(access: Access, header: str, now: int = NOW) -> tuple[int, str]:
    with pytest.raises(RegistryError) as caught:
        access.verify(header, now)
    return caught.value.error.code, caught.value.detail


def forged(
    claims: Mapping[str, object], algorithm: str = "RS512", *, number: int = 0, kid: str | None = "first"
) -> str:
    headers = {} if kid is None else {"kid": kid}
    return "Bearer " + jwt.encode(dict(claims), private_key(pem(number)), algorithm, headers=headers)


def part(document: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def test_an_issued_token_says_who_asks_until_it_ends() -> None:
    access = made()
    header = signed_in(access, "orders", EVERYTHING_OF_SERVICES, seconds=900)
    assert access.verify(header, NOW) == Identity("orders", ("orders",), SECONDS + 900)
    assert access.verify(header, NOW + 899_000).account == "orders"
    assert refused(access, header, NOW + 900_000) == (401205, ""), "although it was verified before"


def test_its_claims_are_exactly_those_of_the_original() -> None:
    header = signed_in(made(), "orders", EVERYTHING_OF_SERVICES)
    token = header.removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims == {"account": "orders", "roles": ["orders"], "exp": SECONDS + 3600}
    assert jwt.get_unverified_header(token) == {"alg": "RS512", "typ": "JWT", "kid": "first"}


@pytest.mark.parametrize(
    ("header", "code", "detail"),
    [
        ("", 401204, ""),
        ("rubbish", 401201, "invalid auth header"),
        ("Bearer a b", 401201, "invalid auth header"),
        ("Bearer ", 401201, "Not enough segments"),
        ("Bearer rubbish", 401201, "Not enough segments"),
        ("Bearer a.b.c", 401201, ""),
        ("Bearer " + "a" * 9000, 401201, "token is too long"),
    ],
)
def test_what_is_no_token_is_refused(header: str, code: int, detail: str) -> None:
    found, said = refused(made(), header)
    assert found == code
    assert detail in said


def test_the_scheme_word_counts_for_nothing() -> None:
    header = signed_in(made(), "orders", EVERYTHING_OF_SERVICES)
    access = made()
    access.accounts.create(Draft("orders", ("developer",)), "hash", NOW)
    assert access.verify("Token " + header.removeprefix("Bearer "), NOW).account == "orders"


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_every_signature_by_the_key_counts(algorithm: str) -> None:
    assert made().verify(forged(GOOD, algorithm), NOW).account == "root"


def test_a_token_without_a_signature_is_refused() -> None:
    unsigned = f"{part({'alg': 'none', 'typ': 'JWT', 'kid': 'first'})}.{part(GOOD)}."
    assert refused(made(), f"Bearer {unsigned}")[0] == 401201


@pytest.mark.parametrize("algorithm", ["HS256", "HS512", "hs256"])
def test_the_public_key_is_no_secret_to_sign_with(algorithm: str) -> None:
    """The classic confusion: a text that everyone may know, used as the key of an HMAC."""
    public = public_key(pem(0)).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part({'alg': algorithm, 'typ': 'JWT', 'kid': 'first'})}.{part(GOOD)}"
    digest = {"HS256": hashlib.sha256, "hs256": hashlib.sha256, "HS512": hashlib.sha512}[algorithm]
    code = base64.urlsafe_b64encode(hmac.new(public, signed.encode(), digest).digest()).rstrip(b"=").decode()
    assert refused(made(), f"Bearer {signed}.{code}")[0] == 401201


@pytest.mark.parametrize("kid", [None, "", "second", "../first", "first "])
def test_a_key_that_the_engine_has_not_signs_nothing(kid: str | None) -> None:
    assert refused(made(), forged(GOOD, kid=kid)) == (401201, "the key of the token is not known")


def test_another_key_with_the_name_of_ours_signs_nothing() -> None:
    code, detail = refused(made(), forged(GOOD, number=1))
    assert code == 401201
    assert "verification" in detail


def test_one_changed_letter_makes_a_token_worthless() -> None:
    header = signed_in(made(), "orders", EVERYTHING_OF_SERVICES)
    access = made()
    access.accounts.create(Draft("orders", ("developer",)), "hash", NOW)
    access.verify(header, NOW)
    head, claims, signature = header.removeprefix("Bearer ").split(".")
    raised = part({"account": "orders", "roles": ["admin"], "exp": SECONDS + 3600})
    assert refused(access, f"Bearer {head}.{raised}.{signature}")[0] == 401201
    other = "A" if signature[10] != "A" else "B"
    assert refused(access, f"Bearer {head}.{claims}.{signature[:10]}{other}{signature[11:]}")[0] == 401201


@pytest.mark.parametrize(
    "times", [{"exp": SECONDS}, {"exp": 1}, {"exp": SECONDS + 60, "nbf": SECONDS + 1}], ids=["just", "long", "not yet"]
)
def test_time_is_looked_at_before_the_signature(times: Mapping[str, object]) -> None:
    """So a client with an old token of another engine is told to sign in, not that it is wrong."""
    assert refused(made(), forged({**GOOD, **times}, number=1)) == (401205, "")


@pytest.mark.parametrize("times", [{"exp": None}, {"exp": "9999999999"}, {"exp": True}, {"nbf": "x"}], ids=str)
def test_a_token_without_an_end_is_refused(times: Mapping[str, object]) -> None:
    claims = {name: value for name, value in {**GOOD, **times}.items() if value is not None}
    payload = json.dumps(claims).encode()
    token = jwt.PyJWS().encode(payload, private_key(pem(0)), "RS512", headers={"kid": "first"})
    assert refused(made(), f"Bearer {token}") == (401201, "token has no valid times")


@pytest.mark.parametrize(
    ("members", "detail"),
    [
        ({"account": None}, "type convert error"),
        ({"account": 7}, "type convert error"),
        ({"roles": None}, "token contains no valid roles"),
        ({"roles": "admin"}, "token contains no valid roles"),
        ({"roles": [1]}, "token contains no valid roles"),
        ({"roles": []}, "no role found in token"),
    ],
    ids=str,
)
def test_claims_that_are_none_are_refused(members: Mapping[str, object], detail: str) -> None:
    claims = {name: value for name, value in {**GOOD, **members}.items() if value is not None}
    assert refused(made(), forged(claims)) == (401201, detail)


def test_the_claim_of_older_versions_wins() -> None:
    assert made().verify(forged({**GOOD, "role": "developer"}), NOW).roles == ("developer",)


def test_a_deleted_account_has_no_tokens_and_root_always_has() -> None:
    access = made()
    header = signed_in(access, "orders", EVERYTHING_OF_SERVICES)
    access.verify(header, NOW)
    access.accounts.delete("orders", "root", NOW)
    assert refused(access, header) == (401206, "account [orders] is deleted")
    assert access.verify(forged(GOOD), NOW).account == "root"


def test_a_rotation_logs_nobody_out_and_the_old_key_goes_with_its_last_token() -> None:
    access = made()
    before = signed_in(access, "orders", EVERYTHING_OF_SERVICES, seconds=24 * 3600)
    access.keys.rotate("second", pem(1), NOW)
    after = f"Bearer {access.issue('orders', 3600, NOW)}"
    assert jwt.get_unverified_header(after.removeprefix("Bearer "))["kid"] == "second"
    assert access.verify(before, NOW).account == access.verify(after, NOW).account == "orders"
    access.keys.forget(NOW + 24 * HOUR)
    assert set(access.state.keys) == {"first", "second"}, "a token of the last moment is still good"
    access.keys.forget(NOW + 24 * HOUR + 1000)
    assert set(access.state.keys) == {"second"}
    assert refused(access, forged(GOOD)) == (401201, "the key of the token is not known")


def test_a_failed_commit_takes_a_key_back() -> None:
    access = made()
    ledger = access.state.ledger
    ledger.take_changes()
    access.keys.rotate("second", pem(1), NOW)
    ledger.undo(ledger.take_changes())
    assert access.keys.current is not None
    assert access.keys.current.key_id == "first"
    assert set(access.state.keys) == {"first"}


def test_what_is_secret_is_in_no_text_of_a_record() -> None:
    access = made()
    key, root = access.keys.current, access.accounts.get("root")
    assert key is not None
    assert "PRIVATE" not in f"{key!r}"
    assert "hash" not in f"{root!r} {root.document}"


def test_each_change_of_what_decides_is_told() -> None:
    access = made()
    seen = [access.version]
    for change in (
        lambda: access.switch(Mode.OBSERVE, Scope(), NOW),
        lambda: access.roles.create("orders", [], NOW),
        lambda: access.roles.change("orders", EVERYTHING_OF_SERVICES, NOW),
        lambda: access.accounts.create(Draft("orders", ("orders",)), "hash", NOW),
        lambda: access.accounts.delete("orders", "root", NOW),
        lambda: access.keys.rotate("second", pem(1), NOW),
    ):
        change()
        seen.append(access.version)
    assert seen == sorted(set(seen))


def _odd(head: str, payload: str = "e30") -> str:
    return f"Bearer {base64.urlsafe_b64encode(head.encode()).rstrip(b'=').decode()}.{payload}.AAAA"


@pytest.mark.parametrize(
    "header",
    [
        _odd("[" * 5000),
        _odd('{"a":' * 1000),
        _odd('{"alg":["RS512"],"kid":"first"}', part(GOOD)),
        _odd('{"alg":"RS512","kid":["first"]}', part(GOOD)),
        _odd('{"alg":"RS512","kid":"first","crit":["x"]}', part(GOOD)),
        _odd('{"alg":"RS512","kid":"first","b64":false}', part(GOOD)),
        _odd("[]"),
        _odd("null"),
        _odd('{"alg":"RS512","kid":"first"}', base64.urlsafe_b64encode(b"[" * 3000).decode()),
        _odd('{"alg":"RS512","kid":"first"}', base64.urlsafe_b64encode(b'{"exp":1e999}').decode()),
        "Bearer é.é.é",
        "Bearer ...",
        "Bearer \x00.\x00.\x00",
    ],
)
def test_no_token_is_a_defect(header: str) -> None:
    assert refused(made(), header)[0] == 401201


@given(st.text(max_size=300))
def test_no_text_is_a_defect(text: str) -> None:
    refused(made(), text)


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit"]), JSON),
    st.dictionaries(st.sampled_from(["exp", "nbf", "account", "roles", "role"]), JSON),
)
def test_no_claims_are_a_defect(head: Mapping[str, object], claims: Mapping[str, object]) -> None:
    assert refused(made(), f"Bearer {part(head)}.{part(claims)}.AAAA")[0] in (401201, 401205)
