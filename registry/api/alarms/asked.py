"""What requests about alarms say: members of bodies, and parameters of the query."""

from __future__ import annotations

from collections.abc import Mapping

from registry.api.call import Call
from registry.api.shapes import parse
from registry.errors import invalid

_KINDS: Mapping[type, str] = {str: "a text", int: "a whole number", bool: "true or false"}
_LONGEST = 65_536


def document_of(call: Call) -> Mapping[str, object]:
    """The JSON object of the body. Raises 400001."""
    body = parse(call.body) if len(call.body) <= _LONGEST else None
    if not isinstance(body, dict):
        raise invalid(f"the body is no JSON object of {_LONGEST} bytes at most")
    return body


def members_of(call: Call, kinds: Mapping[str, type]) -> dict[str, object]:
    """The members of the body, each of its type; null is as if it was not there. Raises 400001 for others: they may be misspelt."""
    found = {}
    for name, value in document_of(call).items():
        kind = kinds.get(name)
        if kind is None:
            raise invalid(f"the body has no member {name[:64]!r}, only {', '.join(kinds)}")
        if value is None:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise invalid(f"{name}: {_KINDS[kind]} is expected")
        found[name] = value
    return found


def named(call: Call, name: str) -> str:
    """A parameter that must be there. Raises 400001."""
    value = call.query.get(name, "")
    if not value:
        raise invalid(f"the parameter {name} is missing")
    return value
