"""Durations of policies: whole milliseconds, or the part of ISO 8601 that follows PT."""

from __future__ import annotations

import re

_MILLISECONDS = re.compile(r"-?[0-9]{1,10}")
_PARTS = re.compile(
    r"(?:([-+]?[0-9]{1,18})H)?(?:([-+]?[0-9]{1,18})M)?(?:([-+]?[0-9]{1,18})(?:[.,]([0-9]{0,9}))?S)?", re.IGNORECASE
)
_UNITS = re.compile(r"([0-9]+)(?:\.[0-9]+)?\s*(ms|d)", re.IGNORECASE)


def parse_duration(text: str) -> int:
    """Milliseconds, rounded down. Raises `ValueError` with what to write instead."""
    if _MILLISECONDS.fullmatch(text):
        return int(text)
    found = _PARTS.fullmatch(text)
    if found is None or not text or text[-1] in "+-":
        raise ValueError(_instead(text))
    hours, minutes, seconds, fraction = found.groups()
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    below = int((fraction or "").ljust(3, "0")[:3])
    return whole * 1000 + (-below if (seconds or "").startswith("-") else below)


def print_duration(milliseconds: int) -> str:
    """A text that `parse_duration` reads as the same."""
    if len(str(abs(milliseconds))) <= 10:
        return str(milliseconds)
    sign = "-" if milliseconds < 0 else ""
    seconds, below = divmod(abs(milliseconds), 1000)
    return f"{sign}{seconds}.{below:03}S"


def _instead(text: str) -> str:
    bare = text.strip()
    if bare.upper().startswith("P"):
        return f"write {bare.upper().replace('T', '').removeprefix('P')}"
    found = _UNITS.fullmatch(bare)
    if found is None:
        return "write milliseconds, as 500, or hours, minutes and seconds, as 1H30M or 0.5S"
    count = int(found[1][:12])
    if found[2].casefold() == "d":
        return f"write {count * 24}H"
    return f"write {count} or {_seconds(count)}S"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}".rstrip("0").rstrip(".")
