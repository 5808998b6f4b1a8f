"""The four levels of a service's configuration, and what an answer of the engine says of one. Protocol: sections A.7 and C.1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from governance.rules.flatten import flatten
from governance.rules.parsing import ParseError
from governance.sdk.calls import Json
from governance.sdk.settings import ServiceSettings


class Value(NamedTuple):
    """What an item says of a key, as it is written. `rank` is the level's: a higher one is stronger."""

    text: str
    item: str
    level: str
    rank: int


@dataclass(frozen=True, slots=True)
class Level:
    """Items with exactly these labels, or, where not exact, with these among others."""

    name: str
    rank: int
    labels: Mapping[str, str]
    exact: bool = True

    @property
    def query(self) -> Sequence[tuple[str, str]]:
        """The parameters that ask for it."""
        labels = [("label", f"{name}:{value}") for name, value in self.labels.items()]
        return [*labels, ("match", "exact")] if self.exact else labels


def levels_of(settings: ServiceSettings) -> Sequence[Level]:
    """The levels, the weakest first."""
    everyone = {"app": settings.app, "environment": settings.environment}
    service = {**everyone, "service": settings.name}
    version = {**service, "version": settings.version}
    own = {settings.config_label: settings.config_label_value}
    levels = [Level("app", 0, everyone), Level("service", 1, service), Level("version", 2, version)]
    return [*levels, Level("label", 3, own, exact=False)] if settings.config_label else levels


def read_items(level: Level, rows: Sequence[Json]) -> tuple[Mapping[str, Value], Mapping[str, str]]:
    """The values of a level's items, and what is wrong with those that are left out, by item."""
    values: dict[str, Value] = {}
    wrong: dict[str, str] = {}
    # Sorting keeps the engine's order among those of one second: of these the last wins, too.
    for row in sorted(rows, key=_changed_at):
        key = str(row.get("key", ""))
        if str(row.get("status") or "enabled").lower() != "enabled":
            continue
        try:
            found = flatten(key, str(row.get("value", "")), str(row.get("value_type", "")))
        except ParseError as error:
            wrong[key] = str(error)
        else:
            values.update({name: Value(text, key, level.name, level.rank) for name, text in found.items()})
    return values, wrong


def _changed_at(row: Json) -> int:
    time = row.get("update_time")
    return time if isinstance(time, int) else 0


def merged(levels: Iterable[Mapping[str, Value]]) -> Mapping[str, Value]:
    """The levels laid over each other, the weakest first."""
    values: dict[str, Value] = {}
    for level in levels:
        values.update(level)
    return values
