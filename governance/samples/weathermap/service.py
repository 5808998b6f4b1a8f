"""What the services share: their settings from the environment, their health, and a graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime

import typer
from aiohttp import web

from governance.logs import logger
from governance.samples.weathermap.data import Almanac
from governance.sdk import Microservice, ServiceSettings, SettingsError, until_stopped

APP = "weathermap"
_CALLERS = ("edge-service", "fusionweather")
_HEARTBEATS = "servicecomb_service_registry_instance_healthCheck_interval"
log = logger(__name__)


def almanac(environ: Mapping[str, str]) -> Almanac:
    """The almanac of WEATHERMAP_SEED and WEATHERMAP_DATE (YYYY-MM-DD; none: today). Raises `SettingsError`."""
    date = environ.get("WEATHERMAP_DATE")
    try:
        today = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC) if date else None
    except ValueError as error:
        raise SettingsError(f"variable WEATHERMAP_DATE: {date!r} is no date such as 2026-11-24") from error
    return Almanac(environ.get("WEATHERMAP_SEED", "waggle"), today)


def settings_for(name: str, version: str, host: str, port: int, engine: str, schema: str) -> ServiceSettings:
    """The settings of one of the sample's services."""
    schemas = {name: schema} if schema else {}
    # Who calls others proves who it is, so that their access lists know it.
    given = {"app": APP, "name": name, "schemas": schemas, "sign_calls": name in _CALLERS}
    return sample_settings(version, host, port, engine, **given)


def sample_settings(version: str, host: str, port: int, engine: str, **given: object) -> ServiceSettings:
    """The settings of a service of any sample. The version of CAS_INSTANCE_VERSION goes before its own. Raises `SettingsError`."""
    # Whoever calls is told by a push that a service leaves: a second is plenty.
    given = {"endpoints": (f"rest://{host}:{port}",), "pull_interval": 15.0, "drain_wait": 1.0, **given}
    if not os.environ.get("CAS_INSTANCE_VERSION"):
        given["version"] = version
    if engine:
        given["addresses"] = engine
    return ServiceSettings.load(None, {_HEARTBEATS: "10", **os.environ}, **given)


@contextlib.contextmanager
def plainly_told() -> Iterator[None]:
    """A port that is taken or a setting that is wrong is one line, and status 1."""
    try:
        yield
    except (OSError, SettingsError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error


async def latency(environ: Mapping[str, str]) -> None:
    """Wait for LATENCY milliseconds: the sample's way to be slow."""
    milliseconds = environ.get("LATENCY", "0")
    if milliseconds.isdigit() and int(milliseconds):
        await asyncio.sleep(int(milliseconds) / 1000)


class Failures:
    """FAILURES: the percentage of calls that fail with 503, spread evenly; with 50 it is every second one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        given = environ.get("FAILURES", "0")
        self._percentage = min(int(given), 100) if given.isdecimal() else 0
        self._calls = 0

    def next(self) -> None:
        """Count a call. Raises `HTTPServiceUnavailable` where it is one that fails."""
        before, self._calls = self._calls, self._calls + 1
        if self._calls * self._percentage // 100 > before * self._percentage // 100:
            raise web.HTTPServiceUnavailable(text='{"error":"failed on purpose"}', content_type="application/json")


def served_by(service: Microservice) -> dict[str, str]:
    """Who answers, for the page and for tests."""
    settings = service.settings
    return {"service": settings.name, "version": settings.version, "instance": service.instance_id}


def city_of(request: web.Request) -> str:
    """The city that is asked for; 400 where none is."""
    city = " ".join(request.query.get("city", "").split())
    if not city or len(city) > 100:
        raise web.HTTPBadRequest(
            text='{"error":"city is required, 100 characters at most"}', content_type="application/json"
        )
    return city


async def health(_request: web.Request) -> web.Response:
    """GET /health."""
    return web.json_response({"status": "UP"})


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on; they wait until `serve` answers. Raises `OSError` where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


async def serve(
    app: web.Application, listener: socket.socket, leave: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then leave, then finish what is being answered."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        log.info("serving", address=listener.getsockname())
        await until_stopped()
        if leave is not None:
            await leave()
    finally:
        await runner.cleanup()


async def run_registered(
    settings: ServiceSettings, make: Callable[[Microservice], web.Application], host: str, port: int
) -> None:
    """Serve an application as a registered service: it listens before it is registered, and nobody calls it any more when it stops."""
    with listening(host, port) as listener:
        async with Microservice(settings) as service:
            await serve(make(service), listener, service.drain)
