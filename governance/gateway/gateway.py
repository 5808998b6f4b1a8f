"""A gateway's life: it listens, is registered, obeys its configuration, and leaves without losing a request."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry

from governance.clock import Pause, pause_for
from governance.gateway.config import GatewayConfig, Tls
from governance.gateway.core import Core
from governance.gateway.downstream import ClientConnection
from governance.gateway.metrics import GatewayCollector
from governance.logs import logger
from governance.sdk.endpoints import place
from governance.sdk.exporter import page_of, show_all

_SWEEP_SECONDS = 0.1
_BACKLOG = 4096
log = logger(__name__)


class Gateway:
    """One gateway: `async with gateway.listening():` serves, and drains when the block ends."""

    def __init__(self, config: GatewayConfig, *, pause: Pause = pause_for) -> None:
        self.core = Core(config)
        self.metrics = CollectorRegistry()
        show_all(self.metrics, GatewayCollector(self.core))
        self.addresses: dict[str, str] = {}
        """Where it listens, by `listen` and `admin`, once it does."""
        self._started_with = config
        self._pause = pause
        self._listener: asyncio.Server | None = None

    def apply(self, config: GatewayConfig) -> None:
        """Obey another configuration. What counts from the start only stays as it was, and is told."""
        fixed = [
            name
            for name in ("listen", "admin", "tls", "service", "limits")
            if getattr(config, name) != getattr(self._started_with, name)
        ]
        if fixed:
            log.warning("gateway.needs_restart", settings=", ".join(fixed))
        self.core.apply(config)
        log.info("gateway.configured", routes=len(config.routes), upstreams=len(config.upstreams))

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve for as long as the block lasts; then take no more connections, and finish what is under way. Raises `OSError`."""
        async with asyncio.TaskGroup() as tasks:
            self.core.run_in(tasks)
            sweeping = tasks.create_task(self._sweep())
            try:
                async with self._admin(), self._front():
                    yield
                    await self.drain()
            finally:
                sweeping.cancel()
                await self.core.pool.close()
                self.core.access_log.close()

    @contextlib.asynccontextmanager
    async def _front(self) -> AsyncIterator[None]:
        config = self._started_with
        host, port = place(config.listen)
        context = _tls(config.tls)
        loop = asyncio.get_running_loop()
        with _naming(config.listen):
            listener = await loop.create_server(
                lambda: ClientConnection(self.core), host, port, ssl=context, backlog=_BACKLOG
            )
        self._listener = listener
        self.addresses["listen"] = address_of(listener, secure=context is not None)
        try:
            yield
        finally:
            listener.close()
            for client in tuple(self.core.clients):
                client.cut()
            await self.core.empty()

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[None]:
        """A listener of its own: what it tells is not for clients."""
        app = web.Application()
        app.add_routes([web.get("/metrics", page_of(self.metrics)), web.get("/health", self._show_health)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            host, port = place(self._started_with.admin)
            with _naming(self._started_with.admin):
                await web.TCPSite(runner, host, port).start()
            self.addresses["admin"] = "http://{}:{}".format(*runner.addresses[0][:2])
            yield
        finally:
            await runner.cleanup()

    async def _show_health(self, _request: web.Request) -> web.Response:
        state = "DRAINING" if self.core.draining else "UP"
        return web.json_response({"status": state}, status=503 if self.core.draining else 200)

    async def drain(self) -> None:
        """Take no more connections, and wait for what is under way, for as long as the limits allow."""
        if self._listener is None or self.core.draining:
            return
        self._listener.close()
        self.core.drain()
        log.info("gateway.draining", clients=len(self.core.clients), in_flight=self.core.in_flight)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.core.limits.drain_timeout / 1000):
                await self.core.empty()
        if self.core.clients:
            log.warning("gateway.cut", clients=len(self.core.clients))

    async def _sweep(self) -> None:
        while True:
            await self._pause(_SWEEP_SECONDS)
            self.core.sweep()


@contextlib.contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"cannot listen on {where}: {error.strerror or error}") from error


def address_of(listener: asyncio.Server, *, secure: bool) -> str:
    """The URL of a listener."""
    host, port = listener.sockets[0].getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}"


def _tls(files: Tls | None) -> ssl.SSLContext | None:
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.cert, files.key or None)
    except (OSError, ssl.SSLError) as error:
        raise OSError(f"tls: no certificate with its key can be read from {files.cert} ({error})") from error
    return context
