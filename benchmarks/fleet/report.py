"""The figures of a fleet as Markdown, for a terminal and for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from benchmarks.fleet.figures import Figures, Moment
from benchmarks.report import markdown_table

_SHOWN_MOMENTS = 10


def markdown(figures: Figures) -> str:
    """What was called and how long it took, the engine over time, its restarts, and what was wrong."""
    parts = [_calls(figures), _moments(figures.moments)]
    if figures.restarts:
        parts.append(_restarts(figures))
    return "\n\n".join((*parts, _ending(figures)))


def _calls(figures: Figures) -> str:
    names = ("call", "answers", "p50 ms", "p99 ms", "p99.9 ms", "longest ms")
    rows = [
        (
            call,
            f"{timing.count:,}",
            *(f"{timing.share(share):,.2f}" for share in (0.5, 0.99, 0.999)),
            f"{timing.most:,.0f}",
        )
        for call, timing in figures.rows()
    ]
    return markdown_table(names, rows)


def _moments(moments: Sequence[Moment]) -> str:
    """About ten, each the mean of those that it stands for; of memory, the most."""
    size = max(1, -(-len(moments) // _SHOWN_MOMENTS))
    rows, calls, at = [], 0, 0.0
    for first in range(0, len(moments), size):
        those = moments[first : first + size]
        last = those[-1]
        cpu = [sum(getattr(one, name) for one in those) / len(those) for name in ("engine_cpu", "fleet_cpu")]
        rate = (last.calls - calls) / (last.at - at)
        calls, at = last.calls, last.at
        most = max(one.engine_mib for one in those)
        rows.append((f"{last.at:,.0f}", f"{rate:,.0f}", f"{cpu[0]:.0f} %", f"{most:,.0f}", f"{cpu[1]:.0f} %"))
    return markdown_table(("until s", "calls a second", "engine's CPU", "engine's MiB", "fleet's CPU"), rows)


def _restarts(figures: Figures) -> str:
    names = ("restart", "at s", "nobody listened for s", "calls tried again", "the last after s")
    rows = [
        (one.how, f"{one.at:,.0f}", f"{one.away:.1f}", f"{one.retries:,}", f"{one.last_retry:.1f}")
        for one in figures.restarts
    ]
    return markdown_table(names, rows)


def _ending(figures: Figures) -> str:
    late = f"p50 {figures.delays.share(0.5):.1f} ms, p99 {figures.delays.share(0.99):.1f} ms"
    return (
        f"{figures.calls:,} answers, {figures.error_count:,} errors, {figures.events:,} events of watches, "
        f"{figures.registered_again:,} instances registered again. The fleet's own delay: {late}."
    )


def document(figures: Figures) -> Mapping[str, object]:
    """The same as a JSON object."""
    calls = {
        call: {
            "count": one.count,
            **{f"p{share}_ms": one.share(share / 100) for share in (50, 99, 99.9)},
            "most_ms": one.most,
        }
        for call, one in figures.rows()
    }
    return {
        "calls": calls,
        "moments": [asdict(moment) for moment in figures.moments],
        "restarts": [asdict(restart) for restart in figures.restarts],
        "retries": {f"{call}: {reason}": count for (call, reason), count in figures.retries.items()},
        "errors": figures.error_count,
        "first_errors": figures.errors,
        "events": figures.events,
        "registered_again": figures.registered_again,
        "delay_p99_ms": figures.delays.share(0.99),
    }
