"""What clients of Config Center see of the store, kept ready.

A client's view has a few levels, and a level is the items of one or two label sets. Each is flattened, encoded and hashed once per change:
what was made of a set of items holds for as long as the state answers that set with the same listing. So a view is never stale, needs
nobody to tell it of changes, and a poll of a client that has all of it costs a few look-ups.

The revision is a hash of what is seen. It changes when that does and only then, and is the same after a restart and on any engine.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson
import structlog

from governance.rules.flatten import flatten
from governance.rules.parsing import ParseError
from registry.api.config_center.asked import Asked
from registry.config.records import KeyValue, Labels
from registry.config.releases import listing_seen_by
from registry.config.state import Listing, State, Topic
from registry.engine import Engine
from registry.engine.askers import Choice

_MOST_READY = 10_000
_TYPED = frozenset(("yaml", "properties"))
_NOTHING = Listing((), b"")

K = TypeVar("K")
V = TypeVar("V")
log = structlog.get_logger(__name__)
Properties = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Flat:
    """What an item was parsed to."""

    item: KeyValue
    properties: Properties


@dataclass(frozen=True, slots=True)
class _Group:
    """The properties of one label set.

    `flat` has those of each item that had to be parsed by its id, to be used again; beside the one that counts, the one before it, since
    while a value is being released, some clients ask for the old and some for the new one.
    """

    listing: Listing
    flat: Mapping[str, Sequence[_Flat]]
    properties: Properties


@dataclass(frozen=True, slots=True)
class Level:
    """The properties of a level, their JSON and its hash."""

    groups: Sequence[_Group]
    properties: Properties
    encoded: bytes
    digest: bytes

    @classmethod
    def of(cls, groups: Sequence[_Group], properties: Properties) -> Level:
        """The level that these properties make. Sorted, since the order in which items changed is nothing that is seen."""
        encoded = orjson.dumps(properties, option=orjson.OPT_SORT_KEYS)
        return cls(groups, properties, encoded, hashlib.sha256(encoded).digest())


class View:
    """The levels that a client reads, by name, the least specific first; empty ones are left out."""

    __slots__ = ("levels", "revision")

    def __init__(self, levels: Mapping[str, Level]) -> None:
        self.levels = {name: level for name, level in levels.items() if level.properties}
        seen = b"".join(name.encode() + b"\0" + level.digest for name, level in self.levels.items())
        self.revision = hashlib.sha256(seen).hexdigest()[:32]

    def body(self, *, with_revision: bool) -> bytes:
        """The JSON of the view. Protocol: section B.3."""
        members = [b"%b:%b" % (orjson.dumps(name), level.encoded) for name, level in self.levels.items()]
        if with_revision:
            members.append(b'"revision":{"version":"%b"}' % self.revision.encode())
        return b"{" + b",".join(members) + b"}"

    def merged(self) -> Properties:
        """The properties as a client that merges by level sees them."""
        return {key: text for level in self.levels.values() for key, text in level.properties.items()}

    def narrowed(self, fits: Callable[[str], bool]) -> View:
        """The view with those keys alone that fit."""
        return View({name: _narrowed(level, fits) for name, level in self.levels.items()})


def _narrowed(level: Level, fits: Callable[[str], bool]) -> Level:
    return Level.of(level.groups, {key: text for key, text in level.properties.items() if fits(key)})


class Views:
    """All that is ready, by tenant and label sets."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._groups: dict[tuple[str, Labels], _Group] = {}
        self._levels: dict[tuple[str, tuple[Labels, ...]], Level] = {}
        self._parsing = asyncio.Lock()

    async def view(self, asked: Asked) -> View:
        """What the client sees, all of it stored."""
        levels = asked.dimension.levels(asked.environment)
        state, tenant = self._engine.config.state, asked.tenant
        choice = Choice(self._engine.catalog, asked.place)
        seen = await self._engine.read(
            lambda: [
                {labels: _listing(state, tenant, labels, choice) for labels in level.label_sets} for level in levels
            ]
        )
        ready = {}
        for level, listings in zip(levels, seen, strict=True):
            there = {labels: listing for labels, listing in listings.items() if listing.items}
            if there:
                ready[level.name] = await self._level(tenant, there)
        return View(ready)

    async def _level(self, tenant: str, listings: Mapping[Labels, Listing]) -> Level:
        groups = [await self._group(tenant, labels, listing) for labels, listing in listings.items()]
        key = (tenant, tuple(listings))
        level = self._levels.get(key)
        if level is None or any(one is not other for one, other in zip(level.groups, groups, strict=True)):
            properties = {name: text for group in groups for name, text in group.properties.items()}
            level = Level.of(groups, properties)
            _keep(self._levels, key, level)
        return level

    async def _group(self, tenant: str, labels: Labels, listing: Listing) -> _Group:
        key = (tenant, labels)
        ready = self._groups.get(key)
        if ready is not None and ready.listing is listing:
            return ready
        if not any(item.draft.value_type in _TYPED for item in listing.items):
            return self._made(key, listing, {})
        async with self._parsing:  # one at a time: those who wait for the same items find them parsed
            ready = self._groups.get(key)
            known = ready.flat if ready is not None else {}
            return self._made(key, listing, {item.key_id: await _flat(item, known) for item in _typed(listing)})

    def _made(self, key: tuple[str, Labels], listing: Listing, flat: Mapping[str, Sequence[_Flat]]) -> _Group:
        group = _Group(listing, flat, _laid_over(listing, flat))
        _keep(self._groups, key, group)
        return group


def _listing(state: State, tenant: str, labels: Labels, choice: Choice) -> Listing:
    """Only of label sets that there are: what clients ask for in vain leaves no trace."""
    table = state.table(tenant)
    if labels not in table.groups:
        return _NOTHING
    listing = state.listing(Topic(tenant, labels, True))
    return listing_seen_by(table.releases, listing, choice) if table.releases else listing


def _keep(ready: dict[K, V], key: K, value: V) -> None:
    ready.pop(key, None)
    if len(ready) >= _MOST_READY:
        del ready[next(iter(ready))]
    ready[key] = value


def _laid_over(listing: Listing, flat: Mapping[str, Sequence[_Flat]]) -> Properties:
    """The properties of all items, in the order of their last changes, as Java clients of KIE lay them over each other."""
    properties: dict[str, str] = {}
    for item in sorted(listing.items, key=lambda item: item.revision):
        if item.enabled:
            parsed = flat.get(item.key_id)
            properties |= _properties(item) if parsed is None else parsed[0].properties
    return properties


def _typed(listing: Listing) -> Iterator[KeyValue]:
    return (item for item in listing.items if item.enabled and item.draft.value_type in _TYPED)


async def _flat(item: KeyValue, known: Mapping[str, Sequence[_Flat]]) -> Sequence[_Flat]:
    former = known.get(item.key_id, ())
    found = next((flat for flat in former if flat.item == item), None) or _Flat(item, await _parsed(item))
    return (found, *(flat for flat in former if flat is not found))[:2]


async def _parsed(item: KeyValue) -> Properties:
    """The properties of an item, parsed on a thread: a large text takes seconds. One that does not parse has none, as for Java clients."""
    try:
        return await asyncio.to_thread(_properties, item)
    except ParseError as error:
        labels = dict(item.draft.labels)
        log.warning(
            "config.unreadable", key=item.draft.key, labels=labels, type=item.draft.value_type, error=str(error)
        )
        return {}


def _properties(item: KeyValue) -> Properties:
    return flatten(item.draft.key, item.draft.value, item.draft.value_type)
