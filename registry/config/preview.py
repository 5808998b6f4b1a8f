"""What one client makes of the items that it reads: every key with its value, where that is from, and what it hides.

It parses values, which takes seconds where they are large, and looks at nothing but the selection that it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from governance.rules.flatten import flatten
from governance.rules.parsing import ParseError
from registry.config.clients import Client, Kind, Level, Selection
from registry.config.records import KeyValue, Labels
from registry.errors import ConfigError

MOST_CHARACTERS = 4_194_304
"""Of all values that a preview reads, and of all keys and values that it shows."""
_MANY_KEYED = ("yaml", "properties")
_RULES = "servicecomb."
_RELEASED = {
    True: "this instance gets the new value of a gradual release",
    False: "a gradual release gives some instances another value",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that a key may have: from which item, at which level."""

    value: str
    item: KeyValue
    level: str


@dataclass(frozen=True, slots=True)
class Property:
    """A key as the client sees it, and what its value hides, the strongest first."""

    key: str
    source: Candidate
    shadows: Sequence[Candidate]


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that may surprise: `kind` is for programs, `text` for people, and the items are those that it is about."""

    kind: str
    text: str
    labels: Labels
    items: Sequence[KeyValue]


@dataclass(frozen=True, slots=True)
class Preview:
    """The merged configuration, sorted by key, and what may surprise in it."""

    properties: Sequence[Property]
    cautions: Sequence[Caution]


@dataclass(slots=True)
class _Merge:
    selection: Selection
    candidates: dict[str, list[Candidate]] = field(default_factory=dict)
    cautions: list[Caution] = field(default_factory=list)
    left: int = MOST_CHARACTERS

    def add_level(self, level: Level, items: Sequence[KeyValue]) -> None:
        """Lay a level over what is there."""
        broken = [item for item in items if item.enabled and item.draft.value_type == "xml"]
        if self.selection.client.kind is Kind.JAVA_2_7 and broken:
            text = f"these clients refuse the whole level {level.name}, because they do not know the type xml"
            self.cautions.append(Caution("level-refused", text, broken[0].label_set, broken))
            return
        for item in items:
            if item.enabled:
                self._add_item(level, item)
            else:
                self._warn("disabled", "it is disabled", item)

    def _add_item(self, level: Level, item: KeyValue) -> None:
        self._spend(len(item.draft.value))
        if item.key_id in self.selection.released:
            self._warn("gradual-release", _RELEASED[self.selection.released[item.key_id]], item)
        try:
            found = self._read(item)
        except ParseError as error:
            self._warn("unparsable", f"as {item.draft.value_type}, {error}; these clients leave it out", item)
            return
        for key, value in found.items():
            self._spend(len(key) + len(value))
            self.candidates.setdefault(key, []).append(Candidate(value, item, level.name))

    def _read(self, item: KeyValue) -> Mapping[str, str]:
        draft = item.draft
        if draft.value_type not in _MANY_KEYED:
            return flatten(draft.key, draft.value, draft.value_type)
        if self.selection.client.kind in (Kind.GO, Kind.GO_2_7):
            self._warn("type-ignored", f"these clients take its {draft.value_type} as one text under its key", item)
            return {draft.key: draft.value}
        if draft.key.startswith(_RULES):
            self._warn("rule-lost", f"a rule of the type {draft.value_type} loses its key; make it text", item)
        return flatten(draft.key, draft.value, draft.value_type)

    def _spend(self, characters: int) -> None:
        self.left -= characters
        if self.left < 0:
            raise ConfigError(
                400001, f"the configuration has more than {MOST_CHARACTERS} characters; there is no preview of it"
            )

    def _warn(self, kind: str, text: str, item: KeyValue) -> None:
        self.cautions.append(Caution(kind, text, item.label_set, [item]))


def merge(selection: Selection) -> Preview:
    """The configuration of the selection's client. Raises 400001 for one that is too large to be shown."""
    merged = _Merge(selection)
    for level, items in selection.levels:
        merged.add_level(level, items)
    properties = [
        Property(key, found[-1], found[-2::-1])
        for key, found in sorted(merged.candidates.items(), key=lambda row: row[0])
    ]
    return Preview(properties, [*merged.cautions, *_missed(selection)])


def _missed(selection: Selection) -> Iterator[Caution]:
    for labels, items in sorted(selection.missed.items(), key=lambda row: sorted(row[0])):
        yield Caution("not-asked-for", _why(selection.client, labels), labels, items)


def _why(client: Client, labels: Labels) -> str:
    names = {name for name, _ in labels}
    foreign = sorted(names - set(client.own))
    if "environment" not in names and client.label not in labels:
        return "no such client asks for it: it lacks the label environment, which clients send even where it is empty"
    if client.kind is Kind.GO_2_7 and names & {"app", "service"}:
        return "these clients ask for the labels appId and serviceName, and not for app and service"
    if foreign:
        return f"no such client asks for the label {', '.join(foreign)}"
    return f"no client of the kind {client.kind} asks for this set of labels"
