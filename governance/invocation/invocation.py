"""A call on its way through the stages, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from governance.rules.marker import Request


class Target(Protocol):
    """An instance that a call can go to, as stages see it."""

    @property
    def instance_id(self) -> str:
        """Its id, the same for as long as it is registered."""

    @property
    def service(self) -> str:
        """The name of its service."""

    @property
    def version(self) -> str:
        """The version of its service."""

    @property
    def properties(self) -> Mapping[str, str]:
        """What it was registered with: tags, such as a lane's."""

    @property
    def data_center(self) -> Mapping[str, str]:
        """`name`, `region` and `availableZone`; empty where it has none."""


class Reply(Protocol):
    """What came back. On the wire or made here: stages look at the status alone."""

    @property
    def status(self) -> int:
        """The status of HTTP."""


@dataclass(frozen=True, slots=True)
class LocalReply:
    """A reply that nobody gave: a refusal, an injected fault, a fallback. `by` is the kind of rule that made it."""

    status: int
    text: str = ""
    by: str = ""


@dataclass(eq=False, slots=True, kw_only=True)
class Invocation:
    """One call. On the consumer's side `service` is the callee, on the provider's side the caller, empty where it is not known.

    `schema` and `operation` are names of the interface that the older keys may ask for, empty where nobody says them. `context` travels
    along; stages may add to it. `pattern` is the path with `{name}` for what varies, on the provider's side, empty where it is not known:
    unlike paths, patterns are few. `replayable` is whether the body can be sent again. `caller` are the facts that access lists look at:
    `serviceName`, `version`, `appId` and properties of the consumer's record; None where nobody has proved who calls.
    """

    request: Request
    service: str
    app: str = ""
    schema: str = ""
    operation: str = ""
    context: dict[str, str] = field(default_factory=dict)
    pattern: str = ""
    replayable: bool = True
    caller: Mapping[str, str] | None = None
    target: Target | None = None
    """The instance that was chosen for this try; None before that, and on the provider's side."""
    tried: list[str] = field(default_factory=list)
    """Ids of the instances of all tries so far, the last one at the end."""
