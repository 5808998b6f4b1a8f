"""Request bodies: reading JSON as Go's encoding/json does, and the rules that members must keep.

A body is described by a `Shape`: a table of members. `decode` gives a plain dict with the wire's own spelling: unknown members are left
out, names match whatever their case, `null` is the same as nothing, and a wrong type is refused. `validate` then checks the rules in the
order of the table, a member before what is inside it, and refuses the first that is broken. Protocol: Service Center sections 1.6 and 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import orjson

from registry.errors import RegistryError, invalid

_INT32 = 2**31
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
"""What Java writes for numbers that JSON does not have; they count as nothing."""


class Kind(Enum):
    """The JSON types that members have."""

    TEXT = "a string"
    INT = "a whole number"
    NUMBER = "a number"
    FLAG = "true or false"
    TEXTS = "a list of strings"
    MAP = "an object of strings"
    OBJECT = "an object"
    OBJECTS = "a list of objects"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a text or each item of a list must be; lengths are of text. `versioned` adds that no version part is too large."""

    minimum: int = 0
    maximum: int = 0
    pattern: re.Pattern[str] | None = None
    about: str = ""
    versioned: bool = False

    def text_ok(self, value: str) -> bool:
        """Whether a text keeps the rule: the minimum counts bytes, the maximum characters."""
        if self.minimum and len(value.encode()) < self.minimum:
            return False
        if self.maximum and len(value) > self.maximum:
            return False
        if self.pattern is not None and self.pattern.fullmatch(value) is None:
            return False
        return not (self.versioned and _part_too_large(value))

    def describe(self) -> str:
        """The rule as error details show it."""
        parts = [f"Min: {self.minimum}"] if self.minimum else []
        parts += [f"Max: {self.maximum}"] if self.maximum else []
        if self.pattern is not None:
            parts.append(f"Regexp: {self.about or self.pattern.pattern}")
        return "{" + ", ".join(parts) + "}"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a shape. `items` bounds a list's length, or a number."""

    name: str
    kind: Kind = Kind.TEXT
    rule: Rule = field(default_factory=Rule)
    items: tuple[int, int] = (0, 0)
    shape: Shape | None = None
    required: bool = False
    default: str = ""

    @property
    def shown(self) -> str:
        """The name as error details show it."""
        return self.name[:1].upper() + self.name[1:]


class Shape:
    """A body or a part of one; `name` is what error details call it."""

    __slots__ = ("_folded", "by_name", "defaults", "members", "name", "required")

    def __init__(self, name: str, members: Sequence[Member]) -> None:
        self.name = name
        self.members = members
        self.by_name = {member.name: member for member in members}
        self.defaults = [(member.name, member.default) for member in members if member.default]
        self.required = frozenset(member.name for member in members if _needed(member))
        self._folded = {member.name.lower(): member for member in members}

    def member(self, name: str) -> Member | None:
        """The member that a JSON name means, whatever its case."""
        return self._folded.get(name.lower())


def _needed(member: Member) -> bool:
    """Whether a member that is missing breaks its rule."""
    if member.kind in (Kind.TEXT, Kind.TEXTS, Kind.OBJECTS, Kind.MAP) and member.items[0]:
        return True
    if member.kind is Kind.TEXT:
        return not member.rule.text_ok("")
    return member.required or (member.kind is Kind.INT and member.items[0] > 0)


def parse(body: bytes, detail: str = "") -> object:
    """The JSON value of a body. Raises 400001, with a fixed detail where the protocol has one."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(detail or f"the body is not JSON: {error}") from error


def read(shape: Shape, body: bytes, detail: str = "") -> dict[str, object]:
    """Parse and decode a body. Raises 400001."""
    value = parse(body, detail)
    try:
        return decode(shape, value)
    except RegistryError as error:
        raise (invalid(detail) if detail else error) from error


def decode(shape: Shape, value: object, place: str = "") -> dict[str, object]:
    """The known members of a JSON object, types checked, empty ones left out, defaults filled in. Raises 400001."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise _wrong_type(place or "the body", Kind.OBJECT, value)
    decoded: dict[str, object] = {}
    by_name = shape.by_name
    for name, given in value.items():
        member = by_name.get(name) or shape.member(name)
        if member is None or given is None:
            continue
        if member.kind is Kind.TEXT and given.__class__ is str:
            decoded[member.name] = given
        else:
            decoded[member.name] = _typed(member, given, f"{place}.{member.name}" if place else member.name)
    present = {name: given for name, given in decoded.items() if given or by_name[name].kind is Kind.OBJECT}
    for name, default in shape.defaults:
        present.setdefault(name, default)
    return present


