"""Rules that are not saved, as bodies of requests have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from registry.api.shapes import Kind, Member, Rule, Shape
from registry.config.records import ENABLED, Draft

FEW = (0, 100)
"""How many of anything a body may have."""
_DRAFT = Shape(
    "Draft", (Member("key", rule=Rule(1, 2048)), Member("value"), Member("value_type"), Member("labels", Kind.MAP))
)
DRAFTS = Member("drafts", Kind.OBJECTS, shape=_DRAFT, items=FEW)


def drafts_in(given: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    """The drafts of a body."""
    value = given.get("drafts")
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def draft_of(given: Mapping[str, object]) -> Draft:
    """One of the drafts of a body, as it would be obeyed."""
    value, kind = str(given.get("value", "")), str(given.get("value_type") or "text")
    return Draft(str(given["key"]), value, texts_of(given, "labels"), kind, ENABLED)


def texts_of(given: Mapping[str, object], name: str) -> Mapping[str, str]:
    """A member with texts by name; none where it is missing."""
    value = given.get(name)
    return value if isinstance(value, dict) else {}
