"""What is wrong with rules, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from registry.cli.show import Row, part, rows_of, text


def problems_of(row: Row) -> Iterator[str]:
    """What is wrong with a rule, a line for each problem: what does not do what it seems to, or what is in error."""
    return map(problem_text, rows_of(row, "problems"))


def problem_text(problem: Row) -> str:
    """A problem with its place in the value, in one line."""
    return (
        f"{text(problem, 'severity')}, line {text(problem, 'line')}, column {text(problem, 'column')}: {said(problem)}"
    )


def said(problem: Row) -> str:
    """What is wrong, what to write instead, and which runtimes it is about."""
    who = ", ".join(f"{text(one, 'name')} {text(one, 'version')}".rstrip() for one in rows_of(problem, "runtimes"))
    return ": ".join(filter(None, (text(problem, "why"), text(problem, "instead")))) + (f" ({who})" if who else "")


def with_problems(listed: Row) -> Sequence[Mapping[str, object]]:
    """The items of a list, each with its `problems` where it has any."""
    problems = part(listed, "problems")
    return [
        {**row, "problems": rows_of(problems, text(row, "id"))} if text(row, "id") in problems else row
        for row in rows_of(listed, "data")
    ]


def first_error(row: Row) -> Row | None:
    """The first problem of an item that is an error."""
    return next((one for one in rows_of(row, "problems") if one.get("severity") == "error"), None)