def validate(shape: Shape, decoded: Mapping[str, object]) -> None:
    """Raise 400001 for the first member that breaks its rule."""
    for member in shape.members:
        value = decoded.get(member.name)
        if value is not None:
            _check(shape, member, value)
        elif member.name in shape.required:
            shown = "<nil>" if member.required else str(_ABSENT.get(member.kind, ""))
            raise _broken(shape, member, shown, _size_rule(member))


_ABSENT: Mapping[Kind, object] = {Kind.TEXTS: [], Kind.OBJECTS: [], Kind.MAP: {}, Kind.INT: 0}


def _size_rule(member: Member) -> Rule:
    return member.rule if member.kind in (Kind.TEXT, Kind.OBJECT) else Rule(*member.items)


def _check(shape: Shape, member: Member, value: object) -> None:
    if value.__class__ is str:
        _check_text(shape, member, value)
        return
    match value:
        case dict() if member.kind is Kind.OBJECT and member.shape:
            validate(member.shape, value)
        case dict():
            _check_size(shape, member, len(value))
            for text in (*value, *value.values()):
                _check_text(shape, member, text)
        case list() | tuple():
            _check_size(shape, member, len(value))
            for item in value:
                _check_item(shape, member, item)
        case int() if member.kind is Kind.INT:
            _check_number(shape, member, value)


def _check_item(shape: Shape, member: Member, item: object) -> None:
    if item is None:
        raise invalid(f"field '{shape.name}.{member.shown}' invalid nil pointer")
    if isinstance(item, str):
        _check_text(shape, member, item)
    elif member.shape is not None and isinstance(item, dict):
        validate(member.shape, item)


def _check_text(shape: Shape, member: Member, value: str) -> None:
    if not member.rule.text_ok(value):
        raise _broken(shape, member, value, member.rule)


def _check_size(shape: Shape, member: Member, size: int) -> None:
    least, most = member.items
    if size < least or (most and size > most):
        raise _broken(shape, member, f"{size} items", Rule(least, most))


def _check_number(shape: Shape, member: Member, value: int) -> None:
    least, most = member.items
    if value < least or (most and value > most):
        raise _broken(shape, member, str(value), Rule(least, most))


def _part_too_large(version: str) -> bool:
    return any(len(part) > 5 or int(part) > 32767 for part in re.findall(r"[0-9]+", version))


def _broken(shape: Shape, member: Member, value: str, rule: Rule) -> RegistryError:
    return invalid(
        f"field '{shape.name}.{member.shown}' invalid value '{value[:256]}' does not match rule: {rule.describe()}"
    )


def _wrong_type(place: str, kind: Kind, value: object) -> RegistryError:
    names = {str: "a string", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return invalid(f"{place}: {kind.value} is expected, not {names.get(type(value), 'null')}")


def _number(kind: Kind, value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if kind is Kind.INT:
        return value if isinstance(value, int) and -_INT32 <= value < _INT32 else None
    return 0 if value in _NO_NUMBERS else value if isinstance(value, int | float) else None


def _typed(member: Member, value: object, place: str) -> object:
    match member.kind, value:
        case (Kind.TEXT, str()) | (Kind.FLAG, bool()):
            return value
        case ((Kind.INT | Kind.NUMBER), _) if (number := _number(member.kind, value)) is not None:
            return number
        case Kind.TEXTS, list():
            return [_text_item(item, place) for item in value]
        case Kind.MAP, dict():
            return {name: _text_item(item, f"{place}.{name}") for name, item in value.items()}
        case Kind.OBJECT, dict():
            return decode(member.shape, value, place) if member.shape else value
        case Kind.OBJECTS, list():
            return [_object_item(member, item, f"{place}[{index}]") for index, item in enumerate(value)]
    raise _wrong_type(place, member.kind, value)


def _text_item(value: object, place: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong_type(place, Kind.TEXT, value)
    return value


def _object_item(member: Member, value: object, place: str) -> object:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _wrong_type(place, Kind.OBJECT, value)
    return decode(member.shape, value, place) if member.shape else value
