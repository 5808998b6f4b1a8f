"""The alarms that are raised, and those that were: as they follow from numbers, or from what the engine reports itself.

Two clocks are arguments: `at` is the wall clock in milliseconds, for people; `second` only grows, and measures how long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from registry.alarms.builtin import of_engine
from registry.alarms.measures import MEASURES, REPORTED, Scope, Source
from registry.alarms.rules import Rule

GONE_SECONDS = 60.0
"""So long an alarm of calls stays that nobody tells of: instances upload every few seconds, and may be late."""


class Turn(StrEnum):
    """What becomes of an alarm."""

    RAISED = "RAISE"
    CLEARED = "CLEAR"


@dataclass(slots=True)
class Alarm:
    """One alarm; times are milliseconds, `cleared` is 0 while it is raised. `value` is the newest number, `threshold` what raised it."""

    tenant: str
    alarm_id: str
    rule: str
    metric: str
    severity: str
    source: Source
    message: str
    value: float
    threshold: float
    since: int
    cleared: int = 0
    why_cleared: str = ""
    seen: float = 0.0
    right_since: float | None = None

    @property
    def of_engine(self) -> bool:
        """Whether it is about the engine, and not about what is the tenant's."""
        return of_engine(self.rule, self.metric)


@dataclass(slots=True)
class _Pending:
    """A number that is wrong, for not long enough yet."""

    since: float
    at: int
    seen: float


Key = tuple[str, str]


class Board:
    """All alarms. `most` bounds those that are raised; beyond it, one more is counted and not raised, unless it is about the engine:
    there are few of those, and they matter most. `tell` hears of every turn.
    """

    def __init__(self, most: int, history: int) -> None:
        self._most = most
        self._raised: dict[Key, Alarm] = {}
        self._pending: dict[Key, _Pending] = {}
        self._over: deque[Alarm] = deque(maxlen=history)
        self.raised_total = 0
        self.refused = 0
        self.tell: list[Callable[[Turn, Alarm], None]] = []

    def active(self, tenant: str) -> Iterator[Alarm]:
        """The raised alarms of a tenant."""
        return (alarm for (owner, _), alarm in self._raised.items() if owner == tenant)

    def everything(self) -> Iterator[Alarm]:
        """The raised alarms of all tenants."""
        return iter(self._raised.values())

    def history(self, tenant: str) -> Iterator[Alarm]:
        """The alarms of a tenant that are over, the newest first."""
        return (alarm for alarm in reversed(self._over) if alarm.tenant == tenant)

    def get(self, tenant: str, alarm_id: str) -> Alarm | None:
        """A raised alarm."""
        return self._raised.get((tenant, alarm_id))

    @property
    def pending(self) -> int:
        """Numbers that are wrong, for not long enough yet."""
        return len(self._pending)

    def measured(self, tenant: str, rule: Rule, source: Source, value: float, at: int, second: float) -> None:
        """Take a number that a rule is about."""
        key = tenant, id_of(rule.name, source)
        alarm = self._raised.get(key)
        if alarm is not None:
            self._again(key, alarm, rule, value, at, second)
        elif rule.wrong(value):
            self._wrong(key, rule, source, value, at, second)
        else:
            self._pending.pop(key, None)

    def _wrong(self, key: Key, rule: Rule, source: Source, value: float, at: int, second: float) -> None:
        pending = self._pending.get(key)
        if pending is None:
            full = len(self._pending) >= 4 * self._most
            if rule.seconds and full and not of_engine(rule.name, rule.metric):
                self.refused += 1
                return
            pending = self._pending[key] = _Pending(second, at, second)
        pending.seen = second
        if second - pending.since < rule.seconds:
            return
        del self._pending[key]
        message = rule.message(source, value)
        self.report(
            Alarm(
                key[0],
                key[1],
                rule.name,
                rule.metric,
                rule.severity,
                source,
                message,
                value,
                rule.threshold,
                at,
                seen=second,
            )
        )

    def _again(self, key: Key, alarm: Alarm, rule: Rule, value: float, at: int, second: float) -> None:
        alarm.seen, alarm.value = second, value
        alarm.severity, alarm.threshold = rule.severity, rule.threshold
        if not rule.right(value):
            alarm.right_since = None
            if rule.wrong(value):
                alarm.message = rule.message(alarm.source, value)
            return
        if alarm.right_since is None:
            alarm.right_since = second
        if second - alarm.right_since >= rule.clear_seconds:
            self.clear(*key, at, "it is right again")

    def report(self, alarm: Alarm) -> bool:
        """Raise an alarm, or say anew what is wrong; whether it is on the board."""
        key = alarm.tenant, alarm.alarm_id
        before = self._raised.get(key)
        if before is not None:
            before.message, before.severity, before.seen = alarm.message, alarm.severity, alarm.seen
            return True
        if len(self._raised) >= self._most and not alarm.of_engine:
            self.refused += 1
            return False
        self._raised[key] = alarm
        self.raised_total += 1
        self._tell(Turn.RAISED, alarm)
        return True

    def clear(self, tenant: str, alarm_id: str, at: int, why: str) -> bool:
        """End an alarm, if it is raised; whether it was."""
        alarm = self._raised.pop((tenant, alarm_id), None)
        if alarm is None:
            return False
        ended = replace(alarm, cleared=max(at, alarm.since), why_cleared=why)
        self._over.append(ended)
        self._tell(Turn.CLEARED, ended)
        return True

    def swept(self, at: int, begun: float, second: float, stands: Callable[[Alarm], bool]) -> None:
        """Every source was measured since the sweep has begun: what was not is wrong no more, that of calls after a while.

        `stands` says whether the rule of an alarm is still there.
        """
        for key in [key for key, pending in self._pending.items() if pending.seen < begun]:
            del self._pending[key]
        for alarm in [one for one in self._raised.values() if one.metric != REPORTED]:
            patience = GONE_SECONDS if MEASURES[alarm.metric].scope is Scope.CALLS else 0.0
            if not stands(alarm):
                self.clear(alarm.tenant, alarm.alarm_id, at, "its rule is over")
            elif alarm.seen < begun and second - alarm.seen > patience:
                self.clear(alarm.tenant, alarm.alarm_id, at, "it is measured no more")

    def forget(self, gone: Callable[[Alarm], bool]) -> None:
        """Drop all of these alarms, raised ones too."""
        self._raised = {key: alarm for key, alarm in self._raised.items() if not gone(alarm)}
        kept = [alarm for alarm in self._over if not gone(alarm)]
        self._over.clear()
        self._over.extend(kept)

    def _tell(self, turn: Turn, alarm: Alarm) -> None:
        for listener in self.tell:
            listener(turn, alarm)


def id_of(rule: str, source: Source) -> str:
    """The id of the alarm that a rule raises for a source: the rule, and the parts of the source's name from the general to the special."""
    return "/".join((rule, *(part.replace("/", "%2F") for part in source))).rstrip("/")
