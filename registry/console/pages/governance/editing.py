"""A rule in the editor: its text, its form, and what the engine says of both as somebody types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.rules.check import check, rule_key
from governance.rules.fields import fields_of_key
from governance.rules.problems import Path
from registry.console.asking import ApiError
from registry.console.pages.governance.items import named
from registry.console.rule_text import StaysTextError, Tree, posted, rows, text_of, tree_of
from registry.console.view import View
from registry.console.widgets import Said, Widget, Wrong, widgets_of

_SCOPE = (("app", "app"), ("environment", "environment"), ("service", "reader"))
"""Labels, and the fields of a new rule that say them; the request of a preview has a `service` of its own."""
_UNPAIRED = "unpaired"
"""What is wrong with any rule as long as nobody has named it."""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """What saving would do to what somebody else has saved.

    `found` is the API's check of it, `theirs` their entry of the history, `path` the page of their rule.
    """

    found: Mapping[str, Any]
    theirs: Mapping[str, Any]
    path: str


@dataclass(slots=True)
class Editing:
    """What the editor shows. `stays` is why the text has no form, `revision` that of the item as it was loaded, 0 for a new one."""

    key: str
    labels: Mapping[str, str]
    text: str
    base: str
    mode: str
    revision: int = 0
    tree: dict[str, Tree] | None = None
    stays: str = ""
    widgets: Sequence[Widget] = ()
    problems: Sequence[Mapping[str, Any]] = ()
    runtimes: Sequence[Mapping[str, Any]] = ()
    refused: str = ""
    overtaken: Overtaken | None = None

    @property
    def kind(self) -> str:
        """The kind of the rule; empty where the key is of none."""
        found = rule_key(self.key)
        return found.kind if found is not None else ""

    @property
    def unnamed(self) -> bool:
        """Whether the name is still to be typed."""
        return self.key.endswith(".")

    @property
    def language(self) -> str:
        """How the text is highlighted."""
        return "json" if self.kind == "darklaunch" else "yaml"

    async def look(self, view: View) -> Editing:
        """Ask the engine what it says of the rule, and make the form."""
        told = await _told(view, self)
        problems: Sequence[Mapping[str, Any]] = told.get("problems", ())
        self.problems = [one for one in problems if not self.unnamed or one.get("code") != _UNPAIRED]
        self.runtimes = told.get("runtimes", ())
        found = rule_key(self.key)
        if self.mode == "form" and found is not None:
            said = Said(view.say, placed(self.key, self.text, self.problems))
            self.widgets = widgets_of(fields_of_key(found), self.tree or {}, said)
        return self


async def editing(view: View, key: str, labels: Mapping[str, str], item: Mapping[str, Any] | None) -> Editing:
    """The editor of an item as it is; a form, where its text has one."""
    base = item["value"] if item is not None else ""
    tree, stays = _form(view, key, base)
    mode = "text" if stays or view.query.get("as") == "text" else "form"
    text = base if item is not None else text_of(key, tree or {})
    revision = item["update_revision"] if item is not None else 0
    return await Editing(key, labels, text, base, mode, revision, tree, stays).look(view)


async def edited(view: View) -> Editing:
    """The editor with what was sent: the form or the text that somebody works on, after what they pressed."""
    form = view.form
    key, labels = named(view.fields)
    if not key:
        key = key_of(form.get("kind", ""), form.get("name", "").strip())
        labels = {name: form.get(field, "").strip() for name, field in _SCOPE}
        labels = {name: value for name, value in labels.items() if value or name == "environment"}
    base, was, act, typed = (form.get(name, "").replace("\r\n", "\n") for name in ("base", "mode", "act", "text"))
    tree: dict[str, Tree] | None
    if was == "form":
        tree, stays = acted(posted(view.fields, "f"), act), ""
        text = text_of(key, tree, base)
    else:
        text = typed
        tree, stays = _form(view, key, text)
    mode = "text" if stays else act if act in ("form", "text") else was
    revision = form.get("revision", "")
    number = int(revision) if revision.isdigit() and len(revision) < 19 else 0
    return await Editing(key, labels, text, text if was != mode else base, mode, number, tree, stays).look(view)


def key_of(kind: str, name: str) -> str:
    """The key of a rule of this kind."""
    if kind == "globalRouteRule":
        return "servicecomb.globalRouteRule"
    return f"servicecomb.{'darklaunch.policy' if kind == 'darklaunch' else kind}.{name}"


async def _told(view: View, edit: Editing) -> Mapping[str, Any]:
    key = f"{edit.key}name" if edit.unnamed else edit.key
    draft = {"key": key, "value": edit.text, "labels": dict(edit.labels)}
    try:
        found = await view.api.send("POST", "/waggle/v1/governance/check", {"drafts": [draft]})
    except ApiError as error:
        return {"problems": [{"severity": "error", "line": 0, "column": 0, "why": error.text, "instead": ""}]}
    told: Mapping[str, Any] = found["drafts"][0]
    return told


def _form(view: View, key: str, text: str) -> tuple[dict[str, Tree] | None, str]:
    """The contents of the form, or why there is none."""
    try:
        return (tree_of(key, text) if text.strip() else {}), ""
    except StaysTextError as stays:
        why = view.say(stays.why)
        return None, view.say("line {line}: {why}", line=stays.line, why=why) if stays.line else why


def placed(key: str, text: str, problems: Sequence[Mapping[str, Any]]) -> Sequence[Wrong]:
    """The problems by the way to the field that each is about; what is about the whole rule is said beside the form."""
    ways: dict[tuple[int, int], list[Path]] = {}
    for way, at in check(key, text).places.items():
        ways.setdefault((at.line, at.column), []).append(way)
    placed = []
    for one in problems:
        advice = f": {one['instead']}" if one["instead"] else ""
        way = _meant(ways.get((one["line"], one["column"]), [()]), one["why"])
        if way:
            placed.append(Wrong(way, f"{one['why']}{advice}", one["severity"] == "error"))
    return placed


def _meant(ways: Sequence[Path], why: str) -> Path:
    """A record begins where its first field does: a problem is about the field if it names it, else about the whole."""
    named = [way for way in ways if way and why.startswith(str(way[-1]))]
    return max(named, key=len) if named else min(ways, key=len)


def acted(tree: dict[str, Tree], act: str) -> dict[str, Tree]:
    """The contents after a row was added (`add f.matches`) or removed (`remove f.matches.0`)."""
    verb, _, name = act.partition(" ")
    way = name.split(".")[1:]
    if verb not in ("add", "remove") or not way:
        return tree
    branch: dict[str, Tree] = tree
    for step in way[:-1]:
        inner = branch.setdefault(step, {})
        if not isinstance(inner, dict):
            return tree
        branch = inner
    if verb == "remove":
        branch.pop(way[-1], None)
        return tree
    there = branch.setdefault(way[-1], {})
    if isinstance(there, dict):
        numbers = [int(number) for number, _ in rows(there)]
        there[str(max(numbers, default=-1) + 1)] = {}
    return tree
