"""Scalars of YAML 1.1 as Java's reader, SnakeYAML, understands them, in the text that Java prints for them.

`yes` is true, `010` is eight, `1:30` is ninety, `1.10` is 1.1: what a Java client of KIE makes of a value, this engine makes of it as well.
Only a date differs: Java prints it in the time zone of its process, which nobody else knows, so here it stays as it is written.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

_CORE = "tag:yaml.org,2002:"
_NULLS = frozenset(("", "~", "null", "Null", "NULL", " "))
_TRUE = frozenset(("yes", "true", "on"))
_BOOL = re.compile(r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF")
_INT = re.compile(
    r"[-+]?(?:0b_*[01][01_]*|0_*[0-7][0-7_]*|0|[1-9][0-9_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|[1-9][0-9_]*(?::[0-5]?[0-9])+)"
)
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+|\.[0-9_]+(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)"
)
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
_ZONE = r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?"
_TIMESTAMP = re.compile(f"{_DAY}|{_TIME}{_ZONE}")
_LONGEST_NUMBER = 1024


class Kind(Enum):
    """What a scalar is; `MERGE` is the key `<<`, and a collection that is a key is one by its text."""

    TEXT = "str"
    NULL = "null"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TIMESTAMP = "timestamp"
    MERGE = "merge"
    COLLECTION = "collection"


class Scalar(NamedTuple):
    """A scalar with the text that Java prints for it; two are the same key where both parts are equal."""

    kind: Kind
    text: str


def scalar_of(text: str, tag: str, *, plain: bool) -> Scalar:
    """The scalar of a text; `tag` is the one that is written before it, if any. Raises `ValueError`."""
    if tag not in ("", "!"):
        return _tagged(text, tag)
    kind = _kind_of(text) if plain else Kind.TEXT
    return Scalar(kind, _printed(kind, text))


def _kind_of(text: str) -> Kind:
    if text in _NULLS:
        return Kind.NULL
    if text == "<<":
        return Kind.MERGE
    if len(text) <= _LONGEST_NUMBER:
        for kind, pattern in _PATTERNS:
            if pattern.fullmatch(text):
                return kind
    return Kind.TEXT


_PATTERNS = ((Kind.BOOL, _BOOL), (Kind.INT, _INT), (Kind.FLOAT, _FLOAT), (Kind.TIMESTAMP, _TIMESTAMP))
_TAGGED = {_CORE + kind.value: kind for kind in Kind if kind not in (Kind.MERGE, Kind.COLLECTION)}


def _tagged(text: str, tag: str) -> Scalar:
    kind = _TAGGED.get(tag)
    if kind is None:
        raise ValueError(f"the tag {tag} is not known")
    found = Kind.TEXT if kind is Kind.TEXT else _kind_of(text)
    fits = found is kind or kind in (Kind.TEXT, Kind.NULL) or (kind, found) == (Kind.FLOAT, Kind.INT)
    if not fits:
        raise ValueError(f"what is tagged as {kind.value} is none")
    return Scalar(kind, _printed(kind, text))


def _printed(kind: Kind, text: str) -> str:
    match kind:
        case Kind.NULL:
            return ""
        case Kind.BOOL:
            return "true" if text.lower() in _TRUE else "false"
        case Kind.INT:
            return str(_whole(text.replace("_", "")))
        case Kind.FLOAT:
            return _java_double(_real(text.replace("_", "").lower()))
    return text


def _whole(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits.startswith(("0b", "0x")):
        return sign * int(digits, 0)
    return sign * (int(digits, 8) if digits.startswith("0") else _sixties(digits))


def _sixties(digits: str) -> int:
    total = 0
    for part in digits.split(":"):
        total = total * 60 + int(part)
    return total


def _real(text: str) -> float:
    if text.endswith((".inf", ".nan")):
        return float(text.replace(".", ""))
    if ":" not in text:
        return float(text)
    whole, _, last = text.rpartition(":")
    sign = -1 if text.startswith("-") else 1
    return sign * (_sixties(whole.lstrip("+-")) * 60 + float(last))


def _java_double(number: float) -> str:
    """A number as Java prints a double: with a decimal point, and with an exponent below a thousandth and from ten millions on."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        plain = format(Decimal(repr(number)), "f")
        return plain if "." in plain else plain + ".0"
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  the number is finite
    first, *rest = map(str, digits)
    return f"{'-' if sign else ''}{first}.{''.join(rest) or '0'}E{exponent + len(digits) - 1}"
