"""Measures everything that alarm rules are about, a little at each tick of the engine, and tells of what is raised and cleared."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from registry.alarms import Alarm, Turn
from registry.alarms.measures import OF_INSTANCES, REPORTED, Scope, Source
from registry.alarms.rules import Rule
from registry.engine import Engine
from registry.engine.measuring import Numbers, Readings, of_calls, of_services, of_tenant
from registry.engine.webhooks import Webhooks
from registry.errors import RegistryError

AUTHOR = "waggle"
"""Who ends acknowledgements, in the audit log."""
_A_TICK = 500
"""Sources that one tick measures at most, so that others are served between."""
_LONGEST_TICK = 0.02
"""Seconds after which a tick measures no more of them."""
_ALWAYS = frozenset(("rate", "breaker-open")) | OF_INSTANCES
"""Measures of calls that mean something however few calls there are."""
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Wanted:
    """The rules of a tenant that count, by their scope and what they take as one source."""

    rules: dict[tuple[Scope, str], list[Rule]] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Mapping[str, Rule]) -> _Wanted:
        """Those that are switched on and go by numbers."""
        wanted = cls()
        for rule in rules.values():
            if rule.enabled and rule.metric != REPORTED:
                wanted.rules.setdefault((rule.scope, rule.per), []).append(rule)
        return wanted

    def grains(self, scope: Scope) -> frozenset[str]:
        """What rules of a scope take as one source."""
        return frozenset(per for of, per in self.rules if of is scope)


class Sweeper:
    """Goes over all tenants every so many seconds. What it finds is told to the event stream, the log and webhooks."""

    def __init__(self, engine: Engine, seconds: float, readings: Readings, webhooks: Webhooks) -> None:
        self._engine = engine
        self._alarming = engine.alarming
        self._seconds = seconds
        self._readings = readings
        self._webhooks = webhooks
        self._sweep: Iterator[None] | None = None
        self._next = 0.0
        self._told: set[tuple[str, str]] = set()
        self.sweeps = 0
        self._alarming.board.tell.append(self._turned)

    def tick(self) -> None:
        """Go on, or begin when it is time to."""
        now = time.monotonic()
        if self._sweep is None:
            if now < self._next:
                return
            self._next = now + self._seconds
            self._sweep = self._measure_all(now)
        for measured, _ in enumerate(self._sweep, start=1):
            if measured >= _A_TICK or time.monotonic() - now >= _LONGEST_TICK:
                return
        self._sweep = None
        self.sweeps += 1

    def _measure_all(self, begun: float) -> Iterator[None]:
        """One step for each source. Within a sweep, its beginning counts as the time of every number."""
        engine, alarming = self._engine, self._alarming
        at, own = engine.now(), alarming.state.default_tenant
        tables = (engine.config.state.tables(), alarming.state.tables())
        others = (name for table in tables for name, _ in table)
        tenants = dict.fromkeys((own, *engine.catalog.state.tenants, *others))
        for tenant in tenants:
            wanted = _Wanted.of(alarming.state.rules(tenant))
            for scope, grain, source, numbers in self._samples(tenant, wanted, at // 1000):
                self._judge(tenant, wanted.rules.get((scope, grain), ()), source, numbers, (at, begun))
                yield
        alarming.board.swept(at, begun, begun, self._stands)
        yield from self._tell_due()

    def _samples(self, tenant: str, wanted: _Wanted, second: int) -> Iterator[tuple[Scope, str, Source, Numbers]]:
        """All that is measured of a tenant, and of the engine, which belongs to one of them."""
        engine = self._engine
        if tenant == self._alarming.state.default_tenant:
            readings = {name: read() for name, read in self._readings.items()}
            yield Scope.ENGINE, "", Source(), {name: one for name, one in readings.items() if one is not None}
        yield Scope.TENANT, "", Source(), of_tenant(engine, tenant)
        counted = self._alarming.population
        if grains := wanted.grains(Scope.SERVICE):
            for grain, source, numbers in of_services(engine.catalog, counted, tenant, grains, second):
                yield Scope.SERVICE, grain, source, numbers
        if grains := wanted.grains(Scope.CALLS):
            for grain, source, numbers in of_calls(engine, tenant, grains, second):
                yield Scope.CALLS, grain, source, numbers

    def _judge(
        self, tenant: str, rules: Sequence[Rule], source: Source, numbers: Numbers, now: tuple[int, float]
    ) -> None:
        for rule in rules:
            value = numbers.get(rule.metric)
            if value is None or not rule.about(source):
                continue
            if rule.min_rate and rule.metric not in _ALWAYS and numbers.get("rate", 0.0) < rule.min_rate:
                continue
            self._alarming.board.measured(tenant, rule, source, value, *now)

    def _stands(self, alarm: Alarm) -> bool:
        """Whether a rule is there by which this alarm would be raised."""
        rule = self._alarming.state.rules(alarm.tenant).get(alarm.rule)
        if rule is None or not rule.enabled or rule.metric != alarm.metric:
            return False
        return rule.about(alarm.source)

    def _turned(self, turn: Turn, alarm: Alarm) -> None:
        engine, key = self._engine, (alarm.tenant, alarm.alarm_id)
        facts = {"alarm": alarm.alarm_id, "severity": alarm.severity, "message": alarm.message}
        if turn is Turn.RAISED:
            log.warning("alarm.raised", tenant=alarm.tenant, **facts)
        else:
            log.info("alarm.cleared", tenant=alarm.tenant, **facts)
        name, about = f"alarm.{turn.value}", alarm.source.service
        engine.stream.note(engine.now(), name, alarm.tenant, None, about=about, alarm=shown(alarm))
        if turn is Turn.RAISED:
            self._tell(alarm)
            return
        if key in self._told:
            self._told.discard(key)
            self._webhooks.send("resolved", alarm, shown(alarm))
        self._end_acknowledgement(alarm)

    def _tell_due(self) -> Iterator[None]:
        """One step for each alarm: tell of alarms whose silence is over, too; forget those that are no longer there."""
        board = self._alarming.board
        raised = {(one.tenant, one.alarm_id): one for one in board.everything()}
        self._told &= raised.keys()
        for key, alarm in raised.items():
            if key not in self._told and self._alarming.board.get(*key) is alarm:
                self._tell(alarm)
                yield

    def _tell(self, alarm: Alarm) -> None:
        if self._alarming.is_told(alarm, self._engine.now()):
            self._told.add((alarm.tenant, alarm.alarm_id))
            self._webhooks.send("raised", alarm, shown(alarm))

    def _end_acknowledgement(self, alarm: Alarm) -> None:
        """It ends with its alarm. Where that cannot be stored now, it ends in its time."""
        if self._alarming.state.table(alarm.tenant).acknowledgement(alarm.alarm_id) is None:
            return
        command: Callable[[], None] = lambda: self._alarming.end_acknowledgement(  # noqa: E731
            alarm.tenant, alarm.alarm_id, self._engine.now()
        )
        with contextlib.suppress(RegistryError):
            self._engine.begin(command, AUTHOR)


def shown(alarm: Alarm) -> Mapping[str, object]:
    """An alarm as the API, the event stream and webhooks show it; times are milliseconds, `clearedAt` is 0 while it is raised."""
    return {
        "id": alarm.alarm_id,
        "rule": alarm.rule,
        "severity": alarm.severity,
        "metric": alarm.metric,
        "source": {name: part for name, part in alarm.source._asdict().items() if part},
        "value": alarm.value,
        "threshold": alarm.threshold,
        "message": alarm.message,
        "since": alarm.since,
        "clearedAt": alarm.cleared,
        "whyCleared": alarm.why_cleared,
    }
