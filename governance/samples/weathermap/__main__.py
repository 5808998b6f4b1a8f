"""`python -m governance.samples.weathermap SERVICE`: one service; `… demo`: an engine and all of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple

import typer
import uvloop
from aiohttp import web

from governance.samples.weathermap import schemas
from governance.samples.weathermap.demo import demo
from governance.samples.weathermap.edge import run_edge
from governance.samples.weathermap.fusion import fusionweather
from governance.samples.weathermap.service import almanac, listening, plainly_told, run_registered, serve, settings_for
from governance.samples.weathermap.weather import forecast, weather, weather_beta
from governance.samples.weathermap.web_page import weathermapweb
from governance.sdk import Microservice


class Sample(NamedTuple):
    """One of the registered services; what has no application of its own is the gateway."""

    name: str
    version: str
    port: int
    schema: str
    make: Callable[[Microservice], web.Application] | None


SAMPLES: Mapping[str, Sample] = {
    "weather": Sample("weather", "0.0.2", 13090, schemas.WEATHER, weather),
    "weather-beta": Sample("weather", "0.0.3", 13093, schemas.WEATHER_BETA, weather_beta),
    "forecast": Sample("forecast", "0.0.2", 13091, schemas.FORECAST, forecast),
    "fusionweather": Sample("fusionweather", "0.0.2", 13092, schemas.FUSION, fusionweather),
    "edge-service": Sample("edge-service", "0.0.1", 3010, "", None),
}
app = typer.Typer(add_completion=False, no_args_is_help=True)
app.command("demo")(demo)

Host = Annotated[str, typer.Option(envvar="HOST", help="Address to listen on and to be registered with.")]
PortOption = Annotated[int, typer.Option(envvar="PORT", help="Port; 0: the service's own.")]
Advertise = Annotated[str, typer.Option(help="Host to be registered with, where it is not the one to listen on.")]
Engine = Annotated[str, typer.Option(help="Addresses of the engine; empty: PAAS_CSE_SC_ENDPOINT or 127.0.0.1:30100.")]


def _add(name: str, sample: Sample) -> None:
    @app.command(name, help=f"Run {name} ({sample.name} {sample.version}, port {sample.port}).")
    def command(host: Host = "127.0.0.1", port: PortOption = 0, engine: Engine = "", advertise: Advertise = "") -> None:
        own = port or sample.port
        with plainly_told():
            settings = settings_for(sample.name, sample.version, advertise or host, own, engine, sample.schema)
            almanac(os.environ)
            make = sample.make
            serving = run_edge(settings, host, own) if make is None else run_registered(settings, make, host, own)
            uvloop.run(serving)


for _name, _sample in SAMPLES.items():
    _add(_name, _sample)


@app.command("weathermapweb")
def _web(host: Host = "127.0.0.1", port: PortOption = 0) -> None:
    """Run the page's server (port 3000); SERVICE_ADDR is the edge's host:port."""
    address = os.environ.get("SERVICE_ADDR", "127.0.0.1:3010")
    with plainly_told(), listening(host, port or 3000) as listener:
        uvloop.run(serve(weathermapweb(address), listener))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    app()
