"""Measures as people read them, and what several of them come to. Units are those of docs/monitor.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]
_WARN, _BAD = 0.01, 0.05
UNKNOWN = "\N{EN DASH}"
_SUMMED = ("rate", "breakersOpen", "threads", "cpu", "memory", "reporting", "registered")


def rate(calls: float) -> str:
    """Calls a second."""
    return f"{_short(calls)}/s"


def duration(milliseconds: float) -> str:
    """A latency."""
    return f"{_short(milliseconds / 1000)} s" if milliseconds >= 1000 else f"{_short(milliseconds)} ms"


def share(part: float) -> str:
    """A share of 1, in percent."""
    return f"{_short(part * 100)} %"


def percent(number: float | None) -> str:
    """A percentage, a dash where it is not known."""
    return UNKNOWN if number is None else f"{_short(number)} %"


def memory(number: float) -> str:
    """Bytes."""
    if number <= 0:
        return UNKNOWN
    return f"{_short(number / 2**30)} GiB" if number >= 2**30 else f"{_short(number / 2**20)} MiB"


def tone(failure_rate: float) -> str:
    """How bad a share of failures is: the class of what shows it."""
    return "bad" if failure_rate >= _BAD else "warn" if failure_rate >= _WARN else ""


def together(rows: Iterable[Row]) -> Row:
    """What rows come to: means weigh each by its rate, of percentiles the worst stands."""
    told = list(rows)
    sums: dict[str, Any] = {name: sum(row.get(name) or 0 for row in told) for name in _SUMMED}
    sums["breakersOpen"] += sum(bool(row.get("breakerOpen")) for row in told)
    for name in ("latency", "failureRate"):
        weighed = sum(row["rate"] * row[name] for row in told)
        sums[name] = weighed / sums["rate"] if sums["rate"] else 0.0
    sums["p99"] = max((row["p99"] for row in told), default=0.0)
    return sums


def _short(number: float) -> str:
    """Three figures, as far as there are any."""
    if number >= 99.95:
        return f"{number:,.0f}"
    if number >= 9.995:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:.2f}".rstrip("0").rstrip(".")
