"""A callee of a test: its instances, and calls to it through the stage that chooses one."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from governance.invocation.invocation import Invocation, LocalReply, Reply, Target
from governance.invocation.live import LiveRules
from governance.routing.own import OwnInstance
from governance.routing.pick import Pick
from governance.rules.marker import Request
from governance.rules.selection import OwnService

SERVICE = "weather"
ALL = {"servicecomb.matchGroup.all": "matches: [{apiPath: {prefix: /}}]"}


@dataclass(frozen=True)
class Instance:
    """One of a callee."""

    instance_id: str
    version: str = "1"
    properties: Mapping[str, str] = field(default_factory=dict)
    data_center: Mapping[str, str] = field(default_factory=dict)
    service: str = SERVICE


def named(*names: str) -> tuple[Instance, ...]:
    """Instances that differ by name alone."""
    return tuple(Instance(name) for name in names)


class UnreachableError(Exception):
    """Nothing was sent."""


class Callee:
    """Instances that can be called, by a consumer with these items of configuration.

    `gone` cannot be reached, `ill` answer 503, `aside` are isolated, `seconds` is how long each takes.
    """

    def __init__(
        self, instances: Sequence[Target], own: OwnInstance | None = None, seed: int = 7, **values: str
    ) -> None:
        self.instances = tuple(instances)
        self.rules = LiveRules(OwnService("shop", "1.0"))
        self.set(**values)
        self.gone: set[str] = set()
        self.ill: set[str] = set()
        self.aside: set[str] = set()
        self.seconds: dict[str, float] = {}
        self.now = 0.0
        self.called: list[str] = []
        self.found = 0
        self.pick = Pick(
            self.rules,
            own or OwnInstance("shop", "1.0"),
            self._find,
            isolated=lambda _, target: target.instance_id in self.aside,
            unsent=lambda error: isinstance(error, UnreachableError),
            clock=lambda: self.now,
            dice=random.Random(seed),
        )

    def set(self, **values: str) -> None:
        """The configuration is now this; `__` stands for a dot, and names without one are after `servicecomb.`."""
        keys = {name: name.replace("__", ".") for name in values}
        self.configure({f"servicecomb.{keys[name]}": text for name, text in values.items()})

    def configure(self, values: Mapping[str, str]) -> None:
        """The configuration is now this."""
        self.rules.update({**ALL, **values})

    async def _find(self, _invocation: Invocation) -> tuple[Target, ...]:
        return self.instances

    async def _proceed(self, invocation: Invocation) -> Reply:
        target = invocation.target
        assert target is not None
        self.called.append(target.instance_id)
        self.now += self.seconds.get(target.instance_id, 0.0)
        if target.instance_id in self.gone:
            raise UnreachableError(target.instance_id)
        return LocalReply(503 if target.instance_id in self.ill else 200)

    async def once(self, invocation: Invocation | None = None) -> str:
        """Call; the instance that it went to in the end."""
        call = invocation or calling()
        await self.pick(call, self._proceed)
        assert call.target is not None
        return call.target.instance_id

    async def often(self, times: int, **headers: str) -> list[str]:
        """So many calls; where each went."""
        return [await self.once(calling(headers)) for _ in range(times)]


def calling(headers: Mapping[str, str] | None = None, **context: str) -> Invocation:
    """A call with headers and context."""
    return Invocation(
        request=Request("/", headers=headers or {}, service_name=SERVICE), service=SERVICE, context=context
    )


def versions(names: Iterable[str], instances: Sequence[Target]) -> list[str]:
    """The versions of instances by id."""
    version = {one.instance_id: one.version for one in instances}
    return [version[name] for name in names]
