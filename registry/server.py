"""`waggle serve`: the engine, its ports and its life from start to drained stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog
import uvloop
from aiohttp import web

from registry import __version__
from registry.access import Mode
from registry.api.about import About, about_routes
from registry.api.access import access_routes
from registry.api.access.signing_in import SigningIn
from registry.api.alarms import alarm_routes
from registry.api.audit import audit_routes
from registry.api.call import SERVER, Call, Reply, Route
from registry.api.config import config_routes
from registry.api.config_center import config_center_routes
from registry.api.connection import HotServer
from registry.api.door import Door
from registry.api.events import EventStreams
from registry.api.explain import explain_routes
from registry.api.gate import Gate
from registry.api.hot import HotPath
from registry.api.inventory import inventory_routes
from registry.api.kie import kie_routes
from registry.api.kie.hot import HotConfig
from registry.api.kie.polling import Pollers
from registry.api.metrics import Metrics, Sources
from registry.api.monitor import monitor_routes
from registry.api.monitor.exported import DashboardMetrics
from registry.api.monitor.live import LiveStreams
from registry.api.objects import object_routes
from registry.api.objects.swimlanes import swimlane_routes
from registry.api.operations import operation_routes, read_by
from registry.api.outcomes import outcome_routes
from registry.api.prometheus import prometheus_routes
from registry.api.service_center import ROUTES
from registry.api.watch import Watchers
from registry.catalog import Limits
from registry.collector import Collector
from registry.config.state import Topic
from registry.console import LivePages, console_routes
from registry.engine import Engine, Options
from registry.engine.alerting import Alerting
from registry.engine.credentials import FirstStartError
from registry.engine.inventory import Inventory
from registry.engine.judge import Judge
from registry.engine.measuring import Readings, of_engine
from registry.engine.reporting import Reporting
from registry.engine.webhooks import Sending
from registry.errors import RegistryError
from registry.settings import PORTS, LoadedSettings
from registry.storage import open_journal
from registry.storage.port import JournalError
from registry.tls import Certificates, Files

if TYPE_CHECKING:
    from registry.settings import Settings

ROOT_PASSWORD = "SC_INIT_ROOT_PASSWORD"  # noqa: S105  the variable's name, which the original gave it
_BACKLOG = 4096
_OTHER_FILES = 100
_DAY = 86400.0
_BODY_LIMITS = ("max_body_bytes", "max_instance_body_bytes", "max_properties_body_bytes", "max_config_body_bytes")
log = structlog.get_logger(__name__)


class Server:
    """The engine with its listeners. `run` serves until `stop` is called."""

    def __init__(self, settings: Settings, sources: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._loaded = LoadedSettings(settings, sources or {})
        self._tls = _certificates(settings)
        self._stopping = asyncio.Event()
        self._addresses: dict[str, str] = {}
        self.engine = Engine(
            open_journal(settings.storage, settings.data_dir), limits_of(settings), options_of(settings)
        )
        self.watchers = Watchers(
            self.engine,
            limit=settings.watch_max,
            buffer=settings.watch_buffer_bytes,
            ping=settings.watch_ping_seconds,
            damping=settings.flap_damping,
        )
        self.pollers = Pollers(self.engine, settings.poll_max)
        self.streams = EventStreams(self.engine, settings.stream_max)
        self.reporting = Reporting(self.engine)
        self.live = LiveStreams(self.reporting, settings.monitor_listeners)
        self.hot = HotPath(
            self.engine,
            SERVER,
            size=settings.hot_path_entries,
            largest=settings.max_instance_body_bytes,
            enabled=settings.hot_path,
        )
        self.hot.config = HotConfig(self.hot, self.engine, self.pollers, size=settings.hot_path_entries)
        self._http = HotServer(
            self._handle,
            self.hot,
            most=settings.max_connections,
            timeout=settings.request_timeout,
            keepalive_timeout=settings.idle_timeout,
            access_log=None,
            auto_decompress=False,
            max_line_size=settings.max_header_bytes,
            max_field_size=settings.max_header_bytes,
        )
        self.alerting = Alerting(self.engine, settings.alarm_seconds, sending_of(settings), self._readings())
        metrics = self._measured()
        protocols = self._protocols()
        readers = {
            "/metrics": settings.metrics_access,
            "/openapi.json": settings.openapi_access,
            "/v4/:project/admin/dump": settings.dump_access,
        }
        routes = read_by((*protocols, *operation_routes(metrics.show, protocols)), readers)
        self.pages = LivePages(self.engine, settings.stream_max)
        self.live.on_news.append(partial(self.pages.tell, "monitor"))
        self.routes = (*routes, *console_routes(routes, self._answer_within, self.pages))
        limits = {name: getattr(settings, name) for name in _BODY_LIMITS}
        door = Door(self.engine)
        self._gate = Gate(self.engine, self.routes, self, door, body_limits=limits, timeout=settings.request_timeout)
        self._gate.learn = self.hot.learn
        self._gate.observe = metrics.observe
        self.engine.on_tick += [door.tick, self.hot.tick, self._http.sweep, Collector().tick, self.live.tick]
        if self._tls is not None:
            self.engine.on_tick.append(self._tls.tick)

    def _measured(self) -> Metrics:
        """What the engine measures of itself, and as far as it is wished, what services tell."""
        settings = self._settings
        sources = Sources(
            self.engine,
            self.watchers,
            self.streams,
            self.pollers,
            self.hot,
            self._http,
            self.live,
            self.alerting.webhooks,
        )
        metrics = Metrics(sources, f"{settings.host}:{settings.port}")
        told = DashboardMetrics(self.reporting, settings.monitor_metrics, settings.monitor_metrics_series)
        metrics.registry.register(told)
        return metrics

    def _protocols(self) -> Sequence[Route]:
        """The tables of routes, those of operation aside."""
        settings = self._settings
        return (
            *ROUTES,
            *kie_routes(),
            *config_center_routes(self.engine, self.watchers.sockets, self._config_center_addresses),
            *config_routes(),
            *object_routes(),
            *swimlane_routes(),
            *explain_routes(),
            *audit_routes(),
            *inventory_routes(Inventory(self.engine, self.reporting)),
            *about_routes(self._about()),
            *alarm_routes(self.alerting.webhooks),
            *access_routes(SigningIn(settings.token_rate, settings.trusted_proxies)),
            *outcome_routes(Judge(self.engine), self.reporting),
            *monitor_routes(self.reporting, self.live, kept=settings.monitor_seconds, access=settings.monitor_access),
            *prometheus_routes(),
        )

    def _about(self) -> About:
        """What is told of the engine itself."""
        tls = self._tls
        return About(
            self._loaded,
            self.reporting,
            self._addresses,
            lambda: tls.ends if tls is not None else None,
            self.engine.now(),
        )

    def _readings(self) -> Readings:
        """How the measures of the engine are taken that alarm rules may be about."""
        settings, engine = self._settings, self.engine
        folder = settings.data_dir if settings.storage == "sqlite" else None
        return {
            **of_engine(engine, folder),
            "connections": lambda: 100.0 * len(self._http.connections) / settings.max_connections,
            "certificate-days": lambda: (self._tls.ends - engine.now() / 1000) / _DAY if self._tls else None,
        }

    async def poll(self, call: Call, topic: Topic, seconds: float) -> bool:
        """A long poll; whether a change ended it."""
        return await self.pollers.poll(call, topic, seconds)

    async def watch(self, call: Call) -> Reply | web.StreamResponse:
        """A websocket of a watching service."""
        return await self.watchers.watch(call)

    async def beat(self, call: Call) -> Reply | web.StreamResponse:
        """A websocket whose pongs are heartbeats."""
        return await self.watchers.beat(call)

    async def events(self, call: Call) -> web.StreamResponse:
        """An event stream."""
        return await self.streams.events(call)

    async def _answer_within(self, call: Call) -> Reply | web.StreamResponse:
        return await self._gate.inner(call)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._gate(request)

    def stop(self) -> None:
        """Begin to stop: no more connections, then the rest is drained."""
        self._stopping.set()

    def renewer(self) -> Callable[[], None] | None:
        """What reads the files of TLS again; none, where there is no TLS."""
        return None if self._tls is None else self._tls.renew

    async def run(self, ready: Callable[[list[str], str], None], root_password: str = "") -> None:
        """Serve until stopped. Raises `JournalError`, `OSError`, `FirstStartError`.

        `ready` is given the addresses once requests are answered, and root's password where the engine has made one up.
        """
        async with (
            self.engine.running(),
            self.alerting.running(),
            self._prepared(root_password) as secret,
            self._listening() as addresses,
        ):
            if self._settings.self_register:
                host = socket.gethostname()[:64] or "localhost"
                await self.engine.register_itself([self._endpoint(addresses[0])], host, __version__)
            ready(addresses, secret)
            log.info("server.ready", console=f"{addresses[0]}/console")
            await self._stopping.wait()
            log.info("server.stopping")

    @contextlib.asynccontextmanager
    async def _prepared(self, root_password: str) -> AsyncIterator[str]:
        """Access control as every engine has it; where the journal takes no change, the next start makes it.

        Where it was to be on from the beginning, there is no such start: nobody would know that the engine is open.
        """
        engine, mode, secret = self.engine, Mode(self._settings.access), ""
        try:
            secret = await engine.credentials.prepare(
                mode, root_password, fresh=engine.fresh, reset=self._settings.reset_root
            )
        except RegistryError as error:
            if engine.fresh and mode is not Mode.OFF:
                raise FirstStartError(f"access cannot be set to {mode.value}: {error}") from error
            log.warning("access.not_prepared", error=str(error))
        yield secret

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[list[str]]:
        settings = self._settings
        context = self._tls
        loop = asyncio.get_running_loop()
        listeners: list[asyncio.Server] = []
        try:
            for name in PORTS:
                port = getattr(settings, name)
                if port or name == "port":
                    listener = await loop.create_server(self._http, settings.host, port, ssl=context, backlog=_BACKLOG)
                    listeners.append(listener)
                    self._addresses[name] = _address(listener, secure=context is not None)
            yield list(self._addresses.values())
        finally:
            for listener in listeners:
                listener.close()
            self._http.pre_shutdown()
            self.watchers.close()
            self.streams.close()
            self.live.close()
            self.pages.close()
            self.pollers.close()
            await self._http.shutdown(settings.shutdown_timeout)

    def _config_center_addresses(self) -> Sequence[str]:
        best = self._addresses.get("config_port", self._addresses["port"])
        return [self._reachable(address) for address in dict.fromkeys((best, *self._addresses.values()))]

    def _endpoint(self, address: str) -> str:
        scheme, _, rest = self._reachable(address).partition("://")
        return f"rest://{rest}/" + ("?sslEnabled=true" if scheme == "https" else "")

    def _reachable(self, address: str) -> str:
        scheme, _, rest = address.partition("://")
        host, _, port = rest.rpartition(":")
        host = self._settings.advertise_host or (host if host not in ("0.0.0.0", "[::]") else _own_address())  # noqa: S104
        return f"{scheme}://{host}:{port}"


def run(loaded: LoadedSettings) -> int:
    """Serve with these settings until SIGTERM or SIGINT; the exit status of the process."""
    status = 1
    raise_file_limit(loaded.settings.max_connections)
    try:
        status = uvloop.run(_main(loaded))
    except* (JournalError, OSError, FirstStartError) as group:
        for error in group.exceptions:
            log.error("server.cannot_start", error=str(error))  # noqa: TRY400  the text says it all
    return status


def raise_file_limit(connections: int) -> None:
    """Let the process open as many files as the system lets it, and warn where those are fewer than so many connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < connections + _OTHER_FILES:
        log.warning("server.few_files", limit=hard, max_connections=connections)


