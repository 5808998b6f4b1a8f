"""The markers of go-chassis, `servicecomb.match.<name>`: which requests its rate limits and the `refer` of its route rules are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from governance.rules.conditions import GO_ONLY, Condition, Operator, condition
from governance.rules.marker import methods
from governance.rules.reading import by, choice, list_of, mapping_by, record_of, text

OPERATORS = (Operator.EXACT, Operator.CONTAINS, Operator.REGEX, *GO_ONLY)
"""Those that go-chassis knows in a marker."""
_CONDITION = condition(OPERATORS)


@dataclass(frozen=True, slots=True)
class MarkerMatch:
    """What a request must have: each of the headers, one of the methods, and, of the operators on the path, one."""

    name: str = field(default="", metadata=by(text, "for people"))
    api_path: Condition | None = field(
        default=None, metadata=by(_CONDITION, "operators on the path; one of them is enough")
    )
    method: tuple[str, ...] = field(default=(), metadata=by(methods, "one of these, in upper case"))
    headers: Mapping[str, Condition] = field(
        default_factory=dict, metadata=by(mapping_by(_CONDITION), "operators for each header; all must hold")
    )
    traffic_mark_policy: str = field(
        default="perService",
        metadata=by(choice("once", "perService"), "once: the services behind this one keep the mark"),
    )


@dataclass(frozen=True, slots=True)
class Marker:
    """A request is marked when one of the matches is for it."""

    name: str
    matches: tuple[MarkerMatch, ...] = field(
        metadata=by(
            list_of(record_of(MarkerMatch), empty=False),
            "a request is marked when one of these is for it",
        )
    )
