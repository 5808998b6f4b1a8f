"""`python -m benchmarks.fleet`: see docs/benchmarks.md."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop

from benchmarks.fleet.report import document, markdown
from benchmarks.fleet.run import measure
from benchmarks.fleet.world import KILL, STOP, Plan
from benchmarks.machine import machine
from benchmarks.sample import LoadFailedError
from benchmarks.server import until_told


def main(
    instances: Annotated[int, typer.Option(min=1, help="How many instances, 20 of each service.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long, in seconds of real clients.")] = 600.0,
    pace: Annotated[float, typer.Option(min=0.1, help="How many times faster than real clients.")] = 1.0,
    *,
    share: Annotated[int, typer.Option(min=1, help="How many share a connection for calls that do not wait.")] = 5,
    patience: Annotated[float, typer.Option(min=1, help="Seconds that an answer may take.")] = 5.0,
    restart: Annotated[list[str] | None, typer.Option(help=f"How the engine is restarted: {STOP} or {KILL}.")] = None,
    json: Annotated[Path | None, typer.Option(help="File to write every figure to.", dir_okay=False)] = None,
) -> None:
    """Let a fleet of simulated services live with an engine. The status is 1 where one of them saw what it should not."""
    restarts = restart or [STOP, KILL]
    if unknown := sorted(set(restarts) - {STOP, KILL}):
        raise typer.BadParameter(f"{unknown[0]!r} is neither {STOP} nor {KILL}", param_hint="--restart")
    plan = Plan(instances, seconds, pace, share, patience, restarts)
    try:
        figures = uvloop.run(until_told(measure(plan, lambda text: typer.secho(text, dim=True, err=True))))
    except LoadFailedError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    except asyncio.CancelledError as error:
        raise typer.Exit(128 + signal.SIGTERM) from error
    if json is not None:
        found = {"machine": machine(), **document(figures)}
        json.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    print(markdown(figures))
    for text in figures.errors:
        typer.secho(text, fg="red", err=True)
    if figures.error_count:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
