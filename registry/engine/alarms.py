"""What is wrong with the engine right now. Protocol: Service Center section 11.2."""

from collections.abc import Mapping, Sequence

BACKEND = "BackendConnectionRefuse"
INTERNAL = "InternalError"
_MOST = 1000
"""Alarms that are kept. Beyond them, one that is cleared goes first, else the oldest."""


class Alarms:
    """One alarm per id: activated with a detail, cleared, or forgotten."""

    def __init__(self) -> None:
        self._alarms: dict[str, tuple[str, str]] = {}

    def activate(self, name: str, detail: str) -> None:
        """Note that something is wrong."""
        if name not in self._alarms and len(self._alarms) >= _MOST:
            cleared = (other for other, (status, _) in self._alarms.items() if status == "CLEARED")
            del self._alarms[next(cleared, next(iter(self._alarms)))]
        self._alarms[name] = ("ACTIVATED", detail)

    def clear(self, name: str) -> None:
        """Note that it is right again. An alarm that was never raised is not listed."""
        if name in self._alarms:
            self._alarms[name] = ("CLEARED", self._alarms[name][1])

    def forget(self) -> None:
        """Drop all alarms, active ones too."""
        self._alarms.clear()

    def active(self, name: str) -> str | None:
        """The detail of an active alarm."""
        status, detail = self._alarms.get(name, ("CLEARED", ""))
        return detail if status == "ACTIVATED" else None

    def list(self) -> Sequence[Mapping[str, object]]:
        """All alarms as they go over the wire."""
        return [
            {"status": status, "id": name, "fields": {"detail": detail}}
            for name, (status, detail) in sorted(self._alarms.items())
        ]
