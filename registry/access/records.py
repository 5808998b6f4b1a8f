"""The records of access control. Each is immutable: a change puts a new record in the place of the old one.

Accounts, roles and keys belong to no tenant; their paths have the default one, where the audit log lists them. What is secret in a record
is in its journal body alone: never in its `repr`, never in what the API shows. Times are unix seconds. Protocol: Service Center section 14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from registry.ledger import kept_json
from registry.tenancy import tenant_name

_PLACE = tenant_name("default", "default")
ACTIVE = "active"
ROOT = "root"
ADMIN = "admin"
DEVELOPER = "developer"


class Mode(StrEnum):
    """How much of access control is on: nothing; tokens are issued and checked but nothing is refused; everything."""

    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"


ALWAYS = frozenset(("account", "role", "access", "self"))
"""Resources for which a token is needed whenever access is not off: else anyone could make accounts while it only observes."""
GRADUAL = ("service", "service/schema", "config", "governance", "ops")
"""Resources that enforcement can begin with."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What enforcement has begun with: resources, applications, environments; each is all where it is empty. The rest is observed."""

    resources: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    def covers(self, resource: str, labels: Sequence[Mapping[str, str]]) -> bool:
        """Whether a request is in it: one that touches a service of its applications and environments is, whatever else it touches."""
        if resource in ALWAYS:
            return True
        if self.resources and resource not in self.resources:
            return False
        if not (self.applications or self.environments):
            return True
        return any(
            (not self.applications or (of.get("appId") or of.get("app")) in self.applications)
            and (not self.environments or of.get("environment", "") in self.environments)
            for of in labels
        )

    @property
    def document(self) -> dict[str, object]:
        """As the API and the journal write it."""
        lists = {"resources": self.resources, "applications": self.applications, "environments": self.environments}
        return {name: list(items) for name, items in lists.items()}


@dataclass(frozen=True, slots=True)
class Switch:
    """The mode and its scope; revision 0: as it is where nobody has ever set it."""

    mode: Mode = Mode.OFF
    scope: Scope = field(default_factory=Scope)
    revision: int = 0

    @property
    def path(self) -> str:
        """The journal's key."""
        return f"access/{_PLACE}/switch"

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return kept_json({"mode": self.mode.value, "scope": self.scope.document})

    @classmethod
    def decoded(cls, body: bytes, revision: int) -> Switch:
        """The record that `body` stores."""
        document = orjson.loads(body)
        scope = Scope(**{name: tuple(items) for name, items in document["scope"].items()})
        return cls(Mode(document["mode"]), scope, revision)


@dataclass(frozen=True, slots=True)
class Account:
    """Who may sign in. `secret` is the password's bcrypt hash."""

    name: str
    account_id: str
    secret: str = field(repr=False)
    roles: tuple[str, ...]
    status: str
    created: int
    updated: int
    revision: int

    @property
    def path(self) -> str:
        """The journal's key."""
        return f"account/{_PLACE}/{self.name}"

    @property
    def document(self) -> dict[str, object]:
        """What the API shows of it. Protocol: section 14.5."""
        return {
            "id": self.account_id,
            "name": self.name,
            "roles": list(self.roles),
            "status": self.status,
            "createTime": str(self.created),
            "updateTime": str(self.updated),
        }

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return kept_json({**self.document, "secret": self.secret})

    @classmethod
    def decoded(cls, body: bytes, revision: int) -> Account:
        """The record that `body` stores."""
        one = orjson.loads(body)
        times = int(one["createTime"]), int(one["updateTime"])
        return cls(one["name"], one["id"], one["secret"], tuple(one["roles"]), one["status"], *times, revision)


@dataclass(frozen=True, slots=True)
class Role:
    """A name for permissions; `perms` as the API gives and takes them."""

    name: str
    role_id: str
    perms: Sequence[Mapping[str, object]]
    created: int
    updated: int
    revision: int

    @property
    def path(self) -> str:
        """The journal's key."""
        return f"role/{_PLACE}/{self.name}"

    @property
    def document(self) -> dict[str, object]:
        """What the API shows of it, empty members left out. Protocol: section 14.6."""
        document = {
            "id": self.role_id,
            "name": self.name,
            "perms": self.perms,
            "createTime": str(self.created),
            "updateTime": str(self.updated),
        }
        return {name: value for name, value in document.items() if value}

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return kept_json(self.document)

    @classmethod
    def decoded(cls, body: bytes, revision: int) -> Role:
        """The record that `body` stores."""
        one = orjson.loads(body)
        times = int(one["createTime"]), int(one["updateTime"])
        return cls(one["name"], one["id"], one.get("perms", []), *times, revision)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair that tokens are signed with: `private` as PEM. `retired` is when the next one took its place, 0 while it signs."""

    key_id: str
    private: str = field(repr=False)
    created: int
    retired: int
    revision: int

    @property
    def path(self) -> str:
        """The journal's key."""
        return f"signing-key/{_PLACE}/{self.key_id}"

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return kept_json({"id": self.key_id, "private": self.private, "created": self.created, "retired": self.retired})

    @classmethod
    def decoded(cls, body: bytes, revision: int) -> SigningKey:
        """The record that `body` stores."""
        one = orjson.loads(body)
        return cls(one["id"], one["private"], one["created"], one["retired"], revision)
