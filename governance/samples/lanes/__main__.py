"""`python -m governance.samples.lanes SERVICE`: one service; `… demo`: an engine, a gateway, all of them and their lanes."""

from __future__ import annotations

import logging
from typing import Annotated

import typer
import uvloop

from governance.samples.lanes.demo import demo
from governance.samples.lanes.unit import BEHIND, unit, unit_settings
from governance.samples.weathermap.service import plainly_told, run_registered

_HOST = "127.0.0.1"
app = typer.Typer(add_completion=False, no_args_is_help=True)
app.command("demo")(demo)

PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]
Engine = Annotated[str, typer.Option(help="Addresses of the engine; empty: PAAS_CSE_SC_ENDPOINT or 127.0.0.1:30100.")]


def _add(name: str) -> None:
    @app.command(
        name, help=f"Run {name}. Its lane is in SERVICECOMB_INSTANCE_PROPS, its component in CAS_COMPONENT_NAME."
    )
    def command(port: PortOption, engine: Engine = "") -> None:
        with plainly_told():
            uvloop.run(run_registered(unit_settings(name, _HOST, port, engine), unit, _HOST, port))


for _name in BEHIND:
    _add(_name)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    app()
