"""Durations as Go writes them: `1h2m3.5s`, `100ms`, `0`. Protocol: KIE section A.8."""

from __future__ import annotations

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LONGEST = 64


def seconds_of(text: str) -> float:
    """The seconds of a duration, negative ones too. Raises `ValueError` for what is none."""
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return 0.0
    if not unsigned or len(text) > _LONGEST:
        raise ValueError(f'time: invalid duration "{text[:_LONGEST]}"')
    total, place = 0.0, 0
    while place < len(unsigned):
        part = _PART.match(unsigned, place)
        if part is None:
            trouble = "missing unit in" if re.fullmatch(r"[\d.]+", unsigned[place:], re.ASCII) else "invalid"
            raise ValueError(f'time: {trouble} duration "{text}"')
        total += float(part[1]) * _SECONDS[part[2]]
        place = part.end()
    return -total if text.startswith("-") else total
