"""The API of tokens, accounts and roles while access observes: what is refused, and what is answered. Protocol: section 14."""

from __future__ import annotations

import time
from collections.abc import Iterator

import jwt
import pytest

from tests.api.access import PASSWORD, ROOT_PASSWORD, account, code, signed_in
from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"access": "observe", "token_rate": 10_000}
PERMS = [{"resources": [{"type": "service", "labels": {"serviceName": "orders"}}], "verbs": ["get", "create"]}]


@pytest.fixture(scope="module", autouse=True)
def _known_root() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SC_INIT_ROOT_PASSWORD", ROOT_PASSWORD)
        yield


@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [("", 43200), ("15m", 900), ("24h", 86400), ("1h30m", 5400), ("14m59s", 0), ("24h1s", 0), ("soon", 0), ("-1h", 0)],
)
async def test_a_token_lives_as_long_as_it_was_asked_to(wanted: str, seconds: int, default_api: Client) -> None:
    client = default_api
    body = {"name": "root", "password": ROOT_PASSWORD, "tokenExpirationTime": wanted}
    status, answer, _ = await client.call("POST", "/v4/token", body)
    assert status == (200 if seconds else 400)
    if seconds:
        claims = jwt.decode(answer["token"], options={"verify_signature": False})  # type: ignore[index]
        assert 0 <= time.time() + seconds - claims["exp"] <= 10


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b'{"name":1}', b'{"name":"root","password":["x"]}', b'{"tokenExpirationTime":5}'],
)
async def test_what_is_no_sign_in_is_answered_by_400_in_json(body: bytes, default_api: Client) -> None:
    """Clients read a status and a JSON body; any other status makes Java ask again at every request."""
    client = default_api
    async with client.session.post(client.url + "/v4/token", data=body) as response:
        assert response.status == 400
        assert (await response.json())["errorCode"] == "400001"


@pytest.mark.parametrize(
    "password", ["", "x" * 100_000, "\x00", "Complicated1!\x00", "ünicode", "Complicated1!" + " " * 80]
)
async def test_any_text_may_be_tried_as_a_password(password: str, default_api: Client) -> None:
    client = default_api
    assert await code(client, "POST", "/v4/token", {"name": "root", "password": password}) == "401302"


@pytest.mark.parametrize(
    ("members", "refused"),
    [
        ({"name": "a b"}, "400001"),
        ({"name": ""}, "400001"),
        ({"name": "n" * 65}, "400001"),
        ({"name": 1}, "400001"),
        ({"roles": []}, "400001"),
        ({"roles": None}, "400001"),
        ({"roles": ["developer"] * 6}, "400001"),
        ({"roles": ["a b"]}, "400001"),
        ({"roles": ["nope"]}, "400202"),
        ({"password": "weak"}, "400001"),
        ({"password": ""}, "400001"),
        ({"name": "Complicated1!"}, "400001"),
        ({"name": "Backward1", "password": "1drawkcaB"}, "400001"),
        ({"status": "asleep"}, "400001"),
        ({"name": "root"}, "409200"),
    ],
    ids=str,
)
async def test_an_account_that_breaks_a_rule_is_refused(
    members: dict[str, object], refused: str, default_api: Client
) -> None:
    root = await signed_in(default_api)
    body = {"name": "new", "password": PASSWORD, "roles": ["developer"], **members}
    assert await code(default_api, "POST", "/v4/accounts", body, Authorization=root) == refused
    assert await code(default_api, "GET", "/v4/accounts/new", None, Authorization=root) == "400200"


async def test_accounts_are_shown_without_their_passwords(default_api: Client) -> None:
    root = await signed_in(default_api)
    body = {
        "id": "x" * 32,
        "name": "shown",
        "password": PASSWORD,
        "roles": ["developer", "admin"],
        "status": "inactive",
    }
    await default_api.call("POST", "/v4/accounts", body, 200, Authorization=root)
    _, answer, _ = await default_api.call("GET", "/v4/accounts/shown", None, 200, Authorization=root)
    times = {name: answer.pop(name) for name in ("createTime", "updateTime")}  # type: ignore[attr-defined]
    assert all(abs(time.time() - int(value)) < 60 for value in times.values())
    assert answer == {name: value for name, value in body.items() if name != "password"}
    assert await signed_in(default_api, "shown", PASSWORD), "the original enforces no status either"
    async with default_api.session.get(f"{default_api.url}/v4/accounts", headers={"Authorization": root}) as response:
        text = await response.text()
    assert "$2b$" not in text
    assert "assword" not in text


