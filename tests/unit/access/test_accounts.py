"""Accounts, roles, passwords and lock-outs: the rules of sections 14.4 to 14.6, with a clock of the test's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from registry.access import Access, Mode, Scope
from registry.access.accounts import Draft
from registry.access.attempts import Attempts
from registry.access.lockout import Lockouts
from registry.access.passwords import check_password, check_unlike_name
from registry.access.records import Account, Role, SigningKey, Switch
from registry.errors import RegistryError
from tests.unit.access.made import EVERYTHING_OF_SERVICES, NOW, made

T0 = NOW // 1000
DEV = ("developer",)


def code_of(command: Callable[[], object]) -> int:
    with pytest.raises(RegistryError) as caught:
        command()
    return caught.value.error.code


@pytest.mark.parametrize(
    "password", ["Complicated1!", "Aa1!aaaa", "A" * 29 + "a1!", "Ümläut1ß!", "Aa1$bbbb", "Aa²!bbbb"]
)
def test_what_is_a_password(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "weak",
        "Aa1!aaa",
        "nouppercase1!",
        "NOLOWERCASE1!",
        "NoNumber!",
        "NoSpecial1",
        "A" * 30 + "a1!",
        "Aa1!" + "ä" * 15,
    ],
)
def test_what_is_no_password(password: str) -> None:
    assert code_of(lambda: check_password(password)) == 400001


def test_a_password_is_not_the_name() -> None:
    for name in ("Orders1!", "!1sredrO"):
        assert code_of(lambda name=name: check_unlike_name(name, "Orders1!")) == 400001  # type: ignore[misc]
    check_unlike_name("orders", "Orders1!")


def test_accounts_are_refused_as_the_original_refuses() -> None:
    access = made(quota_accounts=3)
    accounts = access.accounts
    accounts.create(Draft("orders", DEV), "hash", NOW)
    assert code_of(lambda: accounts.create(Draft("other", ("nope",)), "hash", NOW)) == 400202
    assert code_of(lambda: accounts.create(Draft("orders", DEV), "hash", NOW)) == 409200
    assert code_of(lambda: accounts.change("root", DEV, "", "root", NOW)) == 403202
    assert code_of(lambda: accounts.change("orders", DEV, "", "orders", NOW)) == 403204
    assert code_of(lambda: accounts.change("none", DEV, "", "root", NOW)) == 400200
    assert code_of(lambda: accounts.change("orders", ("nope",), "", "root", NOW)) == 400202
    assert code_of(lambda: accounts.delete("root", "orders", NOW)) == 403202
    assert code_of(lambda: accounts.delete("orders", "orders", NOW)) == 403204
    assert code_of(lambda: accounts.delete("none", "root", NOW)) == 400200
    assert code_of(lambda: accounts.set_secret("none", "hash", NOW)) == 400200
    accounts.create(Draft("third", DEV), "hash", NOW)
    assert code_of(lambda: accounts.create(Draft("fourth", DEV), "hash", NOW)) == 400203


def test_roles_are_refused_as_the_original_refuses() -> None:
    access = made(quota_roles=3)
    roles = access.roles
    roles.create("orders", [], NOW)
    assert code_of(lambda: roles.create("other", [], NOW)) == 400204
    assert code_of(lambda: roles.change("admin", [], NOW)) == 403203
    assert code_of(lambda: roles.delete("developer", NOW)) == 403203
    assert code_of(lambda: roles.change("none", [], NOW)) == 400201
    access.accounts.create(Draft("orders", ("developer", "orders")), "hash", NOW)
    assert code_of(lambda: roles.delete("orders", NOW)) == 400205
    access.accounts.delete("orders", "root", NOW)
    roles.delete("orders", NOW)
    assert code_of(lambda: roles.get("orders")) == 400201
    assert code_of(lambda: made().roles.create("admin", [], NOW)) == 409201


def test_the_third_wrong_password_locks_for_a_quarter_of_an_hour() -> None:
    locks, key = Lockouts(), "orders::10.0.0.1"
    for attempt in range(2):
        locks.failed(key, T0 + attempt)
        assert not locks.banned(key, T0 + attempt)
    assert locks.listed(T0 + 1) == [{"key": key, "status": "attempted", "releaseAt": T0 + 1 + 1200}]
    locks.failed(key, T0 + 2)
    assert locks.banned(key, T0 + 2)
    assert locks.listed(T0 + 2) == [{"key": key, "status": "banned", "releaseAt": T0 + 2 + 900}]
    assert locks.banned(key, T0 + 901)
    assert not locks.banned(key, T0 + 902)
    assert locks.listed(T0 + 902) == []
    locks.failed(key, T0 + 903)
    assert not locks.banned(key, T0 + 903), "one attempt has come back"
    locks.failed(key, T0 + 904)
    assert locks.banned(key, T0 + 904), "and no second one"


def test_a_lock_is_for_one_name_from_one_address() -> None:
    locks = Lockouts()
    for _ in range(5):
        locks.failed("root::10.6.6.6", T0)
    assert locks.banned("root::10.6.6.6", T0)
    assert not locks.banned("root::10.0.0.1", T0)
    assert not locks.banned("orders::10.6.6.6", T0)


def test_made_up_names_push_no_lock_out() -> None:
    locks = Lockouts()
    for _ in range(3):
        locks.failed("root::10.6.6.6", T0)
    for number in range(12_000):
        locks.failed(f"nobody-{number}::10.6.6.6", T0 + 1)
    assert locks.banned("root::10.6.6.6", T0 + 1)
    assert len(locks.listed(T0 + 1)) == 10_000


def test_an_address_has_its_rate_and_no_other_pays_for_it() -> None:
    attempts = Attempts(60)
    assert [attempts.allow("a", NOW) for _ in range(61)] == [True] * 60 + [False]
    assert attempts.allow("b", NOW)
    assert not attempts.allow("a", NOW + 999)
    assert attempts.allow("a", NOW + 1000)
    assert not attempts.allow("a", NOW + 1000)
    assert [attempts.allow("a", NOW + 120_000) for _ in range(61)].count(True) == 60


def test_what_the_journal_stores_is_what_comes_back() -> None:
    access = made()
    access.switch(Mode.ENFORCE, Scope(("config",), ("shop",), ("production",)), NOW)
    access.roles.create("orders", EVERYTHING_OF_SERVICES, NOW)
    access.accounts.create(Draft("orders", ("orders",), status="inactive"), "hash", NOW)
    access.accounts.create(Draft("gone", DEV), "hash", NOW)
    access.accounts.delete("gone", "root", NOW)
    again = Access(access.state.ledger, str, 10, 10)
    for change in access.state.ledger.take_changes():
        again.state.restore(change.revision, change.record.path, change.after.body if change.after else None)
    for name in ("accounts", "roles", "keys", "switch"):
        assert getattr(again.state, name) == getattr(access.state, name)


@pytest.mark.parametrize("kind", [Account, Role, SigningKey, Switch])
def test_a_body_that_is_no_record_is_refused(kind: type[Account | Role | SigningKey | Switch]) -> None:
    for body in (b"{}", b"[]", b"", b"null"):
        with pytest.raises((ValueError, KeyError, TypeError)):
            kind.decoded(body, 1)


def test_a_failed_commit_takes_every_kind_of_change_back() -> None:
    access = made()
    ledger = access.state.ledger
    ledger.take_changes()
    access.switch(Mode.ENFORCE, Scope(), NOW)
    access.roles.create("orders", EVERYTHING_OF_SERVICES, NOW)
    access.accounts.create(Draft("orders", ("orders",)), "hash", NOW)
    access.accounts.change("orders", DEV, "inactive", "root", NOW)
    ledger.undo(ledger.take_changes())
    assert access.mode is Mode.OFF
    assert set(access.state.roles) == {"admin", "developer"}
    assert set(access.state.accounts) == {"root"}
