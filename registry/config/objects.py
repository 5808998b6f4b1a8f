"""High-level objects, kept as items: a gray release, a degradation or a group of lanes, beside the items that it expands to.

The item that keeps an object has a key of its own and the labels of the others. Both are written, changed and deleted by one command, so
they are one commit, in history and in the audit log. An item that somebody else has written is never overwritten unless that is forced.

The groups of lanes of an application and environment share one rule: whatever becomes of one of them, it is written for all that are left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from governance.rules.objects.forms import LANES, LONGEST, Form, Object, collapse, expand, read_item, same
from governance.rules.objects.items import Item, Place
from governance.rules.objects.lane import LaneGroup, check_beside
from registry.config.edits import Edit, Step, carry_out, plan
from registry.config.keyvalues import KeyValues
from registry.config.records import ENABLED, Draft, KeyValue, id_of
from registry.config.state import State
from registry.errors import ConfigError

Items: TypeAlias = Mapping[str, KeyValue]
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Part:
    """An item that an object expands to, the one that is there, and in which way that does not do the same; empty where it does."""

    item: Item
    actual: KeyValue | None
    differs: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An object; `kept` is the item that keeps it, nothing where others wrote rules that have its shape."""

    one: Object
    kept: KeyValue | None
    parts: Sequence[Part]

    @property
    def drifted(self) -> bool:
        """Whether somebody has changed its items."""
        return any(part.differs for part in self.parts)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a writer goes by: the revision of the object's item, which must still be the newest, 0 for none; and whether to overwrite."""

    revision: int | None = None
    force: bool = False


class Objects:
    """The commands on objects of a tenant; `most_groups` of lanes are the most of an application in its environment."""

    def __init__(self, state: State, keys: KeyValues, most_groups: int) -> None:
        self._state = state
        self._keys = keys
        self._most_groups = most_groups

    def items(self, tenant: str) -> Items:
        """All items as they are now, by id."""
        return dict(self._state.table(tenant).by_id)

    def find(self, tenant: str, form: Form, place: Place) -> Stored | None:
        """The object that is kept at a place."""
        items = self._state.table(tenant).by_id
        item = items.get(id_of(tenant, *place))
        return _stored(items, form, item, self._at(tenant, place)) if item is not None else None

    def lane_groups(self, tenant: str, app: str, environment: str) -> Sequence[LaneGroup]:
        """The groups of lanes of an application and environment."""
        return _groups(self._at(tenant, Place("", {"app": app, "environment": environment})))

    def put(self, tenant: str, form: Form, one: Object, expected: Expected, now: int) -> Sequence[Step]:
        """Write an object and its items; what became of each. Raises 400001, 409002, 422001."""
        before = self.find(tenant, form, one.place)
        self._check_revision(tenant, one, expected)
        beside = _beside(one, self._at(tenant, one.place))
        if isinstance(one, LaneGroup):
            refuse(check_beside(one, beside))
            if len(beside) >= self._most_groups:
                raise ConfigError(422001, f"reached maximum allowed lane groups: {self._most_groups}")
        wanted = expand(one, beside)
        named = {item.key for item in wanted}
        left = [part for part in before.parts if part.item.key not in named] if before is not None else []
        if not expected.force:
            own = before.parts if before is not None else self._shared(tenant, beside)
            refuse([*self._foreign(tenant, wanted[1:], {part.item.key: part for part in own}), *_changed(left)])
        edits = [Edit(item.key, item.labels, item.value, "text", ENABLED) for item in wanted]
        gone = [part.actual for part in left if part.actual is not None]
        steps = plan(self._keys, tenant, edits, prune=gone)
        carry_out(self._keys, tenant, steps, now)
        return steps

    def remove(self, tenant: str, stored: Stored, expected: Expected, now: int) -> Sequence[Step]:
        """Delete an object and its items. Raises 409002."""
        self._check_revision(tenant, stored.one, expected)
        if not expected.force:
            refuse(_changed(stored.parts))
        left = self._shared(tenant, _beside(stored.one, self._at(tenant, stored.one.place)))
        edits = [Edit(part.item.key, part.item.labels, part.item.value, "text", ENABLED) for part in left]
        items = [stored.kept, *(part.actual for part in stored.parts)]
        steps = plan(self._keys, tenant, edits, prune=[item for item in items if item is not None])
        carry_out(self._keys, tenant, steps, now)
        return sorted(steps, key=lambda step: step.draft.key != stored.one.place.key)

    def _at(self, tenant: str, place: Place) -> Iterable[KeyValue]:
        """The items with the labels of a place."""
        return self._state.table(tenant).groups.get(frozenset(place.labels.items()), {}).values()

    def _shared(self, tenant: str, groups: Sequence[LaneGroup]) -> Sequence[Part]:
        """The items that groups of lanes have in common, as they are where there are no others."""
        return _parts(self._state.table(tenant).by_id, tenant, groups[0], groups[1:]) if groups else ()

    def _check_revision(self, tenant: str, one: Object, expected: Expected) -> None:
        item = self._keys.named(tenant, Draft(one.place.key, labels=one.place.labels))
        newest = item.revision if item is not None else 0
        if expected.revision is not None and expected.revision != newest:
            raise ConfigError(409002, f"{one.place.key[:256]} is at revision {newest} now, not {expected.revision}")

    def _foreign(self, tenant: str, wanted: Sequence[Item], owned: dict[str, Part]) -> Iterator[str]:
        """Why items may not be written: they are neither as this object left them nor as it wants them."""
        for item in wanted:
            actual = self._keys.named(tenant, Draft(item.key, labels=item.labels))
            if _difference(item, actual) in ("", "missing"):
                continue
            mine = owned.get(item.key)
            if mine is None:
                yield f"{item.key} is there already and does something else"
            elif mine.differs:
                yield f"{item.key} was {mine.differs} by hand"


