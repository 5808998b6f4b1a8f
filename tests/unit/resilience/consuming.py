"""Rules with any keys, and time that is told, for the tests of a consumer's stages."""

from __future__ import annotations

from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.invocation.live import LiveRules
from governance.rules.marker import Request
from governance.rules.selection import OwnService
from tests.unit.resilience.limited import ALL

OPERATION = ("forecast", "weather", "show")


def obeying(**texts: object) -> LiveRules:
    """Rules of a service with these items. In a name, two underscores are a dot."""
    rules = LiveRules(OwnService("fusionweather", "1.0"))
    now_obeying(rules, **texts)
    return rules


def now_obeying(rules: LiveRules, **texts: object) -> None:
    """These are all items from now on."""
    items = {f"servicecomb.{name.replace('__', '.')}": str(text) for name, text in texts.items()}
    rules.update({"servicecomb.matchGroup.all": ALL, **items})


def calling(service: str = "forecast", schema: str = "", operation: str = "", *, replayable: bool = True) -> Invocation:
    """A call of a service."""
    request = Request("/show", service_name=service)
    return Invocation(request=request, service=service, schema=schema, operation=operation, replayable=replayable)


class Time:
    """A clock that moves only when somebody pauses, or when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        """Time goes on."""
        self.pauses.append(seconds)
        self.now += seconds


class Refusing:
    """A stage further in that refuses every call."""

    def __init__(self, status: int, by: str) -> None:
        self.reply = LocalReply(status, "no", by=by)
        self.calls = 0

    async def __call__(self, _: Invocation) -> Reply:
        self.calls += 1
        return self.reply
