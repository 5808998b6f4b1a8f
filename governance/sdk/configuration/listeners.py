"""Who is told of changes, and of which keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from governance.logs import logger
from governance.sdk.configuration.levels import Value

log = logger(__name__)


class Change(NamedTuple):
    """A value before and after, as written; `None` where there is none."""

    old: str | None
    new: str | None


Listener: TypeAlias = Callable[[Mapping[str, Change]], None]


class Listeners:
    """Tells each listener the changes of the keys that it wants. One that fails is logged, and hurts nobody."""

    def __init__(self) -> None:
        self._listeners: list[tuple[Listener, str]] = []

    def add(self, listener: Listener, prefix: str) -> None:
        """Tell the listener of keys that begin so."""
        self._listeners.append((listener, prefix))

    def tell(self, changes: Mapping[str, Change]) -> None:
        """Tell of these changes."""
        for listener, prefix in tuple(self._listeners):
            wanted = {key: change for key, change in changes.items() if key.startswith(prefix)}
            if not wanted:
                continue
            try:
                listener(wanted)
            except Exception:
                log.exception("config.listener_failed", keys=sorted(wanted))


def changes_between(old: Mapping[str, Value], new: Mapping[str, Value]) -> Mapping[str, Change]:
    """The keys whose texts differ."""
    return {
        key: Change(before, after)
        for key in sorted(old.keys() | new.keys())
        if (before := _text(old, key)) != (after := _text(new, key))
    }


def _text(values: Mapping[str, Value], key: str) -> str | None:
    return values[key].text if key in values else None
