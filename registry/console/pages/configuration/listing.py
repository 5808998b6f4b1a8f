"""The items: a tree of their labels, the beginnings of their keys, and a list that is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.configuration.naming import PARTS, ROOT, label_texts, labels_in, name_of, whole
from registry.console.view import Part, View

_SIZE = 50
_MOST_NODES = 200
_MOST_BRANCHES = 40
_BEGIN = 100


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the tree of labels. `here`: the list shows what is in it; `nodes` are given along the way to there."""

    title: str
    path: str
    items: int
    here: bool
    nodes: Sequence[Node] = field(default=())
    more: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list shows."""

    labels: Mapping[str, str]
    exact: bool
    q: str
    status: str
    rules: bool
    prefix: str

    @classmethod
    def of(cls, view: View) -> Wanted:
        """What the address asks for."""
        query = view.query
        labels = labels_in(view.call.pairs)
        exact = query.get("match") == "exact"
        return cls(
            labels,
            exact,
            query.get("q", "").strip(),
            query.get("status", ""),
            bool(query.get("rules")),
            query.get("prefix", ""),
        )

    @property
    def place(self) -> dict[str, object]:
        """Labels and beginning of keys."""
        return {"label": label_texts(self.labels), "match": "exact" if self.exact else "", "prefix": self.prefix}

    @property
    def base(self) -> str:
        """The address of this list, but for the part of it."""
        rest = {"q": self.q, "status": self.status, "rules": "1" if self.rules else ""}
        return address({**self.place, **rest})

    def address(self, prefix: str) -> str:
        """The address of the same place, with keys that begin so."""
        return address({**self.place, "prefix": prefix})

    def api(self, part: int) -> dict[str, object]:
        """The query of the API."""
        key = f"beginWith({self.prefix})" if self.prefix else ""
        asked = {"label": label_texts(self.labels), "match": "exact" if self.exact else "", "key": key}
        paged = {"limit": _SIZE, "offset": (part - 1) * _SIZE, "authors": "1"}
        return {**asked, "contains": self.q, "status": self.status, "rules": "1" if self.rules else "", **paged}


def address(query: Mapping[str, object]) -> str:
    """The address of a list."""
    given = {name: value for name, value in query.items() if value}
    return f"{ROOT}?{urlencode(given, doseq=True)}" if given else ROOT


async def index(view: View) -> Reply:
    """The items of a place in the tree, or all."""
    wanted = Wanted.of(view)
    facts = await _rows(view, wanted)
    if view.is_part:
        return view.part("configuration/rows.html", wanted=wanted, **facts)
    tree = await view.api.get("/waggle/v1/config/tree", wanted.place)
    whole = tree if not (wanted.labels or wanted.exact) else await view.api.get("/waggle/v1/config/tree")
    nodes = grow(view, whole["label_sets"], wanted)
    branches = [one for one in tree["prefixes"] if one["prefix"].endswith(".")]
    return view.page(
        "configuration/index.html",
        title=view.say("Configuration"),
        wanted=wanted,
        total=whole["total"],
        nodes=nodes,
        branches=branches[:_MOST_BRANCHES],
        more_branches=max(0, len(branches) - _MOST_BRANCHES),
        **facts,
    )


async def _rows(view: View, wanted: Wanted) -> Mapping[str, Any]:
    number = view.part_asked
    try:
        found = await view.api.get("/waggle/v1/config/items", wanted.api(number))
    except ApiError as error:
        if error.status != 403:
            raise
        return {"rows": view.cut(()), "narrow": True}
    releases = await view.api.get("/waggle/v1/config/releases")
    released = {one["item"]["id"] for one in releases["releases"] if "item" in one}
    items: Sequence[Mapping[str, Any]] = found.get("data") or []
    rows = [
        {
            **whole(item),
            "path": name_of(item).path(),
            "begin": begin_of(item["value"]),
            "author": found["authors"].get(item["id"], ""),
            "problems": found.get("problems", {}).get(item["id"], ()),
            "released": item["id"] in released,
        }
        for item in items
    ]
    return {"rows": Part(rows, number, _SIZE, found["total"]), "narrow": False}


def begin_of(value: str) -> str:
    """The beginning of a value on one line."""
    text = " ".join(value[: 2 * _BEGIN].split())
    return text if len(text) <= _BEGIN and len(value) <= 2 * _BEGIN else f"{text[:_BEGIN]} …"


def grow(view: View, sets: Sequence[Mapping[str, Any]], wanted: Wanted) -> Sequence[Node]:
    """The tree: application, environment, service, version; and what has other labels, each set by itself."""
    usual = [one for one in sets if "app" in one["labels"] and set(one["labels"]) <= set(PARTS)]
    others = [one for one in sets if one not in usual]
    nodes, more = _level(view, usual, wanted, {}, PARTS)
    return [*nodes, *_leaves(view, others, wanted), *([Node("", "", more, here=False)] if more else ())]


def _level(
    view: View, sets: Sequence[Mapping[str, Any]], wanted: Wanted, above: Mapping[str, str], parts: Sequence[str]
) -> tuple[Sequence[Node], int]:
    """The nodes of one label below others, and how many there are that are not shown."""
    if not parts:
        return (), 0
    part, below = parts[0], parts[1:]
    values: dict[str, list[Mapping[str, Any]]] = {}
    for one in sets:
        if part in one["labels"]:
            values.setdefault(one["labels"][part], []).append(one)
    nodes = [
        _node(view, group, wanted, {**above, part: value}, below)
        for value, group in sorted(values.items())[:_MOST_NODES]
    ]
    return nodes, max(0, len(values) - _MOST_NODES)


def _node(
    view: View, sets: Sequence[Mapping[str, Any]], wanted: Wanted, labels: Mapping[str, str], below: Sequence[str]
) -> Node:
    part = list(labels)[-1]
    along = labels.items() <= wanted.labels.items()
    nodes, more = _level(view, sets, wanted, labels, below) if along else ((), 0)
    title = labels[part] or view.say("empty {label}", label=part)
    here = dict(labels) == dict(wanted.labels) and not wanted.exact
    return Node(title, address({"label": label_texts(labels)}), sum(one["items"] for one in sets), here, nodes, more)


def _leaves(view: View, sets: Sequence[Mapping[str, Any]], wanted: Wanted) -> Sequence[Node]:
    found = []
    for one in sets[:_MOST_NODES]:
        labels: Mapping[str, str] = one["labels"]
        title = ", ".join(f"{name}={value}" for name, value in labels.items()) or view.say("without labels")
        here = wanted.exact and dict(labels) == dict(wanted.labels)
        path = address({"label": label_texts(labels), "match": "exact"})
        found.append(Node(title, path, one["items"], here))
    return sorted(found, key=lambda node: node.title)


PAGES = (Page("GET", ROOT, index),)
