"""What of a request goes into its context by a rule, `servicecomb.mapper.<name>` or `servicecomb.contextMapper.<name>`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from governance.rules.policies import Mapper

if TYPE_CHECKING:
    from governance.sdk.server.inbound import Arrival

_PART = re.compile(r"\$([HQ])\{([^}]+)\}")


def mapped(mapper: Mapper, arrival: Arrival) -> dict[str, str]:
    """The values that the rule gives; a header or a parameter that is not there gives none."""
    found = {name: _value(expression, arrival) for name, expression in mapper.target.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value(expression: str, arrival: Arrival) -> str | None:
    match expression:
        case "$U":
            return arrival.path
        case "$M":
            return arrival.method
    part = _PART.fullmatch(expression)
    if part is None:
        return expression
    return arrival.headers.get(part[2]) if part[1] == "H" else arrival.queries().get(part[2])
