"""What the engine reports of itself, on the same board as the alarms that follow from rules. Protocol: Service Center section 11.2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from registry.alarms import Alarm, Alarming
from registry.alarms.builtin import BACKEND, GRAY, INTERNAL
from registry.alarms.measures import REPORTED, Source

__all__ = ["BACKEND", "GRAY", "INTERNAL", "Alarms"]


class Alarms:
    """One alarm per id: activated with a detail, cleared, or forgotten. Without a tenant it is about the engine."""

    def __init__(self, alarming: Alarming, now: Callable[[], int]) -> None:
        self._alarming = alarming
        self._board = alarming.board
        self._now = now
        self._own = alarming.state.default_tenant

    def activate(self, name: str, detail: str, tenant: str = "") -> None:
        """Note that something is wrong. The id begins with the name of the built-in rule that says how severe it is."""
        tenant, at = tenant or self._own, self._now()
        rule = self._alarming.state.rules(tenant)[name.partition("/")[0]]
        source = Source(*name.split("/")[3:6]) if rule.name == GRAY else Source()
        self._board.report(
            Alarm(tenant, name, rule.name, REPORTED, rule.severity, source, detail, value=1.0, threshold=0.0, since=at)
        )

    def clear(self, name: str, tenant: str = "") -> None:
        """Note that it is right again. An alarm that was never raised is not listed."""
        self._board.clear(tenant or self._own, name, self._now(), "it is right again")

    def forget(self, tenant: str = "") -> None:
        """Drop all alarms of the engine and of a tenant, active ones too."""
        self._board.forget(self._shown_to(tenant or self._own))

    def active(self, name: str, tenant: str = "") -> str | None:
        """The detail of an active alarm."""
        alarm = self._board.get(tenant or self._own, name)
        return alarm.message if alarm is not None else None

    def list(self, tenant: str = "") -> Sequence[Mapping[str, object]]:
        """The alarms of the engine and of a tenant as Service Center's API answers them, those that are over among them."""
        shown: dict[str, Mapping[str, object]] = {}
        for alarm in self._of(tenant or self._own):
            status = "CLEARED" if alarm.cleared else "ACTIVATED"
            row = {"status": status, "id": alarm.alarm_id, "fields": {"detail": alarm.message}}
            shown.setdefault(alarm.alarm_id, row)
        return [shown[name] for name in sorted(shown)]

    def _of(self, tenant: str) -> Iterator[Alarm]:
        """Those that are raised, then those that are over, the newest first."""
        tenants = {self._own, tenant}
        raised = (alarm for one in tenants for alarm in self._board.active(one))
        over = (alarm for one in tenants for alarm in self._board.history(one))
        return filter(self._shown_to(tenant), chain(raised, over))

    def _shown_to(self, tenant: str) -> Callable[[Alarm], bool]:
        """Those of the tenant, and those of the engine, which the default tenant has beside its own."""
        return lambda alarm: alarm.tenant == tenant or (alarm.tenant == self._own and alarm.of_engine)