def objects_of(items: Items, tenant: str, form: Form) -> Sequence[Stored]:
    """The objects of a form by key, those whose rules others wrote last. It takes time: those rules are parsed."""
    groups = [item for item in items.values() if form is LANES and item.draft.key.startswith(form.begin)]
    kept = [stored for item in items.values() if (stored := _stored(items, form, item, groups)) is not None]
    owned = {part.actual.key_id for stored in kept for part in stored.parts if part.actual is not None}
    others = (item for item in items.values() if item.enabled and item.draft.key.startswith(form.shapes))
    found = collapse(_item_of(item) for item in others if item.key_id not in owned)
    shaped = [Stored(one, None, _parts(items, tenant, one, ())) for one in found if isinstance(one, form.record)]
    return [*sorted(kept, key=_order), *sorted(shaped, key=_order)]


def _stored(items: Items, form: Form, item: KeyValue, among: Iterable[KeyValue]) -> Stored | None:
    """The object that an item keeps; `among` are the items that others are kept in beside it."""
    if not item.draft.key.startswith(form.begin):
        return None
    one = read_item(form, _item_of(item))
    return Stored(one, item, _parts(items, item.tenant, one, _beside(one, among))) if one is not None else None


def _groups(items: Iterable[KeyValue]) -> Sequence[LaneGroup]:
    kept = (read_item(LANES, _item_of(item)) for item in items if item.draft.key.startswith(LANES.begin))
    return [one for one in kept if isinstance(one, LaneGroup)]


def _beside(one: Object, among: Iterable[KeyValue]) -> Sequence[LaneGroup]:
    """The other groups of lanes at the place of one; no other object shares an item."""
    if not isinstance(one, LaneGroup):
        return ()
    labels = one.place.labels
    found = _groups(item for item in among if item.draft.labels == labels)
    return [group for group in found if group.name != one.name]


def _parts(items: Items, tenant: str, one: Object, beside: Sequence[LaneGroup]) -> Sequence[Part]:
    found = [(item, items.get(id_of(tenant, item.key, item.labels))) for item in expand(one, beside)[1:]]
    return [Part(item, actual, _difference(item, actual)) for item, actual in found]


def _difference(item: Item, actual: KeyValue | None) -> str:
    if actual is None:
        return "missing"
    if not actual.enabled:
        return "disabled"
    return "" if same(item.key, item.value, actual.draft.value) else "changed"


def _changed(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if part.actual is not None and part.differs:
            yield f"{part.item.key} was {part.differs} by hand"


def refuse(why: Iterable[str], code: int = 409002) -> None:
    """Raise the first reasons there are, under a code."""
    reasons = list(why)
    if reasons:
        more = f" (and {len(reasons) - _MOST_NAMED} more)" if len(reasons) > _MOST_NAMED else ""
        raise ConfigError(code, "; ".join(reasons[:_MOST_NAMED])[:2000] + more)


def _item_of(item: KeyValue) -> Item:
    value = item.draft.value
    return Item(item.draft.key, item.draft.labels, value if len(value) <= LONGEST else "")


def _order(stored: Stored) -> tuple[str, str]:
    return stored.one.place.key, str(sorted(stored.one.place.labels.items()))