async def _main(loaded: LoadedSettings) -> int:
    server = Server(loaded.settings, loaded.sources)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    if (renew := server.renewer()) is not None:
        loop.add_signal_handler(signal.SIGHUP, renew)

    def ready(addresses: list[str], secret: str) -> None:
        print("waggle ready", *addresses, flush=True)
        if secret:
            print(f"waggle root password {secret} (shown this once)", flush=True)

    await server.run(ready, os.environ.get(ROOT_PASSWORD, ""))
    return 0


def limits_of(settings: Settings) -> Limits:
    """The catalog's part of the settings."""
    names = set(Limits.__dataclass_fields__) - {"shared_services"}
    chosen = {name: getattr(settings, name) for name in names}
    return Limits(**chosen, shared_services=frozenset(settings.shared_services))


def sending_of(settings: Settings) -> Sending:
    """How messages go to webhooks."""
    wait = settings.webhook_timeout, settings.webhook_retry_seconds
    return Sending(settings.webhook_queue, *wait, settings.webhook_allow)


def options_of(settings: Settings) -> Options:
    """The engine's part of the settings."""
    names = Options.__dataclass_fields__
    return Options(**{name: getattr(settings, name) for name in names})


def _certificates(settings: Settings) -> Certificates | None:
    if not settings.tls_cert:
        return None
    return Certificates(Files(settings.tls_cert, settings.tls_key, settings.tls_client_ca))


def _address(listener: asyncio.Server, *, secure: bool) -> str:
    host, port = listener.sockets[0].getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}"


def _own_address() -> str:
    """The address that this machine would talk from; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
