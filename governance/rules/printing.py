"""Writes rules as the texts that `check` reads as the same rules. What has its default is left away."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import TypeAlias

from governance.rules.access import AccessPart
from governance.rules.check import Rule
from governance.rules.conditions import Condition
from governance.rules.darklaunch import DarkLaunch
from governance.rules.durations import print_duration
from governance.rules.legacy import Setting, legacy_text
from governance.rules.reading import readers_of
from governance.rules.routes import RouteRules

_Plain: TypeAlias = "Mapping[str, _Plain] | list[_Plain] | str | int | float | bool"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[-./][A-Za-z0-9_]+)*")
_TAKEN = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_LONGEST_KEY = 1000


def print_rule(rule: Rule) -> str:
    """The value of the item of a rule: YAML, JSON for a dark launch, or a scalar."""
    match rule:
        case Setting():
            return legacy_text(rule)
        case AccessPart():
            return rule.value
        case DarkLaunch():
            return json.dumps(_plain(rule))
        case RouteRules():
            return _block([_plain(one) for one in rule.rules], "")
    return _block(_plain(rule), "")


def _plain(value: object) -> _Plain:
    """A value in mappings, lists and scalars."""
    match value:
        case bool() | int() | float() | str():
            return value
        case tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {name: _plain(inner) for name, inner in value.items()}
        case Condition():
            fold = {} if value.fold is None else {"caseInsensitive": value.fold}
            return {**{str(operator): pattern for operator, pattern in value.operators.items()}, **fold}
    return _record(value)


def _record(record: object) -> _Plain:
    assert dataclasses.is_dataclass(record)  # noqa: S101  a rule is made of nothing else
    values = {name: getattr(record, attribute) for name, (attribute, _) in readers_of(type(record)).items()}
    defaults = {field.name: _default(field) for field in dataclasses.fields(record)}
    written = {name: attribute for name, (attribute, _) in readers_of(type(record)).items()}
    return {name: _plain(value) for name, value in values.items() if value != defaults[written[name]]}


def _default(field: dataclasses.Field[object]) -> object:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _block(value: _Plain, indent: str) -> str:
    """The lines of a value, without one in front."""
    if isinstance(value, Mapping) and value:
        return "".join(f"{indent}{_key(name, indent)}{_after(inner, indent)}" for name, inner in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{indent}- {_block(item, indent + '  ')[len(indent) + 2 :]}" for item in value)
    return f"{indent}{_scalar(value)}\n"


def _after(value: _Plain, indent: str) -> str:
    if isinstance(value, Mapping | list) and value:
        return "\n" + _block(value, indent + "  ")
    return f" {_scalar(value)}\n"


def _key(name: str, indent: str) -> str:
    written = _scalar(name)
    return f"{written}:" if len(written) <= _LONGEST_KEY else f"? {written}\n{indent}:"


def _scalar(value: _Plain) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return print_duration(value)
        case float():
            return repr(value)
        case str():
            plain = _WORD.fullmatch(value) and value.lower() not in _TAKEN
            return value if plain else json.dumps(value).replace("\x7f", "\\u007f")
    return "{}" if isinstance(value, Mapping) else "[]"
