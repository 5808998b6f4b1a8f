"""Checks of single values from paths, queries and headers. Each raises 400001."""

from __future__ import annotations

from registry.api.call import Call
from registry.api.shapes import Rule
from registry.config.rules import check_project
from registry.errors import invalid


def checked(rule: Rule, name: str, value: str) -> str:
    """The value, if it keeps the rule."""
    if not rule.text_ok(value):
        raise invalid(f"field '{name}' invalid value '{value[:256]}' does not match rule: {rule.describe()}")
    return value


def flag(call: Call, name: str) -> bool:
    """A query flag that is on for `1` and `true`, and off for anything else."""
    return call.query.get(name, "").lower() in ("1", "true")


def zero_or_one(call: Call, name: str) -> bool:
    """A query flag that must be `0`, `1` or nothing."""
    value = call.query.get(name, "").strip()
    if value not in ("", "0", "1"):
        raise invalid(f"parameter {name} must be 1 or 0")
    return value == "1"


def check_tenant(call: Call) -> None:
    """The query's `domain` and `project`, where the engine's own API names them."""
    for name in ("domain", "project"):
        check_project("Query", call.query.get(name) or "default")


def number(call: Call, name: str, default: int) -> int:
    """A query value that is a whole number; where it is missing, the default."""
    text = call.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise invalid(f"{name}: a number is expected, not {text[:64]!r}")
    return int(text)


def number_within(call: Call, name: str, default: int, bounds: tuple[int, int]) -> int:
    """As `number`, between two bounds."""
    found, (least, most) = number(call, name, default), bounds
    if not least <= found <= most:
        raise invalid(f"{name}: at least {least} and at most {most}")
    return found


def comma_list(call: Call, name: str) -> list[str]:
    """The items of a comma-separated query value."""
    value = call.query.get(name, "")
    return [item for item in value.split(",") if item]