async def test_many_accounts_are_created_each_on_its_own(default_api: Client) -> None:
    root = await signed_in(default_api)
    accounts = [
        {"name": "many-1", "password": PASSWORD, "roles": ["developer"]},
        {"name": "many-2", "roles": ["developer"]},
        {"name": "many-3", "password": "weak", "roles": ["developer"]},
        {"name": "many-4", "password": PASSWORD, "roles": ["nope"]},
        {"name": "many-1", "password": PASSWORD, "roles": ["developer"]},
    ]
    _, answer, _ = await default_api.call(
        "POST", "/v4/accounts/batch-create", {"accounts": accounts}, 200, Authorization=root
    )
    found = [(row["name"], row.get("errorCode", "")) for row in answer["accounts"]]  # type: ignore[index]
    names = [("many-1", ""), ("many-2", ""), ("many-3", "400001"), ("many-4", "400202"), ("many-1", "409200")]
    assert found == names
    await signed_in(default_api, "many-1", PASSWORD)
    for guess in ("", PASSWORD):
        assert await code(default_api, "POST", "/v4/token", {"name": "many-2", "password": guess}) == "401302"
    path = "/v4/accounts/batch-create"
    for body in ({}, {"accounts": []}, {"accounts": [accounts[0]] * 21}, {"accounts": [None]}, {"accounts": 1}):
        assert await code(default_api, "POST", path, body, Authorization=root) == "400001", str(body)


async def test_roles_of_a_token_are_those_it_was_issued_with_and_what_they_allow_is_as_it_is_now(
    default_api: Client,
) -> None:
    root = await signed_in(default_api)
    await default_api.call("POST", "/v4/roles", {"name": "live", "perms": PERMS}, 200, Authorization=root)
    header = await account(default_api, root, "live", "live")
    assert (await default_api.call("GET", "/v4/self-perms", None, 200, Authorization=header))[1] == {"perms": PERMS}
    other = [{"resources": [{"type": "config"}], "verbs": ["*"]}]
    await default_api.call("PUT", "/v4/roles/live", {"perms": other}, 200, Authorization=root)
    assert (await default_api.call("GET", "/v4/self-perms", None, 200, Authorization=header))[1] == {"perms": other}
    await default_api.call("PUT", "/v4/accounts/live", {"roles": ["developer"]}, 200, Authorization=root)
    assert (await default_api.call("GET", "/v4/self-perms", None, 200, Authorization=header))[1] == {"perms": other}
    again = await signed_in(default_api, "live", PASSWORD)
    assert (await default_api.call("GET", "/v4/self-perms", None, 200, Authorization=again))[1] != {"perms": other}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"name":"a b","perms":[]}',
        b'{"perms":[]}',
        b'{"name":"x","perms":[null]}',
        b'{"name":"x","perms":{}}',
        b'{"name":"x","perms":[{"resources":[{"type":"service","labels":{"appId":1}}],"verbs":["get"]}]}',
    ],
)
async def test_a_role_that_is_none_is_refused(body: bytes, default_api: Client) -> None:
    root = await signed_in(default_api)
    headers = {"Authorization": root}
    async with default_api.session.post(f"{default_api.url}/v4/roles", data=body, headers=headers) as response:
        assert (response.status, (await response.json())["errorCode"]) == (400, "400001")


async def test_a_password_is_changed_by_its_owner_or_by_an_administrator(default_api: Client) -> None:
    root = await signed_in(default_api)
    own = await account(default_api, root, "owner")
    new, path = "Complicated3!", "/v4/accounts/owner/password"
    refusals = (
        ({"password": "weak", "currentPassword": PASSWORD}, own, "400001"),
        ({"password": new}, own, "400001"),
        ({"password": PASSWORD, "currentPassword": PASSWORD}, own, "400206"),
        ({"password": new, "currentPassword": "Wrong1!aaa"}, own, "401207"),
        ({"password": "x" * 9000, "currentPassword": PASSWORD}, own, "400001"),
    )
    for body, header, refused in refusals:
        assert await code(default_api, "POST", path, body, Authorization=header) == refused, str(body)
    body = {"password": new, "currentPassword": PASSWORD}
    assert await code(default_api, "POST", "/v4/accounts/root/password", body, Authorization=own) == "403001"
    await default_api.call("POST", path, body, 200, Authorization=own)
    assert await code(default_api, "POST", "/v4/token", {"name": "owner", "password": PASSWORD}) == "401302"
    await signed_in(default_api, "owner", new)
    await default_api.call("POST", path, {"password": PASSWORD}, 200, Authorization=root)
    await signed_in(default_api, "owner", PASSWORD)
    assert await code(default_api, "GET", "/v4/self-perms", None, Authorization=own) == "", "its tokens stay"
    assert await code(default_api, "POST", "/v4/accounts/none/password", body, Authorization=root) == "400200"


async def test_a_change_of_access_names_the_account_and_no_secret_in_the_audit_log(default_api: Client) -> None:
    root = await signed_in(default_api)
    await account(default_api, root, "audited")
    path = "/waggle/v1/audit?kind=account&contains=audited"
    _, answer, _ = await default_api.call("GET", path, None, 200, Authorization=root, X_Waggle_Author="somebody")
    (entry,) = answer["changes"]  # type: ignore[index]
    assert (entry["action"], entry["author"]) == ("CREATE", "root@127.0.0.1")
    assert (entry["name"], entry["roles"], entry["status"]) == ("audited", ["developer"], "active")
    for place in ("/waggle/v1/audit?limit=1000", "/v4/default/admin/dump?options=all", "/metrics", "/openapi.json"):
        async with default_api.session.get(default_api.url + place, headers={"Authorization": root}) as response:
            assert response.status == 200
            text = await response.text()
        assert not any(secret in text for secret in ("$2b$", "PRIVATE KEY", root.split()[1], '"Complicated3!"')), place
