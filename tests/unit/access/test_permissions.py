"""What roles allow: the table of section 14.7, and laws of matching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.access import Access, Mode, Need, Scope
from registry.access.permissions import allows, grants, sees
from registry.errors import RegistryError
from tests.unit.access.made import NOW, made, signed_in

ORDERS = {"environment": "", "appId": "shop", "serviceName": "orders"}
PAYMENT = {"environment": "production", "appId": "shop", "serviceName": "payment"}


def perm(resource: str, *verbs: str, **labels: str) -> Mapping[str, object]:
    return {"resources": [{"type": resource, **({"labels": labels} if labels else {})}], "verbs": list(verbs)}


def verdict(perms: Sequence[Mapping[str, object]], need: Need) -> RegistryError | None:
    access = made()
    header = signed_in(access, "tester", perms)
    return access.permit(access.verify(header, NOW), need)


@pytest.mark.parametrize(
    ("perms", "need", "allowed"),
    [
        ([perm("service", "get")], Need("service", "get"), True),
        ([perm("service", "*")], Need("service", "delete"), True),
        ([perm("service", "get")], Need("service", "update"), False),
        ([perm("service", "GET")], Need("service", "get"), False),
        ([perm("service", "get")], Need("service/schema", "get"), False),
        ([perm("*", "*")], Need("service", "get"), False),
        ([perm("service", "get"), perm("ops", "*")], Need("ops", "get"), True),
        ([perm("service", "get", appId="shop")], Need("service", "get", (ORDERS,)), True),
        ([perm("service", "get", appId="shop", serviceName="payment")], Need("service", "get", (ORDERS,)), False),
        ([perm("service", "get", appId="other")], Need("service", "get", (ORDERS,)), False),
        ([perm("service", "get", serviceName="ord*")], Need("service", "get", (ORDERS,)), False),
        ([perm("service", "get", appId="other"), perm("service", "get")], Need("service", "get", (ORDERS,)), True),
        ([perm("service", "get", serviceName="orders")], Need("service", "get", (ORDERS, PAYMENT)), False),
        ([perm("service", "get", appId="shop")], Need("service", "get", (ORDERS, PAYMENT)), True),
        ([perm("service", "get", environment="production")], Need("service", "get", (ORDERS,)), False),
        ([perm("service", "get", appId="shop")], Need("service", "get"), True),
        ([perm("service", "get", appId="shop")], Need("service", "create"), False),
        ([perm("service", "get")], Need("public", "create"), True),
        ([], Need("self", "create"), True),
        ([perm("service", "get")], Need("account", "get"), False),
    ],
    ids=str,
)
def test_a_permission_is_matched_by_resource_verb_and_labels(
    perms: Sequence[Mapping[str, object]], need: Need, allowed: bool
) -> None:
    assert (verdict(perms, need) is None) is allowed


def test_refusals_say_what_is_missing() -> None:
    none = verdict([], Need("service", "get"))
    assert none is not None
    assert (none.error.code, none.detail) == (403205, "role has no any permissions")
    some = verdict([perm("ops", "get")], Need("service", "get", (ORDERS,)))
    assert some is not None
    assert some.error.code == 403205
    assert some.detail.startswith("role has no permissions[service:get] for labels ")
    whole = verdict([perm("service", "get", appId="shop")], Need("service", "get", ({},)))
    assert whole is not None
    assert whole.detail == "role has no permissions[service:get]", "there are no labels to tell of"


def test_the_built_in_roles_allow_what_the_original_s_do() -> None:
    access = made()
    for resource in ("config", "service", "governance", "ops", "service/schema"):
        assert grants(access.roles.permissions(["developer"]), resource, "delete") == [{}]
    for resource in ("account", "role", "access"):
        assert grants(access.roles.permissions(["developer"]), resource, "get") == []


def test_an_administrator_may_all_and_a_role_that_is_gone_nothing() -> None:
    access = made()
    admin = access.verify(f"Bearer {access.issue('root', 3600, NOW)}", NOW)
    assert access.permit(admin, Need("access", "update", (ORDERS,))) is None
    assert access.granted(admin, "anything", "get") == ({},)
    header = signed_in(access, "tester", [perm("service", "get")])
    identity = access.verify(header, NOW)
    access.roles.change("tester", [], NOW)
    refusal = access.permit(identity, Need("service", "get"))
    assert refusal is not None
    assert refusal.error.code == 403205


@pytest.mark.parametrize(
    ("pattern", "name", "seen"),
    [
        ("orders", "orders", True),
        ("ord*", "orders", True),
        ("*ers", "orders", True),
        ("o*r*s", "orders", True),
        ("*", "", True),
        ("o*o", "o", False),
        ("ord*", "xorders", False),
        ("o*x*s", "orders", False),
    ],
)
def test_in_lists_a_name_may_have_wildcards(pattern: str, name: str, seen: bool) -> None:
    assert sees([{"serviceName": pattern}], {"serviceName": name}) is seen
    assert not sees([{"appId": "sh*"}], {"appId": "shop"}), "only names"


LABELS = st.dictionaries(st.sampled_from(["environment", "appId", "serviceName"]), st.sampled_from(["", "a", "b"]))


@given(st.lists(LABELS), st.lists(LABELS, min_size=1), LABELS)
def test_more_permissions_never_allow_less_and_more_services_never_need_less(
    granted: list[dict[str, str]], wanted: list[dict[str, str]], more: dict[str, str]
) -> None:
    if allows(granted, wanted):
        assert allows([*granted, more], wanted)
    else:
        assert not allows(granted, [*wanted, more])


@given(st.lists(LABELS, min_size=1), st.lists(LABELS))
def test_a_permission_without_labels_wins_outright(granted: list[dict[str, str]], wanted: list[dict[str, str]]) -> None:
    assert allows([*granted, {}], wanted)


@given(LABELS, LABELS)
def test_a_service_is_allowed_exactly_where_it_has_every_label(own: dict[str, str], service: dict[str, str]) -> None:
    assert allows([own], [service]) is all(service.get(name, "") == value for name, value in own.items())


@pytest.mark.parametrize(
    ("mode", "scope", "need", "enforced"),
    [
        (Mode.OFF, Scope(), Need("account", "get"), False),
        (Mode.OBSERVE, Scope(), Need("service", "get"), False),
        (Mode.OBSERVE, Scope(), Need("account", "get"), True),
        (Mode.OBSERVE, Scope(), Need("self", "get"), True),
        (Mode.ENFORCE, Scope(), Need("service", "get"), True),
        (Mode.ENFORCE, Scope(("config",)), Need("service", "get"), False),
        (Mode.ENFORCE, Scope(("config",)), Need("config", "get"), True),
        (Mode.ENFORCE, Scope(("config",)), Need("role", "get"), True),
        (Mode.ENFORCE, Scope((), ("shop",)), Need("service", "get", (ORDERS,)), True),
        (Mode.ENFORCE, Scope((), ("other",)), Need("service", "get", (ORDERS,)), False),
        (Mode.ENFORCE, Scope((), ("shop",)), Need("service", "get"), False),
        (Mode.ENFORCE, Scope((), (), ("production",)), Need("service", "get", (ORDERS,)), False),
        (Mode.ENFORCE, Scope((), ("shop",), ("production",)), Need("service", "get", (ORDERS, PAYMENT)), True),
    ],
    ids=str,
)
def test_what_is_refused_and_what_only_counted(mode: Mode, scope: Scope, need: Need, enforced: bool) -> None:
    access = made()
    access.switch(mode, scope, NOW)
    assert access.enforces(need) is enforced


@pytest.mark.parametrize(
    ("mode", "scope", "half_open"),
    [
        (Mode.OBSERVE, Scope(), True),
        (Mode.ENFORCE, Scope(), False),
        (Mode.ENFORCE, Scope(("service",)), False),
        (Mode.ENFORCE, Scope(("config",)), True),
        (Mode.ENFORCE, Scope((), ("shop",)), True),
    ],
    ids=str,
)
def test_where_services_may_call_without_a_token_signing_in_is_half_open(
    mode: Mode, scope: Scope, half_open: bool
) -> None:
    access: Access = made()
    access.switch(mode, scope, NOW)
    assert access.half_open is half_open
