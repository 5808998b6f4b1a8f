"""`python -m governance.gateway --config edge.yaml`: see docs/gateway.md."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from governance.gateway.process import GatewayProcess
from governance.gateway.sources import GatewayConfigError, load
from governance.sdk import SettingsError


def main(
    config: Annotated[
        Path, typer.Option(help="YAML file of routes, upstreams and bounds.", exists=True, dir_okay=False)
    ],
    *,
    check: Annotated[bool, typer.Option("--check", help="Say whether the file is in order, and end.")] = False,
) -> None:
    """Run a gateway until SIGTERM or Ctrl-C. SIGHUP reads the file again, as every change of it does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        loaded = load(config)
        if check:
            typer.echo(f"{config} is in order: {len(loaded.routes)} routes, {len(loaded.upstreams)} upstreams")
            return
        uvloop.run(GatewayProcess(loaded, path=config).run(_ready))
    except (OSError, GatewayConfigError, SettingsError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error


def _ready(addresses: Mapping[str, str]) -> None:
    print("gateway ready", addresses["listen"], addresses["admin"], flush=True)


if __name__ == "__main__":
    typer.run(main)
