"""A service's own `/metrics` on a port of its own, as Java Chassis serves it, and what the registration says of it.

Whoever reads the registry finds the metrics by properties of the instance: `prometheus.port`, and `prometheus.host`, `prometheus.path` and
`prometheus.scheme` where they are not the endpoint's host, `/metrics` and `http`. Any runtime can be registered with them.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from governance.logs import logger
from governance.sdk.endpoints import EVERYWHERE, place, published, reachable
from governance.sdk.settings import ServiceSettings

HOST = "prometheus.host"
PORT = "prometheus.port"
PATH = "/metrics"
log = logger(__name__)


def show_all(registry: CollectorRegistry, *collectors: Collector) -> None:
    """Have these in the metrics, and those of the process and of Python beside them."""
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)


@contextlib.asynccontextmanager
async def exported(registry: CollectorRegistry, address: str) -> AsyncIterator[tuple[str, int] | None]:
    """Serve the metrics at `host:port` within the block; where they are, or nothing where they cannot be: that is logged, and no more."""
    app = web.Application()
    app.add_routes([web.get(PATH, page_of(registry))])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, *place(address)).start()
        except OSError as error:
            log.warning("metrics.not_served", address=address, error=error.strerror or str(error))
            yield None
        else:
            host, port = runner.addresses[0][:2]
            log.info("metrics.served", address=f"{host}:{port}")
            yield host, port
    finally:
        await runner.cleanup()


def page_of(registry: CollectorRegistry) -> Handler:
    """The handler of a page with these metrics, in the format that is asked for."""

    async def show(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    return show


def said_of(settings: ServiceSettings, host: str, port: int) -> Mapping[str, str]:
    """What a service whose metrics are there is registered with; nothing where nobody else would reach them."""
    hosts = {urlsplit(endpoint).hostname or "" for endpoint in published(settings)}
    if host in EVERYWHERE and not hosts:
        host = reachable(settings)
    if host in hosts or host in EVERYWHERE:
        return {PORT: str(port)}
    if _is_loopback(host) and not all(map(_is_loopback, hosts)):
        return {}
    return {HOST: host, PORT: str(port)}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
