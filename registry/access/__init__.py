"""Access control: accounts, roles, tokens, and the switch between off, observe and enforce, as one state machine.

It does no I/O, has no clock and no chance: the wall clock (milliseconds) is an argument, and ids, keys and hashes are given to it. A
command either returns with its changes noted in the ledger or raises `RegistryError`. Protocol: Service Center section 14; docs/access.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from registry.access.accounts import Accounts
from registry.access.callers import Callers
from registry.access.keys import Keys
from registry.access.lockout import Lockouts
from registry.access.permissions import Labels, Need, allows, grants
from registry.access.records import ADMIN, ALWAYS, ROOT, Mode, Scope, Switch
from registry.access.roles import Roles
from registry.access.state import State
from registry.access.tokens import Identity, read, sign, token_of
from registry.errors import RegistryError
from registry.ledger import Ledger

__all__ = ["Access", "Identity", "Mode", "Need", "Scope"]

PREFIXES = ("account/", "role/", "signing-key/", "access/")
"""How the journal's keys of access control begin."""
UNLIMITED: Sequence[Labels] = ({},)
"""What an administrator is granted of everything."""
_MOST_VERIFIED = 10_000


class Access:
    """The whole of access control; each part holds the commands of one chapter. `new_id` gives ids of 32 hexadecimal digits."""

    def __init__(self, ledger: Ledger, new_id: Callable[[], str], quota_accounts: int, quota_roles: int) -> None:
        self.state = State(ledger)
        self.accounts = Accounts(self.state, new_id, quota_accounts)
        self.roles = Roles(self.state, new_id, quota_roles)
        self.keys = Keys(self.state)
        self.lockouts = Lockouts()
        self.callers = Callers()
        self._verified: dict[str, Identity] = {}

    @property
    def mode(self) -> Mode:
        """How much is on."""
        return self.state.switch.mode

    @property
    def scope(self) -> Scope:
        """What enforcement is about."""
        return self.state.switch.scope

    @property
    def version(self) -> int:
        """Grows with every change of mode, scope, accounts, roles and keys: a verdict of before may no longer hold."""
        return self.state.version

    @property
    def half_open(self) -> bool:
        """Whether calls of services need no token yet, not all of them: then a client that may not sign in is told to ask again."""
        scope = self.scope
        partial = bool(scope.applications or scope.environments) or not scope.covers("service", ())
        return self.mode is Mode.OBSERVE or (self.mode is Mode.ENFORCE and partial)

    def switch(self, mode: Mode, scope: Scope, now: int) -> Switch:
        """Set the mode and its scope, from the next request on."""
        before, state = self.state.switch, self.state
        after = Switch(mode, scope, state.ledger.next_revision())
        state.put(before if before.revision else None, after, now)
        return after

    def issue(self, account: str, seconds: int, now: int) -> str:
        """A token for an account, which ends after so many seconds. Raises 400200."""
        found, key = self.accounts.get(account), self.keys.current
        if key is None:
            raise RegistryError(500003, "there is no signing key")
        return sign(Identity(account, found.roles, now // 1000 + seconds), key.key_id, key.private)

    def verify(self, header: str, now: int) -> Identity:
        """Who an Authorization header says is asking. Raises 401204, 401201, 401205, 401206.

        What a token has proven is remembered until it ends; whether its account is still there is asked each time.
        """
        seconds, token = now // 1000, token_of(header)
        identity = self._verified.get(token)
        if identity is None or identity.expires <= seconds:
            self._verified.pop(token, None)
            identity = read(token, self.keys.private, seconds)
            if len(self._verified) >= _MOST_VERIFIED:
                self._verified.clear()
            self._verified[token] = identity
        if identity.account != ROOT and self.accounts.find(identity.account) is None:
            raise RegistryError(401206, f"account [{identity.account}] is deleted")
        return identity

    def granted(self, identity: Identity, resource: str, verb: str) -> Sequence[Labels]:
        """The label sets that an identity is restricted to; none: it may not at all. For lists that are filtered: `permissions.sees`."""
        if ADMIN in identity.roles:
            return UNLIMITED
        return grants(self.roles.permissions(identity.roles), resource, verb)

    def permit(self, identity: Identity, need: Need) -> RegistryError | None:
        """What an identity must be refused with, if it must: 403205. The resources `public` and `self` are for everyone who got here."""
        if need.resource in ("public", "self") or ADMIN in identity.roles:
            return None
        perms = self.roles.permissions(identity.roles)
        if not perms:
            return RegistryError(403205, "role has no any permissions")
        if allows(grants(perms, need.resource, need.verb), need.labels):
            return None
        return RegistryError(403205, f"role has no permissions{need}")

    def enforces(self, need: Need) -> bool:
        """Whether what must be refused is refused, and not only counted."""
        if self.mode is Mode.ENFORCE:
            return self.scope.covers(need.resource, need.labels)
        return self.mode is Mode.OBSERVE and need.resource in ALWAYS
