"""Commands on roles. Protocol: Service Center section 14.6. Every command takes the wall clock in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from registry.access.permissions import ANY, Permission
from registry.access.records import ADMIN, DEVELOPER, Role
from registry.access.state import State
from registry.errors import RegistryError


def _everything(*resources: str) -> Sequence[Permission]:
    return [{"resources": [{"type": resource} for resource in resources], "verbs": [ANY]}]


_DEVELOPERS = ("service", "governance", "ops", "service/schema")
BUILT_IN = {
    ADMIN: _everything("account", "config", "role", *_DEVELOPERS),
    DEVELOPER: _everything("config", *_DEVELOPERS),
}
"""The roles that are always there, in the order of the original's answers."""


class Roles:
    """Creates, changes and deletes roles; `quota` is the most that there may be, the two built-in ones among them."""

    def __init__(self, state: State, new_id: Callable[[], str], quota: int) -> None:
        self._state = state
        self._new_id = new_id
        self._quota = quota

    def all(self) -> list[Role]:
        """Every role, by name."""
        return sorted(self._state.roles.values(), key=lambda role: role.name)

    def get(self, name: str) -> Role:
        """A role, or 400201."""
        found = self._state.roles.get(name)
        if found is None:
            raise RegistryError(400201, f"role [{name}] not exist")
        return found

    def permissions(self, names: Sequence[str]) -> list[Permission]:
        """What these roles allow together, as they are now; one that is gone allows nothing."""
        found = (self._state.roles.get(name) for name in names)
        return [permission for role in found if role is not None for permission in role.perms]

    def build_in(self, now: int) -> None:
        """Make the built-in roles that are missing."""
        for name, perms in BUILT_IN.items():
            if name not in self._state.roles:
                self._create(name, perms, now)

    def create(self, name: str, perms: Sequence[Permission], now: int) -> Role:
        """Create a role. Raises 400204, 409201."""
        if len(self._state.roles) >= self._quota:
            raise RegistryError(400204, f"no quota to create ROLE, max num is {self._quota}")
        if name in self._state.roles:
            raise RegistryError(409201, "role is duplicated")
        return self._create(name, perms, now)

    def _create(self, name: str, perms: Sequence[Permission], now: int) -> Role:
        seconds = now // 1000
        role = Role(name, self._new_id(), perms, seconds, seconds, self._state.ledger.next_revision())
        self._state.put(None, role, now)
        return role

    def change(self, name: str, perms: Sequence[Permission], now: int) -> Role:
        """Exchange what a role allows, from the next request on. Raises 403203, 400201."""
        self._check_own(name)
        before = self.get(name)
        role = replace(before, perms=perms, updated=now // 1000, revision=self._state.ledger.next_revision())
        self._state.put(before, role, now)
        return role

    def delete(self, name: str, now: int) -> None:
        """Delete a role. Raises 403203, 400201, and 400205 while an account has it."""
        self._check_own(name)
        role = self.get(name)
        bound = next((account.name for account in self._state.accounts.values() if name in account.roles), None)
        if bound is not None:
            raise RegistryError(400205, f"account [{bound}] has it")
        self._state.put(role, None, now)

    @staticmethod
    def _check_own(name: str) -> None:
        if name in BUILT_IN:
            raise RegistryError(403203)
