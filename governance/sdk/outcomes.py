"""What becomes of calls to services that are released under a bound: counted here, told to the engine, which judges by it.

Of all other calls nothing is counted. A report never holds up a call: it is made every two seconds, where there is something new, and what
cannot be told is dropped after half a minute. See docs/decisions/006-consumers-judge.md.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from governance.clock import Clock, Pause
from governance.invocation.chain import Proceed
from governance.invocation.invocation import Invocation, Reply
from governance.logs import logger
from governance.rules.latencies import bucket_of
from governance.rules.objects.forms import GRAY, LONGEST, read
from governance.rules.objects.gray import RUNNING, GrayRelease
from governance.sdk.calls import EngineError, EngineUnavailableError, Json
from governance.sdk.client import CenterClient

REPORT_SECONDS = 2.0
_MOST_TRIES = 15
_MOST_ROWS = 100
_MOST_CALLS = 1_000_000
_LARGEST = 2**31 - 1
log = logger(__name__)


@dataclass(slots=True)
class _Tally:
    calls: int = 0
    failures: int = 0
    milliseconds: float = 0.0
    latencies: Counter[int] = field(default_factory=Counter)


class Outcomes:
    """Counts calls by service and version, for those services that are judged."""

    def __init__(self) -> None:
        self.judged: frozenset[str] = frozenset()
        """The services, of the caller's application, that are released under a bound."""
        self._read: dict[str, tuple[str, bool]] = {}
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def update(self, values: Mapping[str, str]) -> None:
        """The configuration has changed and is this now. Texts that stayed as they were are not read again."""
        before, self._read = self._read, {}
        for key, text in values.items():
            if key.startswith(GRAY.begin):
                known = before.get(key)
                self._read[key] = known if known is not None and known[0] == text else (text, _is_judged(text))
        self.judged = frozenset(key.removeprefix(GRAY.begin) for key, (_, judged) in self._read.items() if judged)

    def count(self, service: str, version: str, seconds: float, *, failed: bool) -> None:
        """A call has ended. Calls beyond a million, or to more than a hundred versions, between two reports do not count."""
        tally = self._tallies.get((service, version))
        if tally is None:
            if len(self._tallies) >= _MOST_ROWS:
                return
            tally = self._tallies[service, version] = _Tally()
        if tally.calls < _MOST_CALLS:
            milliseconds = seconds * 1000
            tally.calls += 1
            tally.failures += failed
            tally.milliseconds += milliseconds
            tally.latencies[bucket_of(milliseconds)] += 1

    def take(self) -> Sequence[Json]:
        """What was counted since this was asked last, as the engine reads it."""
        tallies, self._tallies = self._tallies, {}
        return [
            {
                "service": service,
                "version": version,
                "calls": tally.calls,
                "failures": tally.failures,
                "milliseconds": min(round(tally.milliseconds), _LARGEST),
                "latencies": [{"bucket": bucket, "calls": calls} for bucket, calls in tally.latencies.items()],
            }
            for (service, version), tally in tallies.items()
        ]


def _is_judged(text: str) -> bool:
    one, _ = read(GRAY, text) if len(text) <= LONGEST else (None, ())
    if not isinstance(one, GrayRelease) or one.state != RUNNING:
        return False
    return one.max_error_rate is not None or one.max_latency is not None


class OutcomeStage:
    """Counts each try of a call, to one instance. An error, a status from 500 on and a time limit are failures.

    It stands outside of the time limit, and inside of all that answers in an instance's place. A caller that gives up is nobody's failure.
    """

    name = "grayRelease"

    def __init__(self, outcomes: Outcomes, app: str, *, clock: Clock = time.monotonic) -> None:
        self._outcomes = outcomes
        self._own_app = ("", app)
        self._clock = clock

    async def __call__(self, invocation: Invocation, proceed: Proceed) -> Reply:
        """The reply of the call. Raises what it raises."""
        outcomes, target = self._outcomes, invocation.target
        if invocation.service not in outcomes.judged or invocation.app not in self._own_app or target is None:
            return await proceed(invocation)
        began = self._clock()
        try:
            reply = await proceed(invocation)
        except Exception:
            outcomes.count(invocation.service, target.version, self._clock() - began, failed=True)
            raise
        outcomes.count(invocation.service, target.version, self._clock() - began, failed=reply.status >= 500)
        return reply


class OutcomeReports:
    """Tells the engine what was counted. Each report has a number, so that one that is sent again counts once."""

    def __init__(self, outcomes: Outcomes, client: CenterClient, instance_id: str) -> None:
        self._outcomes = outcomes
        self._client = client
        self._instance_id = instance_id
        self._run = uuid.uuid4().hex
        self._number = 0
        self._waiting: Sequence[Json] = ()
        self._tries = 0
        self._failing = False

    async def run(self, service_id: str, pause: Pause) -> None:
        """Report for as long as the instance is registered; until cancelled."""
        while True:
            await pause(REPORT_SECONDS)
            await self.report(service_id)

    async def report(self, service_id: str) -> None:
        """Send what waits from before, or else what is new, if there is anything."""
        if not self._waiting:
            self._waiting = self._outcomes.take()
            self._number += bool(self._waiting)
            self._tries = 0
        if not self._waiting:
            return
        self._tries += 1
        try:
            await self._client.report_outcomes(self._document(service_id))
        except (EngineError, EngineUnavailableError) as error:
            self._failed(error)
        else:
            self._waiting, self._failing = (), False

    def _document(self, service_id: str) -> Json:
        reporter = {"serviceId": service_id, "instanceId": self._instance_id, "run": self._run}
        return {**reporter, "number": self._number, "outcomes": self._waiting}

    def _failed(self, error: EngineError | EngineUnavailableError) -> None:
        """Keep the report for the next time, unless the engine will never take it, or has not for too long."""
        if not self._failing:
            log.warning("outcomes.not_reported", instance=self._instance_id, error=str(error))
        self._failing = True
        if (isinstance(error, EngineError) and error.status < 500) or self._tries >= _MOST_TRIES:
            self._waiting = ()
