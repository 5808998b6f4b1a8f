"""Lists: which key-values a client asks for, in which order and page. Protocol: KIE section A.7."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from governance.rules.check import rule_key
from registry.config.records import KeyValue
from registry.config.releases import Chosen, listing_seen_by
from registry.config.state import Listing, State, Topic, list_body


@dataclass(frozen=True, slots=True)
class Query:
    """What narrows a topic: `key` is a key, `beginWith(…)` or `wildcard(…)`, `value` a part of the value; no limit is no paging.

    `rules` leaves only items whose key is of a rule; `contains` those with this text in key, value or a label, whatever its case.
    """

    topic: Topic
    key: str = ""
    value: str = ""
    status: str = ""
    offset: int = 0
    limit: int = 0
    rules: bool = False
    contains: str = ""

    @property
    def plain(self) -> bool:
        """Whether nothing narrows the topic, so that its ready answer serves."""
        return not (self.key or self.value or self.status or self.limit or self.rules or self.contains)


def find(state: State, query: Query, chosen: Chosen | None = None) -> Sequence[KeyValue]:
    """Everything that a query finds, before paging; `chosen` says which gradual releases are for the one who asks."""
    fits, part = key_test(query.key), query.contains.lower()
    return [
        item
        for item in _seen(state, query.topic, chosen).items
        if fits(item.draft.key)
        and query.value in item.draft.value
        and (not query.status or item.draft.status == query.status)
        and (not query.rules or rule_key(item.draft.key) is not None)
        and (not part or _has(item, part))
    ]


def _has(item: KeyValue, part: str) -> bool:
    """Whether a text in small letters is in the key, the value or a label."""
    draft = item.draft
    return (
        part in draft.key.lower()
        or part in draft.value.lower()
        or any(part in f"{name}={value}".lower() for name, value in item.label_set)
    )


def answer(
    state: State, query: Query, chosen: Chosen | None = None, sees: Callable[[KeyValue], bool] | None = None
) -> bytes:
    """The JSON body that answers a query."""
    return listed(state, query, chosen, sees).body


def listed(
    state: State, query: Query, chosen: Chosen | None = None, sees: Callable[[KeyValue], bool] | None = None
) -> Listing:
    """The items that answer a query, with the JSON body that lists them; `sees` is given where not everything may be shown."""
    if query.plain and sees is None:
        return _seen(state, query.topic, chosen)
    found = [item for item in find(state, query, chosen) if sees is None or sees(item)]
    page = found[query.offset : query.offset + query.limit] if query.limit else found
    return Listing(page, list_body(len(found), page))


def _seen(state: State, topic: Topic, chosen: Chosen | None) -> Listing:
    listing, releases = state.listing(topic), state.table(topic.tenant).releases
    return listing_seen_by(releases, listing, chosen) if releases and chosen is not None else listing


def key_test(text: str) -> Callable[[str], bool]:
    """A test of keys, whatever their case: an exact key, a prefix, or a pattern in which `*` stands for any run."""
    folded = text.lower()
    if not folded:
        return lambda _key: True
    if folded.startswith("beginwith("):
        prefix = folded[len("beginwith(") : -1]
        return lambda key: key.lower().startswith(prefix)
    if folded.startswith("wildcard("):
        parts = folded[len("wildcard(") : -1].split("*")
        return lambda key: _glob(parts, key.lower())
    return lambda key: key.lower() == folded


def _glob(parts: Sequence[str], key: str) -> bool:
    """Whether the key is these parts with anything between them. Each part is looked for once, so time is linear in the key."""
    if len(parts) == 1:
        return key == parts[0] or parts[0] == ""
    first, *middle, last = parts
    if len(key) < len(first) + len(last) or not key.startswith(first) or not key.endswith(last):
        return False
    place, end = len(first), len(key) - len(last)
    for part in middle:
        found = key.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
