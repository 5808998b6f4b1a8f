"""A service's life: registered, kept alive, told of changes, unregistered."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
import zlib
from collections.abc import Mapping, Sequence
from types import TracebackType

import aiohttp
from prometheus_client import CollectorRegistry

from governance.clock import Clock, Pause, pause_for
from governance.invocation.chain import Stage
from governance.invocation.live import LiveRules
from governance.invocation.measures import RuleCollector
from governance.routing.own import OwnInstance
from governance.rules.selection import OwnService
from governance.sdk.account import Account
from governance.sdk.addresses import AddressPool, is_healthy
from governance.sdk.call_metrics import incoming, outgoing
from governance.sdk.calls import EngineUnavailableError, tls_context
from governance.sdk.client import CenterClient, NotRunningError
from governance.sdk.configuration import Configuration
from governance.sdk.discovery import Discovery, Listener
from governance.sdk.draining import Draining
from governance.sdk.exporter import exported, said_of, show_all
from governance.sdk.heartbeat import Heartbeats
from governance.sdk.identity import PUBLIC_KEY, TOKEN, Callers, Signature
from governance.sdk.membership import Membership
from governance.sdk.model import Instance
from governance.sdk.monitor import Uploads
from governance.sdk.outcomes import OutcomeReports, Outcomes, OutcomeStage
from governance.sdk.providers import Providers
from governance.sdk.server.inbound import CALLER, Inbound
from governance.sdk.session import CONNECT_SECONDS, Session
from governance.sdk.settings import ServiceSettings, Status
from governance.sdk.stages import inbound, outbound
from governance.sdk.watch import Watch

_PROBE_SECONDS = 15.0


class Microservice:
    """One service and its instance: `async with Microservice(settings) as service:`.

    Entering starts registration and waits for it where `register_timeout` is set (and raises `EngineUnavailableError` when that has
    passed); otherwise a service starts without its engine and registers when that comes. Leaving unregisters the instance. `heartbeats`
    may be shared by the services of one process; `metrics` are shown in place of its own. Calls to the engine and to services need the
    block; listeners may be added before.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        heartbeats: Heartbeats | None = None,
        metrics: CollectorRegistry | None = None,
        pause: Pause = pause_for,
        clock: Clock = time.monotonic,
    ) -> None:
        self.instance_id = settings.instance_id or uuid.uuid4().hex
        """The instance's id. It stays the same when the instance is registered again."""
        self._signature = Signature(self.instance_id, lambda: self.service_id) if settings.sign_calls else None
        self.settings = settings = _with_public_key(settings, self._signature)
        self._pause = pause
        self._clock = clock
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        start = zlib.crc32(self.instance_id.encode())
        pool = AddressPool(settings.addresses, start)
        account = Account(settings, pool, clock)
        self._client = CenterClient(settings, pool, account)
        shared = heartbeats or Heartbeats(clock)
        self._membership = Membership(self._client, settings, self.instance_id, shared, clock)
        self._discovery = Discovery(self._client, settings, lambda: self.service_id, self._forgotten, clock)
        self._watch = Watch(self._client, self._discovery, self._forgotten)
        self.config = Configuration(settings, self.instance_id, account=account, pause=pause, clock=clock)
        """What the engine's config centre says to this service, now."""
        self.rules = LiveRules(OwnService(settings.name, settings.version))
        """The rules among that."""
        self.outcomes = Outcomes()
        """What becomes of calls to services that are released under a bound."""
        self._reports = OutcomeReports(self.outcomes, self._client, self.instance_id)
        self.config.on_change(lambda _changes: self._configured())
        self.providers = Providers(self._discovery, self._client)
        """Whom it can call."""
        self.own_instance = _own_instance(settings)
        """What of it matters for whom it calls."""
        called, called_stage = outgoing(clock)
        self._uploads = Uploads(settings, self._client, self.instance_id, self.rules, clock)
        stages = outbound(
            self.rules,
            self.own_instance,
            self.providers,
            clock=clock,
            pause=pause,
            watching=(*self.counting(), called_stage),
        )
        self.http = Session(self.providers, self.rules, stages, self.own_names)
        """Calls services by name."""
        self.callers = Callers(self._client)
        """Who calls, as far as they prove it."""
        answered, answered_stage = incoming(clock)
        stages = (answered_stage, self._uploads.tally.provided(), *inbound(self.rules, clock=clock, pause=pause))
        self.inbound = Inbound(self.rules, stages, settings.schemas, self.callers.facts)
        """The way in, for a server's middleware: `governed(service.inbound)`."""
        self._draining = Draining(self._membership, self.inbound.gate, settings, clock, pause)
        self.metrics = metrics if metrics is not None else CollectorRegistry()
        """What the service has done so far, for Prometheus."""
        if metrics is None:
            show_all(self.metrics, RuleCollector(self.rules.processors), answered, called)

    @property
    def service_id(self) -> str:
        """The service's id; empty until the engine has given it."""
        return self._membership.service_id

    @property
    def watching(self) -> bool:
        """Whether changes are pushed at the moment."""
        return self._watch.connected

    async def ready(self) -> None:
        """Wait until the instance is registered."""
        await self._membership.ready.wait()

    async def instances(self, service: str, app: str | None = None) -> tuple[Instance, ...]:
        """The last known instances of a provider, whatever their status.

        Raises `EngineUnavailableError` or `EngineError` where nothing is known of it and the engine does not tell.
        """
        return await self._discovery.instances(service, app)

    def on_change(self, service: str, listener: Listener, app: str | None = None) -> None:
        """Call the listener with a provider's new list whenever it changes, beginning with the first that is known."""
        self._discovery.on_change(service, listener, app)

    async def set_status(self, status: Status) -> None:
        """Set the instance's status; it is kept when the instance is registered again. Raises `EngineError`, `EngineUnavailableError`."""
        await self._membership.set_status(status)

    async def drain(self) -> None:
        """Leave under load, before the server stops: be DOWN for `drain_wait` seconds, so that callers see it, then refuse what is new by
        503, finish what was accepted, and unregister. A second call waits for the same end. Calls to others go on to work.
        """
        if not self._tasks:
            raise NotRunningError
        await self._draining.run()
        await self.unregister()

    async def unregister(self) -> None:
        """Take the instance out now, and go on discovering and calling: for a server that still answers what it has begun."""
        if not self._tasks:
            raise NotRunningError
        membership, *_ = self._tasks
        membership.cancel()
        await asyncio.wait((membership,))
        await self._membership.leave()

    async def __aenter__(self) -> Microservice:
        if self._tasks:
            raise RuntimeError("a Microservice lives once: make another")
        await self._stack.__aenter__()
        try:
            await self._open()
            group = await self._stack.enter_async_context(asyncio.TaskGroup())
            work = (
                self._membership.run(self._while_registered, self._pause),
                self._discovery.pull_wanted(self._pause),
                self._discovery.pull_regularly(self._pause),
                self._probe(),
            )
            self._tasks = [group.create_task(each) for each in work]
            await self._wait_for_registration()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def _open(self) -> None:
        to_engine = aiohttp.TCPConnector(ssl=tls_context(self.settings), limit=0)
        self._client.open_with(await self._stack.enter_async_context(aiohttp.ClientSession(connector=to_engine)))
        # No cookies: what one caller's answer sets is nobody else's.
        to_services = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=60, sock_connect=CONNECT_SECONDS),
        )
        self.http.open_with(await self._stack.enter_async_context(to_services))
        await self._stack.enter_async_context(self.config)
        if self.settings.metrics_address:
            where = await self._stack.enter_async_context(exported(self.metrics, self.settings.metrics_address))
            self._membership.say(said_of(self.settings, *where) if where is not None else {})

    def counting(self) -> Sequence[Stage]:
        """Stages that count calls for what the engine is told: for a client that is not `http`."""
        return OutcomeStage(self.outcomes, self.settings.app, clock=self._clock), self._uploads.tally.called()

    def tell_of(self, rules: LiveRules) -> None:
        """Tell the engine of the breakers among these rules: for a client that is not `http`."""
        self._uploads.document.processors = rules.processors

    def own_names(self) -> Mapping[str, str]:
        """What the service says of itself in the calls that it makes."""
        token = self._signature.token() if self._signature is not None else None
        names = dict.fromkeys(CALLER, self.settings.name)
        return names if token is None else {**names, TOKEN: token}

    def _configured(self) -> None:
        values = self.config.written()
        self.rules.update(values)
        self.outcomes.update(values)

    def _forgotten(self) -> None:
        self._discovery.doubt()
        self._membership.forget()

    async def _while_registered(self, service_id: str) -> None:
        # The engine pushes what a registered service has asked for, so all is asked for again.
        self._discovery.want_all()
        # A gradual release reaches instances that are registered.
        self.config.ask_again()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reports.run(service_id, self._pause))
            if self.settings.monitor:
                tasks.create_task(self._uploads.run(service_id, self._pause))
            if self.settings.watch:
                tasks.create_task(self._watch.run(service_id, self._pause))

    async def _wait_for_registration(self) -> None:
        if self.settings.register_timeout is None:
            return
        try:
            async with asyncio.timeout(self.settings.register_timeout):
                await self.ready()
        except TimeoutError as error:
            waited = f"{self.settings.name} is not registered after {self.settings.register_timeout:g} s"
            raise EngineUnavailableError(f"{waited}: {self._membership.trouble}") from error

    async def _probe(self) -> None:
        session, project = self._client.session, self.settings.project
        while True:
            await self._pause(_PROBE_SECONDS)
            await self._client.pool.probe(lambda address: is_healthy(session, address, project))

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            await self._membership.leave()
        await self._stack.aclose()


def _with_public_key(settings: ServiceSettings, signature: Signature | None) -> ServiceSettings:
    if signature is None:
        return settings
    properties = {**settings.instance_properties, PUBLIC_KEY: signature.public_key}
    return settings.model_copy(update={"instance_properties": properties})


def _own_instance(settings: ServiceSettings) -> OwnInstance:
    place = settings.data_center
    data_center = {"name": place.name, "region": place.region, "availableZone": place.zone} if place is not None else {}
    return OwnInstance(settings.name, settings.version, settings.instance_properties, data_center)
