"""Rules, calls and callees for the tests of limits, breakers and bulkheads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from governance.invocation.chain import Stage
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.invocation.measures import Measured
from governance.rules.marker import Request
from governance.rules.selection import OwnService

ALL = "matches: [{apiPath: {prefix: /}}]"


@dataclass(frozen=True)
class Instance:
    """A target."""

    instance_id: str
    service: str = "stock"
    version: str = "1.0"
    properties: Mapping[str, str] = field(default_factory=dict)
    data_center: Mapping[str, str] = field(default_factory=dict)


def rules_of(**kinds: str) -> LiveRules:
    """Rules of a service, one policy `all` of each of these kinds, for every request."""
    rules = LiveRules(OwnService("shop", "1.0"))
    change(rules, **kinds)
    return rules


def change(rules: LiveRules, **kinds: str) -> None:
    """These are the policies from now on."""
    items = {f"servicecomb.{kind}.all": text for kind, text in kinds.items()}
    rules.update({"servicecomb.matchGroup.all": ALL, **items})


def call(target: Instance | None = None, **headers: str) -> Invocation:
    """A call, perhaps to an instance."""
    return Invocation(request=Request("/items", headers=headers), service="stock", target=target)


class Callee:
    """What is called: it answers with these statuses, one after the other, then with 200; an exception is raised."""

    def __init__(self, *answers: int | BaseException) -> None:
        self.answers = list(answers)
        self.calls = 0

    async def __call__(self, invocation: Invocation) -> Reply:
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, BaseException):
            raise answer
        return LocalReply(answer)


class Busy:
    """What is called, and takes until it is told to end."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.ended = 0
        self._gate: asyncio.Queue[int] = asyncio.Queue()

    async def __call__(self, invocation: Invocation) -> Reply:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            status = await self._gate.get()
        finally:
            self.running -= 1
        self.ended += 1
        return LocalReply(status)

    def end(self, calls: int = 1, status: int = 200) -> None:
        """So many of the calls that run end."""
        for _ in range(calls):
            self._gate.put_nowait(status)


async def statuses(
    stage: Stage, callee: Callee, times: int, target: Instance | None = None, **headers: str
) -> list[int]:
    """What so many calls, one after the other, get."""
    return [(await stage(call(target, **headers), callee)).status for _ in range(times)]


def measured(rules: LiveRules, key: str) -> dict[str, float]:
    """The measures of a state, each with its labels as `name{value}`."""
    return {
        measure.name + "".join(f"{{{value}}}" for value in measure.labels.values()): measure.value
        for measure in _state(rules, key).measures()
    }


def _state(rules: LiveRules, key: str) -> Measured:
    return dict(rules.processors())[key]
