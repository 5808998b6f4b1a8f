"""`python -m benchmarks`: see docs/benchmarks.md."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop
from rich.console import Console
from rich.text import Text

from benchmarks import wrk
from benchmarks.plan import FULL, QUICK
from benchmarks.report import markdown, print_table
from benchmarks.run import NAMES, Order, run
from benchmarks.sample import LoadFailedError
from benchmarks.server import until_told

_WIDE = 200
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def main(
    engine: Annotated[
        str, typer.Option(help="Address of the server to load; empty: a `waggle serve` of its own.")
    ] = "",
    against: Annotated[str, typer.Option(help="Address of another server that gets the same loads.")] = "",
    only: Annotated[list[str] | None, typer.Option(help=f"Only this, once or more: {', '.join(NAMES)}.")] = None,
    json: Annotated[Path | None, typer.Option(help="File to write every figure to.", dir_okay=False)] = None,
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Show that everything works; the figures mean little.")
    ] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Load a Service Center and tell how fast it answers. The status is 1 where an answer was wrong."""
    unknown = sorted(set(only or ()) - set(NAMES))
    if unknown:
        raise typer.BadParameter(f"there is no {unknown[0]!r}; there are {', '.join(NAMES)}", param_hint="--only")
    _stop(wrk.missing())
    order = Order(engine.rstrip("/"), against.rstrip("/"), only or ())
    try:
        results = uvloop.run(until_told(run(order, QUICK if quick else FULL, _tell)))
    except LoadFailedError as error:
        _stop(str(error))
    except asyncio.CancelledError as error:
        raise typer.Exit(128 + signal.SIGTERM) from error
    if json is not None:
        json.write_bytes(orjson.dumps(results.document(), option=orjson.OPT_INDENT_2))
    if as_markdown:
        print(markdown(results))
    else:
        print_table(results, Console(width=None if sys.stdout.isatty() else _WIDE))
    _stop("\n".join(results.failures))


def _tell(text: str) -> None:
    _errors.print(Text(text, "dim"))


def _stop(problem: str) -> None:
    """End with status 1 where there is a problem."""
    if problem:
        _errors.print(Text(problem, "red"))
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
