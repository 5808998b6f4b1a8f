"""Commands on accounts. Protocol: Service Center section 14.5. Every command takes the wall clock in milliseconds.

Passwords come as their hashes: making one takes a twentieth of a second, which is not for whoever runs commands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from registry.access.records import ACTIVE, ADMIN, ROOT, Account
from registry.access.state import State
from registry.errors import RegistryError


@dataclass(frozen=True, slots=True)
class Draft:
    """What a client gives of a new account, its password apart."""

    name: str
    roles: tuple[str, ...]
    account_id: str = field(default="")
    status: str = ACTIVE


class Accounts:
    """Creates, changes and deletes accounts; `quota` is the most that there may be."""

    def __init__(self, state: State, new_id: Callable[[], str], quota: int) -> None:
        self._state = state
        self._new_id = new_id
        self._quota = quota

    def all(self) -> list[Account]:
        """Every account, by name."""
        return sorted(self._state.accounts.values(), key=lambda account: account.name)

    def find(self, name: str) -> Account | None:
        """An account, if there is one."""
        return self._state.accounts.get(name)

    def get(self, name: str) -> Account:
        """An account, or 400200."""
        found = self._state.accounts.get(name)
        if found is None:
            raise RegistryError(400200, f"account [{name}] not exist")
        return found

    def check_room(self) -> None:
        """Raise 400203 where there can be no more."""
        if len(self._state.accounts) >= self._quota:
            raise RegistryError(400203, f"no quota to create ACCOUNT, max num is {self._quota}")

    def check(self, draft: Draft) -> None:
        """Raise what `create` would: 400203, 400202, 409200."""
        self.check_room()
        self._check_roles(draft.roles)
        if draft.name in self._state.accounts:
            raise RegistryError(409200, "account is duplicated")

    def create(self, draft: Draft, secret: str, now: int) -> Account:
        """Create an account. Raises 400203, 400202, 409200."""
        self.check(draft)
        seconds = now // 1000
        revision = self._state.ledger.next_revision()
        name = draft.account_id or self._new_id()
        account = Account(draft.name, name, secret, draft.roles, draft.status, seconds, seconds, revision)
        self._state.put(None, account, now)
        return account

    def create_root(self, secret: str, now: int) -> Account:
        """Create the one account that cannot be changed or deleted, whatever the quota."""
        seconds, revision = now // 1000, self._state.ledger.next_revision()
        root = Account(ROOT, self._new_id(), secret, (ADMIN,), ACTIVE, seconds, seconds, revision)
        self._state.put(None, root, now)
        return root

    def change(self, name: str, roles: Sequence[str], status: str, by: str, now: int) -> Account:
        """Give an account other roles, and another status where one is given. Raises 403202, 403204, 400200, 400202.

        A token that it has keeps the roles that it was issued with.
        """
        before = self._operable(name, by)
        self._check_roles(roles)
        return self._replace(before, now, roles=tuple(roles), status=status or before.status)

    def set_secret(self, name: str, secret: str, now: int) -> Account:
        """Give an account another password: the only way. Its tokens stay. Raises 400200."""
        return self._replace(self.get(name), now, secret=secret)

    def delete(self, name: str, by: str, now: int) -> None:
        """Delete an account; its tokens end with it. Raises 403202, 403204, 400200."""
        self._state.put(self._operable(name, by), None, now)

    def _operable(self, name: str, by: str) -> Account:
        if name == ROOT:
            raise RegistryError(403202, "root can not be operated")
        if name == by:
            raise RegistryError(403204, "your account can not be operated")
        return self.get(name)

    def _check_roles(self, roles: Sequence[str]) -> None:
        if any(role not in self._state.roles for role in roles):
            raise RegistryError(400202, "role not exist")

    def _replace(self, before: Account, now: int, **members: object) -> Account:
        revision = self._state.ledger.next_revision()
        after = replace(before, updated=now // 1000, revision=revision, **members)  # type: ignore[arg-type]
        self._state.put(before, after, now)
        return after
