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
from governance.rules.security import SecurityPart

Plain: TypeAlias = "Mapping[str, Plain] | list[Plain] | str | int | float | bool | None"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[-./][A-Za-z0-9_]+)*")
_TAKEN = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_LONGEST_KEY = 1000


def print_rule(rule: Rule) -> str:
    """The value of the item of a rule: YAML, JSON for a dark launch, or a scalar."""
    match rule:
        case Setting():
            return legacy_text(rule)
        case AccessPart() | SecurityPart():
            return rule.value
        case DarkLaunch():
            return json.dumps(_plain(rule))
        case RouteRules():
            return print_plain([_plain(one) for one in rule.rules])
    return print_plain(_plain(rule))


def print_plain(value: Plain) -> str:
    """The text that any YAML, of version 1.1 or 1.2, reads as these mappings, lists and scalars. Numbers must be finite."""
    return _block(value, "")


def _plain(value: object) -> Plain:
    """A value in mappings, lists and scalars. A long whole number is a duration, which is written in seconds then."""
    match value:
        case bool() | float() | str():
            return value
        case int():
            written = print_duration(value)
            return value if written == str(value) else written
        case tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {name: _plain(inner) for name, inner in value.items()}
        case Condition():
            fold = {} if value.fold is None else {"caseInsensitive": value.fold}
            return {**{str(operator): pattern for operator, pattern in value.operators.items()}, **fold}
    return plain_record(value)


def plain_record(record: object) -> Mapping[str, Plain]:
    """A record whose fields have readers, in mappings, lists and scalars."""
    assert dataclasses.is_dataclass(record)  # noqa: S101  a rule is made of nothing else
    values = {name: getattr(record, attribute) for name, (attribute, _) in readers_of(type(record)).items()}
    defaults = {field.name: _default(field) for field in dataclasses.fields(record)}
    written = {name: attribute for name, (attribute, _) in readers_of(type(record)).items()}
    return {name: _plain(value) for name, value in values.items() if value != defaults[written[name]]}


def _default(field: dataclasses.Field[object]) -> object:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _block(value: Plain, indent: str) -> str:
    """The lines of a value, without one in front."""
    if isinstance(value, Mapping) and value:
        return "".join(f"{indent}{_key(name, indent)}{_after(inner, indent)}" for name, inner in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{indent}- {_block(item, indent + '  ')[len(indent) + 2 :]}" for item in value)
    return f"{indent}{_scalar(value)}\n"


def _after(value: Plain, indent: str) -> str:
    if isinstance(value, Mapping | list) and value:
        return "\n" + _block(value, indent + "  ")
    return f" {_scalar(value)}\n"


def _key(name: str, indent: str) -> str:
    written = _scalar(name)
    return f"{written}:" if len(written) <= _LONGEST_KEY else f"? {written}\n{indent}:"


def _scalar(value: Plain) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            digits, exponent, power = repr(value).partition("e")
            return digits if not exponent else f"{digits if '.' in digits else digits + '.0'}e{power}"
        case str():
            plain = _WORD.fullmatch(value) and value.lower() not in _TAKEN
            return value if plain else _quoted(value)
    return "{}" if isinstance(value, Mapping) else "[]"


def _quoted(text: str) -> str:
    """In quotes, with what cannot be seen escaped. Go knows no halves of UTF-16, so a character is one escape."""
    return "".join(
        letter if letter.isprintable() else f"\\u{ord(letter):04x}" if letter <= "\uffff" else f"\\U{ord(letter):08x}"
        for letter in json.dumps(text, ensure_ascii=False)
    )
