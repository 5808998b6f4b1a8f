"""Durations as Go writes them: `1h2m3.5s`, `100ms`, `0`. Protocol: KIE section A.8."""

from __future__ import annotations

import re

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)", re.ASCII)
_LONGEST = 64
_MOST_SECONDS = 2**63 / 1e9


def seconds_of(text: str) -> float:
    """The seconds of a duration, negative ones too. Raises `ValueError` for what is none."""
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    if unsigned == "0":
        return 0.0
    if not unsigned or len(text) > _LONGEST:
        raise _invalid("invalid duration", text)
    total, place = 0.0, 0
    while place < len(unsigned):
        part = _PART.match(unsigned, place)
        if part is None:
            raise _invalid("invalid duration", text)
        total += float(part[1]) * _unit(part[2], text)
        place = part.end()
    if total > _MOST_SECONDS:
        raise _invalid("invalid duration", text)
    return -total if text.startswith("-") else total


def _unit(name: str, text: str) -> float:
    if not name:
        raise _invalid("missing unit in duration", text)
    if name not in _SECONDS:
        raise _invalid(f'unknown unit "{name}" in duration', text)
    return _SECONDS[name]


def _invalid(trouble: str, text: str) -> ValueError:
    return ValueError(f'time: {trouble} "{text[:_LONGEST]}"')
