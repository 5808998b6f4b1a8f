"""Who may call a provider: access lists of both Javas, and Spring Cloud Huawei's security policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.access import AccessList, AccessPart, AccessRule, access_list
from governance.rules.check import check
from governance.rules.security import SecurityItem, SecurityPart, SecurityPolicy, security_policy
from governance.rules.spring import spring_key

SPRING = "spring.cloud.servicecomb.webmvc.public-key"
EDGE, BETA = AccessRule("serviceName", "*-edge"), AccessRule("version", "2*")


@pytest.mark.parametrize(
    ("lists", "facts", "allowed", "why"),
    [
        (AccessList(), None, True, "there is no list"),
        (AccessList(), {"serviceName": "a"}, True, "no black rule matches"),
        (AccessList((EDGE,)), None, False, "nothing is known of the consumer"),
        (AccessList(black=(BETA,)), None, False, "nothing is known of the consumer"),
        (AccessList((EDGE,), (BETA,)), {"serviceName": "my-edge", "version": "1"}, True, "white: serviceName is *-edge"),
        (AccessList((EDGE,), (BETA,)), {"serviceName": "my-edge", "version": "2.1"}, False, "black: version is 2*"),
        (AccessList((EDGE,), (BETA,)), {"serviceName": "other", "version": "1"}, False, "no white rule matches"),
        (AccessList((EDGE, AccessRule("zone", "a"))), {"zone": "a"}, True, "white: zone is a"),
        (AccessList(black=(BETA,)), {"serviceName": "other"}, True, "no black rule matches"),
        (AccessList((AccessRule("serviceName", "*"),)), {"serviceName": "a"}, True, "white: serviceName is *"),
        (AccessList((AccessRule("zone", "*"),)), {"serviceName": "a"}, False, "no white rule matches"),
    ],
)  # fmt: skip
def test_a_consumer_passes_the_lists_or_not_and_it_is_said_why(
    lists: AccessList, facts: dict[str, str] | None, allowed: bool, why: str
) -> None:
    decision = lists.decide(facts)
    assert (decision.allowed, decision.why, decision.tolerated) == (allowed, why, False)
    assert lists.allows(facts) is allowed


_RULES = st.lists(
    st.builds(AccessRule, st.sampled_from(["serviceName", "zone"]), st.sampled_from(["a", "a*", "*a", "*", "b"])),
    max_size=3,
).map(tuple)
_FACTS = st.dictionaries(st.sampled_from(["serviceName", "zone"]), st.sampled_from(["a", "ab", "ba", "b", ""]))


@given(_RULES, _RULES, _FACTS)
def test_allowed_is_white_or_no_white_and_not_black(
    white: tuple[AccessRule, ...], black: tuple[AccessRule, ...], facts: dict[str, str]
) -> None:
    found = [any(rule.matches(facts) for rule in rules) for rules in (white, black)]
    assert AccessList(white, black).allows(facts) == ((not white or found[0]) and not found[1])


def _parts(items: dict[str, str]) -> list[AccessPart]:
    rules = [check(key, value).rule for key, value in items.items()]
    assert all(isinstance(rule, AccessPart) for rule in rules)
    return [rule for rule in rules if isinstance(rule, AccessPart)]


@pytest.mark.parametrize(
    "spelling",
    [
        "public-key.access-control.white[0].property-name",
        "publicKey.accessControl.white[0].propertyName",
        "publickey.accesscontrol.WHITE[0].PROPERTYNAME",
        "public_key.access_control.white[0].property_name",
    ],
)
def test_spring_binds_a_key_in_any_spelling(spelling: str) -> None:
    (part,) = _parts({f"spring.cloud.servicecomb.webmvc.{spelling}": "zone"})
    assert part == AccessPart("white", "[0]", "propertyName", "zone", spring=True)


@pytest.mark.parametrize(
    "key",
    [
        "spring.cloud.servicecomb.webmvc.publicKey.providerEnabled",
        "spring.cloud.servicecomb.webmvc.publicKey",
        "spring.cloud.servicecomb.webflux.publicKey.acls.mode",
        "spring.cloud.servicecomb.discovery.acls",
        "spring",
    ],
)
def test_other_keys_of_spring_are_of_no_rule(key: str) -> None:
    assert spring_key(key) is None
    assert (check(key, "[").rule, check(key, "[").problems) == (None, ())


def test_lists_of_both_javas_are_one_and_their_items_are_not_mixed() -> None:
    items = {
        "servicecomb.publicKey.accessControl.white.[0].category": "property",
        "servicecomb.publicKey.accessControl.white.[0].propertyName": "serviceName",
        f"{SPRING}.access-control.white[0].rule": "edge",
    }
    assert access_list(_parts(items)) == AccessList()
    whole = {
        f"{SPRING}.access-control.white[0].category": "property",
        f"{SPRING}.access-control.white[0].propertyName": "zone",
    }
    assert access_list(_parts({**items, **whole})) == AccessList((AccessRule("zone", "edge"),))


@pytest.mark.parametrize(("part", "value"), [("category", "properties"), ("rule", "ed*ge"), ("rule", "*edge*")])
def test_a_white_entry_that_matches_nobody_lets_nobody_pass(part: str, value: str) -> None:
    """As in Java. Left out, it would let everyone pass."""
    entry = {"category": "property", "propertyName": "serviceName", "rule": "edge", part: value}
    lists = access_list(
        _parts({f"servicecomb.publicKey.accessControl.white.e.{name}": text for name, text in entry.items()})
    )
    assert not lists.allows({"serviceName": "edge"})


def _policy(mode: str, *items: SecurityItem, deny: tuple[SecurityItem, ...] = ()) -> SecurityPolicy:
    return SecurityPolicy(mode, items, deny)


READ = SecurityItem("read", "fusion", "GET", "/weather/*")
SECRET = SecurityItem("secret", "fusion", "GET", "*/secret")


@pytest.mark.parametrize(
    ("policy", "call", "allowed", "why", "tolerated"),
    [
        (_policy(""), (None, "GET", "/"), True, "there is no policy", False),
        (_policy("", deny=(SECRET,)), ("fusion", "GET", "/secret"), True, "there is no policy", False),
        (_policy("enforcing", READ), ("fusion", "GET", "/weather/a"), True, "allow: read", False),
        (_policy("enforcing", READ), ("fusion", "POST", "/weather/a"), False, "no item of allow matches", False),
        (_policy("enforcing", READ), ("edge", "GET", "/weather/a"), False, "no item of allow matches", False),
        (_policy("enforcing", READ), ("fusion", "GET", "/forecast"), False, "no item of allow matches", False),
        (_policy("enforcing"), ("fusion", "GET", "/weather/a"), False, "no item of allow matches", False),
        (_policy("enforcing", READ, deny=(SECRET,)), ("fusion", "GET", "/weather/secret"), False, "deny: secret", False),
        (_policy("enforcing", READ), (None, "GET", "/weather/a"), False, "nothing is known of the consumer", False),
        (_policy("enforcing", READ), ("", "GET", "/weather/a"), False, "nothing is known of the consumer", False),
        (_policy("permissive", READ), ("edge", "GET", "/"), True, "no item of allow matches", True),
        (_policy("permissive", READ, deny=(SECRET,)), ("fusion", "GET", "/weather/secret"), True, "deny: secret", True),
        (_policy("permissive", READ), ("fusion", "GET", "/weather/a"), True, "allow: read", False),
        (_policy("permissive", READ), (None, "GET", "/weather/a"), False, "nothing is known of the consumer", False),
        (_policy("Permissive"), ("fusion", "GET", "/"), False, "no item of allow matches", False),
    ],
)  # fmt: skip
def test_a_call_passes_the_policy_or_not_and_it_is_said_why(
    policy: SecurityPolicy, call: tuple[str | None, str, str], allowed: bool, why: str, tolerated: bool
) -> None:
    decision = policy.decide(*call)
    assert (decision.allowed, decision.why, decision.tolerated) == (allowed, why, tolerated)


@pytest.mark.parametrize(
    ("uri", "fits", "does_not"),
    [
        ("/a", ["/a"], ["/a/", "/ab", "/A"]),
        ("/a*", ["/a", "/a/b", "/ab"], ["/b"]),
        ("/a/*", ["/a/", "/a/b"], ["/a"]),
        ("*", ["/", "/a"], []),
        ("/*", ["/", "/a/b"], []),
        ("/**", ["/", "/a/b"], []),
        ("*.do", ["/a.do", "/.do"], ["/a.don"]),
        ("/**/admin", ["/admin", "/a/admin", "/superadmin"], ["/admin/a"]),
        ("/a/**", [], ["/a/b", "/a/"]),
    ],
)
def test_paths_of_a_policy(uri: str, fits: list[str], does_not: list[str]) -> None:
    item = SecurityItem("a", "c", "GET", uri)
    assert [path for path in fits if not item.fits(path)] == []
    assert [path for path in does_not if item.fits(path)] == []
    assert [path for path in fits if not item.matches("c", "GET", path)] == []
    assert not item.matches("d", "GET", uri)
    assert not item.matches("c", "PUT", uri)


def test_a_policy_is_put_together_out_of_its_keys() -> None:
    items = {
        "app": "weathermap",
        "mode": "enforcing",
        "action.allow[0].id": "read",
        "action.allow[0].consumer": "fusion",
        "action.allow[0].method": "GET",
        "action.allow[0].uri": "/weather/*",
        "action.allow[1].consumer": "half",
        "action.deny[0].consumer": "fusion",
        "action.deny[0].method": "GET",
        "action.deny[0].uri": "*/secret",
    }
    rules = [check(f"{SPRING}.acls.{key}", value).rule for key, value in items.items()]
    parts = [rule for rule in rules if isinstance(rule, SecurityPart)]
    assert len(parts) == len(items)
    unnamed = SecurityItem("deny[0]", "fusion", "GET", "*/secret")
    assert security_policy(parts) == SecurityPolicy("enforcing", (READ,), (unnamed,))
    assert security_policy([]) == SecurityPolicy()


@given(
    st.sampled_from(["*", "/", "a", "b"]) | st.text("*/ab", max_size=6),
    st.text("/ab", max_size=6).map("/{}".format),
)
def test_what_the_check_lets_pass_without_a_word_fits_some_path(uri: str, path: str) -> None:
    """Where the check says nothing, the path that is written without its star is fitted, and no path makes it raise."""
    checked = check(f"{SPRING}.acls.action.allow[0].uri", uri)
    item = SecurityItem("a", "c", "GET", uri)
    assert item.fits(path) in (True, False)
    if not checked.problems:
        assert item.fits(uri.replace("*", "")), uri
