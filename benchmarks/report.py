"""The figures as a table, for a terminal and for a page of documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.reference import GOALS
from benchmarks.results import LoadFigure, Results, SizeFigure

_OURS = ("load", "per second", "p50 ms", "p99 ms", "CPU µs", "reference", "times", "goal", "reached")
_OTHERS = ("other's per second", "other's p99 ms", "ratio")


def print_table(results: Results, console: Console) -> None:
    """Print the tables, and what failed, for a person."""
    table = Table()
    names, rows = load_rows(results)
    for name in names:
        table.add_column(name, justify="left" if name in ("load", "goal") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell, "red" if cell in ("no", "failed") else "") for cell in row))
    if rows:
        console.print(table)
    if results.sizes:
        sizes = Table("size")
        sizes.add_column("measured", justify="right")
        for size in results.sizes:
            sizes.add_row(size.about, _size(size))
        console.print(sizes)
    console.print(Text(circumstances(results)))


def markdown(results: Results) -> str:
    """The same as Markdown, for docs/benchmarks.md."""
    names, rows = load_rows(results)
    parts = [circumstances(results), markdown_table(names, rows)]
    if results.sizes:
        parts.append(markdown_table(("size", "measured"), [(size.about, _size(size)) for size in results.sizes]))
    return "\n\n".join(parts)


def circumstances(results: Results) -> str:
    """When, where and with what, in one paragraph."""
    machine, plan = results.machine, results.plan
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    began, ended = results.load_average
    other = f" Other: {results.against.url}, version {results.against.version}." if results.against else ""
    return (
        f"{results.date}, {machine['processors']} x {machine['processor']}, {machine['memory_mib']} MiB, "
        f"{machine['system']}; {versions}. {_rounds(plan)}; "
        f"load average {began:.2f} before, {ended:.2f} after.{other}"
    )


def _rounds(plan: Mapping[str, object]) -> str:
    if not plan["seconds"]:
        return "A quick run, whose figures say nothing"
    return f"Median of {plan['rounds']} rounds of {plan['seconds']} s"


def load_rows(results: Results) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """The names of the columns, and a row for each load."""
    names = (*_OURS, *_OTHERS) if results.against else _OURS
    return names, [_row(results, name, figure) for name, figure in results.engine.loads.items()]


def _row(results: Results, name: str, figure: LoadFigure) -> Sequence[str]:
    goal = GOALS[name]
    multiple = goal.multiple(figure)
    row = [
        name,
        *_measured(figure),
        _number(figure.cpu_us, 1),
        _number(goal.rate, 0),
        f"{multiple:.1f}x" if multiple is not None else "",
        str(goal),
        "yes" if goal.reached(figure) else "no",
    ]
    if results.against is None:
        return row
    rate, _, p99 = _measured(results.against.loads.get(name, LoadFigure()))
    ratio = results.ratio(name)
    return [*row, rate, p99, f"{ratio:.2f}x" if ratio is not None else ""]


def _measured(figure: LoadFigure) -> tuple[str, str, str]:
    if figure.problem:
        return "failed", "", ""
    return _number(figure.rate, 0), _number(figure.p50_ms, 2), _number(figure.p99_ms, 2)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _size(size: SizeFigure) -> str:
    return f"{size.value:,.1f} {size.unit}"


def markdown_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text, and whose others are figures."""
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
