"""What a form shows of a field: made from the rule language's own description of it, so that there is one form for all kinds of rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from governance.rules.asks import Asks, Sort
from governance.rules.fields import Field, fields_of_record
from governance.rules.problems import Path
from registry.console.rule_text import Tree, rows

Say: TypeAlias = Callable[..., str]
_LEAST, _MOST = -(2**31), 2**31 - 1


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong at a way to a field, in words; an `error`, or a warning."""

    way: Path
    text: str
    error: bool


@dataclass(frozen=True, slots=True)
class Widget:
    """One field of a form. `shape` is line, choice, pairs, operators, conditions, record, or records; `rows` are those of a list."""

    name: str
    label: str
    about: str
    shape: str
    value: str = ""
    options: Sequence[str] = ()
    placeholder: str = ""
    numeric: bool = False
    required: bool = False
    problems: Sequence[Wrong] = ()
    rows: Sequence[Row] = field(default=())

    @property
    def invalid(self) -> bool:
        """Whether the engine would refuse what is said here."""
        return any(one.error for one in self.problems)

    @property
    def used(self) -> bool:
        """Whether something is said here."""
        return bool(self.value or self.problems) or any(
            row.value or row.name or any(one.used for one in row.widgets) for row in self.rows
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One of several: a name, an operator and a value, or a record's fields."""

    path: str
    name: str = ""
    operator: str = ""
    value: str = ""
    widgets: Sequence[Widget] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """The language of a form, and what is wrong with it by the way to a field."""

    say: Say
    problems: Sequence[Wrong]

    def at(self, path: Path, *, inside: bool) -> Sequence[Wrong]:
        """The problems of a field; with those of what is in it where nothing there can show them."""
        return [one for one in self.problems if one.way == path or (inside and one.way[: len(path)] == path)]


def widgets_of(
    fields: Sequence[Field], tree: Mapping[str, Tree], said: Said, prefix: str = "f", path: Path = ()
) -> Sequence[Widget]:
    """The widgets of some fields, those that are required first."""
    ordered = sorted(fields, key=lambda one: not one.required)
    return [_widget(one, tree.get(one.name), said, f"{prefix}.{one.name}", _way(path, one.name)) for one in ordered]


def _way(path: Path, name: str) -> Path:
    return (*path, name) if name else path


def _widget(one: Field, tree: Tree | None, said: Said, name: str, path: Path) -> Widget:
    shape = _shape(one.asks)
    return Widget(
        name,
        one.name,
        _about(one, said.say),
        shape,
        tree if isinstance(tree, str) else "",
        _options(one.asks),
        _shown(one.default),
        one.asks.sort is Sort.WHOLE,
        one.required,
        said.at(path, inside=shape not in ("record", "records")),
        _rows(one.asks, tree, said, name, path),
    )


def _shape(asks: Asks) -> str:
    inner = asks.inner.sort if asks.inner is not None else None
    match asks.sort:
        case Sort.CHOICE | Sort.FLAG:
            return "choice"
        case Sort.RECORD:
            return "record"
        case Sort.LIST if inner is Sort.RECORD:
            return "records"
        case Sort.CONDITION:
            return "operators"
        case Sort.MAPPING:
            return "conditions" if inner is Sort.CONDITION else "pairs"
    return "line"


def _options(asks: Asks) -> Sequence[str]:
    if asks.sort is Sort.FLAG:
        return ("true", "false")
    if asks.sort in (Sort.CHOICE, Sort.CONDITION):
        return asks.words
    return asks.inner.words if asks.inner is not None else ()


def _rows(asks: Asks, tree: Tree | None, said: Said, name: str, path: Path) -> Sequence[Row]:
    record = asks.record or (asks.inner.record if asks.inner is not None else None)
    if asks.sort is Sort.RECORD and record is not None:
        inner = tree if isinstance(tree, dict) else {}
        return [Row(name, widgets=widgets_of(fields_of_record(record), inner, said, name, path))]
    found = []
    for place, (number, part) in enumerate(rows(tree)):
        given = part if isinstance(part, dict) else {}
        here = f"{name}.{number}"
        if record is not None:
            inner_widgets = widgets_of(fields_of_record(record), given, said, here, (*path, place))
            found.append(Row(here, widgets=inner_widgets))
        else:
            called, operator, value = (_text(given.get(one)) for one in ("name", "operator", "value"))
            found.append(Row(here, called, operator, value))
    return found


def _text(tree: Tree | None) -> str:
    return tree if isinstance(tree, str) else ""


def _about(one: Field, say: Say) -> str:
    parts = [say(one.about)] if one.about else []
    parts += [part for part in (_bounds(one.asks, say),) if part]
    if one.default not in (None, "", ()):
        parts.append(say("default {default}", default=_shown(one.default)))
    elif one.required:
        parts.append(say("required"))
    return " · ".join(parts)


def _bounds(asks: Asks, say: Say) -> str:
    least, most = _plain(asks.least), _plain(asks.most)
    if asks.sort is Sort.DURATION:
        return say("milliseconds, or as 1S, 0.5S, 1M30S; {least} ms or more", least=least)
    if asks.sort not in (Sort.WHOLE, Sort.NUMBER) or not least:
        return ""
    if asks.above:
        return say("above {least}, to {most}", least=least, most=most) if most else say("above {least}", least=least)
    return say("{least} to {most}", least=least, most=most) if most else say("{least} or more", least=least)


def _plain(bound: float | None) -> str:
    """A bound, empty where it is that of the type."""
    return f"{bound:g}" if bound is not None and _LEAST < bound < _MOST else ""


def _shown(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case tuple():
            return ", ".join(map(str, default))
        case float():
            return f"{default:g}"
    return str(default)
