"""What the SDK counts of calls to services that are released under a bound, and what it tells the engine of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from governance.invocation.chain import Proceed, chained
from governance.invocation.invocation import Invocation, LocalReply, Reply
from governance.resilience.time_limit import TimeLimiterStage
from governance.rules.latencies import bucket_of
from governance.rules.objects.forms import expand
from governance.rules.objects.gray import PROMOTED, GrayRelease
from governance.sdk.calls import EngineError, EngineUnavailableError
from governance.sdk.outcomes import OutcomeReports, Outcomes, OutcomeStage
from tests.unit.resilience.consuming import calling, obeying
from tests.unit.sdk.fakes import AWAY, FORGOTTEN, Time, running
from tests.unit.sdk.known import instance

RELEASE = GrayRelease(service="cart", app="mall", version="2.0", baseline=("1.0",), share=50, max_error_rate=5.0)
BUSY = EngineError(503, "", "busy", "…")


def items(*releases: GrayRelease) -> Mapping[str, str]:
    """The configuration that releases write."""
    return {item.key: item.value for release in releases for item in expand(release)}


def outcomes(*releases: GrayRelease) -> Outcomes:
    made = Outcomes()
    made.update(items(*releases))
    return made


def to(version: str, service: str = "cart") -> Invocation:
    """A call for which an instance of this version was chosen."""
    invocation = calling(service)
    invocation.target = instance("http://10.0.0.1:1", version=version)
    return invocation


def rows(made: Outcomes) -> dict[tuple[str, str], tuple[int, int]]:
    """Calls and failures by service and version."""
    return {(row["service"], row["version"]): (row["calls"], row["failures"]) for row in made.take()}  # type: ignore[misc]


class Callee:
    """Answers with a status, or raises, after time has passed."""

    def __init__(self, time: Time, outcome: int | BaseException = 200, seconds: float = 0.0) -> None:
        self.time, self.outcome, self.seconds = time, outcome, seconds

    async def __call__(self, _: Invocation) -> Reply:
        self.time.now += self.seconds
        if isinstance(self.outcome, int):
            return LocalReply(self.outcome)
        raise self.outcome


@pytest.mark.parametrize(
    ("release", "judged"),
    [
        (RELEASE, True),
        (replace(RELEASE, max_error_rate=None, max_latency=200), True),
        (replace(RELEASE, max_error_rate=None), False),
        (replace(RELEASE, state=PROMOTED), False),
    ],
)
def test_only_services_that_are_released_under_a_bound_are_counted(release: GrayRelease, judged: bool) -> None:
    made = outcomes(release)
    assert (made.judged == {"cart"}) is judged
    made.update({})
    assert made.judged == frozenset()


@pytest.mark.parametrize("text", ["", "{", "service: cart", "x" * 100_000, "[1, 2]"])
def test_an_item_that_is_no_release_is_none(text: str) -> None:
    made = Outcomes()
    made.update({"servicecomb.x.gray.cart": text, "servicecomb.routeRule.cart": "…"})
    assert made.judged == frozenset()


async def test_tries_are_counted_by_version_with_their_failures_and_latencies() -> None:
    time, made = Time(), outcomes(RELEASE)
    stage = OutcomeStage(made, "mall", clock=time.clock)
    for version, outcome, seconds in (("1.0", 200, 0.004), ("2.0", 200, 0.25), ("2.0", 503, 0.25), ("2.0", 404, 0.5)):
        assert (await stage(to(version), Callee(time, outcome, seconds))).status == outcome
    with pytest.raises(OSError, match="refused"):
        await stage(to("2.0"), Callee(time, OSError("refused")))
    old, new = made.take()
    assert (old["version"], old["calls"], old["failures"], old["milliseconds"]) == ("1.0", 1, 0, 4)
    assert (new["version"], new["calls"], new["failures"], new["milliseconds"]) == ("2.0", 4, 2, 1000)
    assert new["latencies"] == [
        {"bucket": bucket_of(250), "calls": 2},
        {"bucket": bucket_of(500), "calls": 1},
        {"bucket": 0, "calls": 1},
    ]
    assert made.take() == []


async def test_nothing_else_is_counted() -> None:
    time, made = Time(), outcomes(RELEASE)
    stage = OutcomeStage(made, "mall", clock=time.clock)
    await stage(to("2.0", "stock"), Callee(time))
    other = to("2.0")
    other.app = "another"
    await stage(other, Callee(time))
    with pytest.raises(asyncio.CancelledError):
        await stage(to("2.0"), Callee(time, asyncio.CancelledError()))
    assert made.take() == [], "who gives up is nobody's failure"
    same = to("2.0")
    same.app = "mall"
    await stage(same, Callee(time))
    assert rows(made) == {("cart", "2.0"): (1, 0)}


async def test_a_time_limit_is_a_failure() -> None:
    made = outcomes(RELEASE)

    async def never(_: Invocation) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    limit = TimeLimiterStage(obeying(timeLimiter__all="timeoutDuration: 5"))
    stages: Proceed = chained((OutcomeStage(made, "mall"), limit), never)
    assert (await stages(to("2.0"))).status == 504
    assert rows(made) == {("cart", "2.0"): (1, 1)}


def test_what_is_counted_between_two_reports_is_bounded() -> None:
    made = outcomes(RELEASE)
    for number in range(150):
        made.count("cart", str(number), 0.001, failed=False)
    assert len(made.take()) == 100
    made.count("cart", "2.0", 10**9, failed=True)
    assert made.take()[0]["milliseconds"] == 2**31 - 1


class Engine:
    """Stands for `CenterClient`: it takes reports, or says what it is told to say."""

    def __init__(self) -> None:
        self.reports: list[Any] = []
        self.says: list[EngineError | EngineUnavailableError] = []

    async def report_outcomes(self, report: Any) -> None:
        self.reports.append(report)
        if self.says:
            raise self.says.pop(0)


class Reporting:
    """A consumer that reports to an engine as time passes."""

    def __init__(self) -> None:
        self.time, self.engine, self.outcomes = Time(), Engine(), outcomes(RELEASE)
        self.reports = OutcomeReports(self.outcomes, self.engine, "i1")  # type: ignore[arg-type]  # all that is asked of it

    def call(self, times: int = 1, *, failed: bool = False) -> None:
        for _ in range(times):
            self.outcomes.count("cart", "2.0", 0.01, failed=failed)

    @property
    def sent(self) -> list[tuple[int, int]]:
        """Number and calls of each report that was sent."""
        return [(report["number"], report["outcomes"][0]["calls"]) for report in self.engine.reports]


async def test_what_is_new_is_told_every_two_seconds() -> None:
    shop = Reporting()
    async with running(shop.reports.run("s1", shop.time.pause)):
        await shop.time.pass_(10)
        assert shop.engine.reports == [], "nothing is new"
        shop.call(3)
        await shop.time.pass_(2)
        shop.call(2)
        await shop.time.pass_(4)
    assert shop.sent == [(1, 3), (2, 2)]
    first, second = shop.engine.reports
    assert (first["serviceId"], first["instanceId"]) == ("s1", "i1")
    assert first["run"] == second["run"]
    assert first["run"] != Reporting().reports._run, "of this process alone"


async def test_a_report_that_got_no_answer_is_sent_again_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    shop = Reporting()
    shop.engine.says = [AWAY, BUSY]
    async with running(shop.reports.run("s1", shop.time.pause)):
        shop.call(3)
        await shop.time.pass_(2)
        shop.call(4)
        await shop.time.pass_(6)
    assert shop.sent == [(1, 3), (1, 3), (1, 3), (2, 4)]
    assert caplog.text.count("outcomes.not_reported") == 1, "told once"


async def test_what_cannot_be_told_is_dropped_after_half_a_minute() -> None:
    shop = Reporting()
    shop.engine.says = [AWAY] * 15
    async with running(shop.reports.run("s1", shop.time.pause)):
        shop.call(3)
        await shop.time.pass_(30)
        assert shop.sent == [(1, 3)] * 15
        shop.call(4)
        await shop.time.pass_(2)
    assert shop.sent[15:] == [(2, 4)]


async def test_what_the_engine_refuses_is_not_sent_again() -> None:
    shop = Reporting()
    shop.engine.says = [FORGOTTEN]
    async with running(shop.reports.run("s1", shop.time.pause)):
        shop.call(3)
        await shop.time.pass_(4)
        assert shop.sent == [(1, 3)]
        shop.call(4)
        await shop.time.pass_(2)
    assert shop.sent[1:] == [(2, 4)]
