"""A service's life: registered, kept alive, told of changes, unregistered."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

import aiohttp
import structlog

from governance.sdk.addresses import AddressPool, is_healthy
from governance.sdk.client import CenterClient, EngineError, EngineUnavailableError, tls_context
from governance.sdk.discovery import Discovery, Listener
from governance.sdk.heartbeat import Heartbeats, Pause, pause_for
from governance.sdk.model import Instance
from governance.sdk.registration import Registered, register
from governance.sdk.session import Session
from governance.sdk.settings import ServiceSettings
from governance.sdk.watch import Watch

_PROBE_SECONDS = 15.0
_LONGEST_PAUSE = 30.0

log = structlog.get_logger(__name__)


class Microservice:
    """One service and its instance: `async with Microservice(settings) as service:`.

    Entering starts registration and waits for it for `register_timeout` seconds, if that is set; a service starts without its engine
    and registers when that comes. Leaving unregisters the instance. `heartbeats` may be shared by the services of one process.
    """

    def __init__(
        self, settings: ServiceSettings, *, heartbeats: Heartbeats | None = None, pause: Pause = pause_for
    ) -> None:
        self.settings = settings
        self._heartbeats = heartbeats or Heartbeats()
        self._pause = pause
        self._registered: Registered | None = None
        self._instance_id = settings.instance_id
        self._ready = asyncio.Event()
        self._forgotten = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._client: CenterClient
        self._discovery: Discovery
        self._watch: Watch
        self.http: Session

    @property
    def service_id(self) -> str:
        """The service's id; empty until it is registered."""
        return self._registered.service_id if self._registered else ""

    @property
    def instance_id(self) -> str:
        """The instance's id; empty until it is registered. It stays the same when the instance is registered again."""
        return self._instance_id or ""

    async def ready(self) -> None:
        """Wait until the instance is registered."""
        await self._ready.wait()

    async def instances(self, service: str, app: str | None = None) -> tuple[Instance, ...]:
        """The last known instances of a provider. Raises `EngineUnavailableError` where nothing is known of it and nobody answers."""
        return await self._discovery.instances(service, app)

    def on_change(self, service: str, listener: Listener, app: str | None = None) -> None:
        """Call the listener with a provider's new list whenever it changes."""
        self._discovery.on_change(service, listener, app)

    async def set_status(self, status: str) -> None:
        """Set the instance's status: UP, DOWN, STARTING, TESTING or OUTOFSERVICE. Raises `EngineError`, `EngineUnavailableError`."""
        await self._client.set_status(self.service_id, self.instance_id, status)

    async def __aenter__(self) -> Microservice:
        await self._stack.__aenter__()
        try:
            connector = aiohttp.TCPConnector(ssl=tls_context(self.settings), limit=0)
            session = await self._stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            self._client = CenterClient(session, self.settings, AddressPool(self.settings.addresses))
            self._discovery = Discovery(self._client, self.settings.app, lambda: self.service_id)
            self._watch = Watch(self._client, self._discovery, lambda: self.service_id)
            self.http = Session(session, self._discovery, self.settings.app)
            group = await self._stack.enter_async_context(asyncio.TaskGroup())
            self._tasks = [group.create_task(work) for work in (self._stay_registered(), self._pull(), self._probe())]
            if self.settings.register_timeout is not None:
                async with asyncio.timeout(self.settings.register_timeout):
                    await self.ready()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        registered, self._registered = self._registered, None
        if registered is not None:
            self._heartbeats.remove(registered)
            try:
                await self._client.unregister_instance(registered.service_id, registered.instance_id)
            except (EngineError, EngineUnavailableError) as error:
                log.warning("service.not_unregistered", service=self.settings.name, error=str(error))
        await self._stack.aclose()

    async def _stay_registered(self) -> None:
        """Register, live until the engine has forgotten us, and begin again."""
        while True:
            await self._register()
            async with asyncio.TaskGroup() as group:
                assert self._registered is not None  # noqa: S101  registered above
                interval = self.settings.heartbeat_interval
                beating = self._heartbeats.run(self._client, self._registered, interval, self._pause)
                life = [group.create_task(beating)]
                if self.settings.watch:
                    life.append(group.create_task(self._watch.run(self._pause)))
                await self._forgotten.wait()
                for task in life:
                    task.cancel()
            self._forgotten.clear()
            log.warning("service.forgotten", service=self.settings.name)

    async def _register(self) -> None:
        wait = 1.0
        while True:
            try:
                self._registered = await register(self._client, self.settings, self._instance_id)
                break
            except (EngineError, EngineUnavailableError) as error:
                log.warning("service.not_registered", service=self.settings.name, error=str(error), retry=wait)
            await self._pause(wait)
            wait = min(2 * wait, _LONGEST_PAUSE)
        self._instance_id = self._registered.instance_id
        self._heartbeats.add(self._registered, self._forgotten.set)
        self._ready.set()
        log.info("service.registered", service=self.settings.name, instance=self._instance_id)

    async def _pull(self) -> None:
        while True:
            await self._pause(self.settings.pull_interval)
            await self._discovery.pull_all()

    async def _probe(self) -> None:
        session, project = self._client.session, self.settings.project
        while True:
            await self._pause(_PROBE_SECONDS)
            await self._client.pool.probe(lambda address: is_healthy(session, address, project))
