"""The engine: the catalog, the config centre and access control behind one journal and one stream of what happened.

`execute` runs a command against memory and returns when what it changed is stored. A background tick moves the lease clock. Starting
replays the journal; every instance then has a full lease, so an engine that was away never evicts a healthy service.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

import structlog

from governance.rules.objects.lane import LANE_HEADER
from registry.access import PREFIXES as ACCESS_PREFIXES
from registry.access import Access
from registry.alarms import PREFIXES as ALARM_PREFIXES
from registry.alarms import Alarming
from registry.alarms import Bounds as AlarmBounds
from registry.catalog import Catalog, Lapse, Limits
from registry.catalog.leases import TICK, Lease
from registry.catalog.services import DEFAULT_TENANT, SELF_NAME
from registry.config import PREFIXES as CONFIG_PREFIXES
from registry.config import Config
from registry.engine.alarms import Alarms
from registry.engine.committer import Committer
from registry.engine.credentials import Credentials
from registry.engine.followers import ReleaseFollower
from registry.engine.listening import Listening
from registry.engine.presence import remember
from registry.engine.rules import CheckedItems
from registry.engine.stream import Stream
from registry.errors import RegistryError
from registry.ledger import Change, Ledger
from registry.monitor import Bounds, Dashboard, Monitor
from registry.monitor.edges import ToldCalls
from registry.storage.port import Journal, JournalError

T = TypeVar("T")
_ADVICE = "restore a backup of the data folder, or report this with the event"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How the engine writes: events a commit, changes that may wait for one, superseded events that are kept; and bounds of its cores."""

    journal_batch: int = 1000
    journal_queue: int = 100000
    journal_history: int = 100000
    quota_config: int = 10000
    quota_accounts: int = 1000
    quota_roles: int = 100
    quota_lane_groups: int = 300
    config_check_values: bool = False
    quota_alarm_rules: int = 200
    quota_silences: int = 1000
    quota_webhooks: int = 20
    alarms_max: int = 1000
    alarm_history: int = 1000
    lane_header: str = LANE_HEADER
    monitor_seconds: int = 300
    monitor_instances: int = 20000
    monitor_interfaces: int = 100
    monitor_all_interfaces: int = 400000


def _bounds_of(options: Options) -> Bounds:
    return Bounds(
        options.monitor_seconds,
        options.monitor_instances,
        options.monitor_interfaces,
        options.monitor_all_interfaces,
    )


def _alarm_bounds_of(options: Options) -> AlarmBounds:
    quotas = options.quota_alarm_rules, options.quota_silences, options.quota_webhooks
    return AlarmBounds(*quotas, options.alarms_max, options.alarm_history)


class Engine:
    """Use it as `async with engine.running():`. Times are milliseconds of the wall clock unless a name says seconds."""

    def __init__(self, journal: Journal, limits: Limits, options: Options | None = None) -> None:
        options = options or Options()
        self.ledger = Ledger()
        self.catalog = Catalog(limits, lambda: uuid.uuid4().hex, self.ledger)
        self.config = Config(
            self.ledger,
            options.quota_config,
            check_values=options.config_check_values,
            quota_lane_groups=options.quota_lane_groups,
        )
        self.lane_header = options.lane_header
        self.access = Access(self.ledger, lambda: uuid.uuid4().hex, options.quota_accounts, options.quota_roles)
        self.credentials = Credentials(self.access, self.execute, self.now)
        self.checked_items = CheckedItems(4 * options.quota_config)
        self.journal = journal
        self.stream = Stream()
        self.listening = Listening()
        self.alarming = Alarming(self.ledger, _alarm_bounds_of(options), DEFAULT_TENANT)
        self.alarms = Alarms(self.alarming, self.now)
        self.monitor = Monitor()
        self.dashboard = Dashboard(_bounds_of(options))
        self.told_calls = ToldCalls()
        self.lag_seconds = 0.0
        self.protections = {"self-preservation": 0, "last-known": 0}
        self.expirations = 0
        self.rollbacks = 0
        self.committer = Committer(
            journal,
            self.ledger,
            self.alarms,
            self.stream.publish,
            batch=options.journal_batch,
            queue=options.journal_queue,
            history=options.journal_history,
        )
        self.stream.on_changes(ReleaseFollower(self.config, self.begin, self.now).publish)
        self.on_tick: list[Callable[[], None]] = []
        self.fresh = False
        self._options = options
        self._appear: Callable[[], Lease] | None = None
        self._own: Lease | None = None

    @staticmethod
    def now() -> int:
        """The wall clock in milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def begin(self, command: Callable[[], T], author: str = "") -> tuple[T, asyncio.Future[None] | None]:
        """Run a command; its result counts once the future, if there is one, is done. One that raises has changed nothing."""
        ledger = self.ledger
        ledger.author = author
        before, changes = ledger.revision, list[Change]()
        try:
            result = command()
            changes = ledger.take_changes()
            stored = self.committer.enqueue(changes) if changes else None
        except BaseException:
            ledger.revision = before  # nobody has seen the ones after it
            ledger.undo(changes or ledger.take_changes())
            raise
        return result, stored

    async def execute(self, command: Callable[[], T], author: str = "") -> T:
        """Run a command and wait until its changes are stored; where it made none, until those are that it may have relied on."""
        result, stored = self.begin(command, author)
        if stored is not None:
            await stored
        elif (pending := self.committer.pending) is not None:
            await asyncio.wait((pending,))
            if not pending.cancelled():
                pending.result()
        return result

    async def read(self, look: Callable[[], T]) -> T:
        """Read, and return when all that was seen is stored: a change that the store fails to take is shown to nobody."""
        while True:
            seen = look()
            if await self.settled():
                return seen

    async def settled(self) -> bool:
        """Wait until everything that is in memory now is stored or taken back; whether it is stored, so that what was read holds."""
        pending = self.committer.pending
        if pending is None:
            return True
        await asyncio.wait((pending,))
        return not pending.cancelled() and pending.exception() is None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the journal, replay it, and serve until the block ends; then flush and close. Raises `JournalError`."""
        await self.journal.open()
        try:
            await self._replay()
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self.committer.run())
                ticker = tasks.create_task(self._tick_forever())
                try:
                    await self._enforce_properties()
                    yield
                finally:
                    await self._leave()
                    ticker.cancel()
                    self.committer.stop()
                    await asyncio.wait([writer])
        finally:
            await self.journal.close()

    async def register_itself(self, endpoints: Sequence[str], host_name: str, version: str) -> None:
        """Appear as default/SERVICECENTER, as clients that look for their registry expect. Protocol: section 10.

        Where the journal cannot store that now, it is tried again until it can.
        """
        service = {
            "environment": "development",
            "appId": "default",
            "serviceName": SELF_NAME,
            "alias": SELF_NAME,
            "version": version,
            "level": "BACK",
            "status": "UP",
            "properties": {"allowCrossApp": "true"},
        }
        instance = {"hostName": host_name, "endpoints": list(endpoints), "status": "UP"}
        catalog = self.catalog

        def command() -> Lease:
            services, tenant, now = catalog.services, DEFAULT_TENANT, self.now()
            services.own_id = services.register(tenant, service, now)
            for stale in list(catalog.state.tenant(tenant).instances_of(services.own_id)):
                catalog.instances.unregister(tenant, services.own_id, stale, now)
            name = catalog.instances.register(tenant, services.own_id, instance, now)
            return catalog.instances.heartbeat(tenant, services.own_id, name)

        await self._register_own(command)

    async def _register_own(self, command: Callable[[], Lease]) -> None:
        try:
            self._own = await self.execute(command)
            self._appear = None
        except RegistryError as error:
            self._appear = command
            log.warning("engine.not_registered", error=str(error))

    async def _enforce_properties(self) -> None:
        try:
            await self.execute(lambda: self.catalog.instances.enforce_properties(self.now()))
        except RegistryError as error:
            log.warning("properties.not_enforced", error=str(error))

    async def _replay(self) -> None:
        started = time.perf_counter()
        events = 0
        async for batch in self.journal.read():
            for event in batch:
                self._restore(event.revision, event.key, event.body)
                self._remember(event.key, event.at)
                self.committer.window.saw(event.revision)
            events += len(batch)
        self.fresh = not events
        head = self.ledger.revision
        while await self.committer.compact():
            pass
        # Revisions that were seen but never stored must not be given out again with another meaning.
        self.ledger.revision = head + self._options.journal_queue if events else head
        self._restore_config()
        self.stream.begin_at(head)
        seconds = round(time.perf_counter() - started, 3)
        log.info(
            "journal.replayed",
            events=events,
            revision=head,
            instances=len(self.catalog.state.leases.alive),
            seconds=seconds,
        )

    def _restore(self, revision: int, key: str, body: bytes | None) -> None:
        self.ledger.revision = max(self.ledger.revision, revision)
        try:
            if key.startswith(CONFIG_PREFIXES):
                self.config.restore(revision, key, body)
            elif key.startswith(ACCESS_PREFIXES):
                self.access.state.restore(revision, key, body)
            elif key.startswith(ALARM_PREFIXES):
                self.alarming.state.restore(revision, key, body)
            else:
                self.catalog.restore(revision, key, body)
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(
                f"the journal's event {revision} of {key} cannot be read ({error}); {_ADVICE}"
            ) from error

    def _remember(self, key: str, at: int) -> None:
        """Instances that are gone are missed by alarms: the journal knows when they were there."""
        kind, domain, project, rest = key.split("/", 3)
        if kind == "instance":
            services = self.catalog.state.existing(f"{domain}/{project}").services
            service = services.get(unquote(rest.partition("/")[0]))
            if service is not None:
                remember(self.alarming.population, service, at)

    def _restore_config(self) -> None:
        try:
            self.config.restored(self.ledger.revision)
        except ValueError as error:
            raise JournalError(f"the journal cannot be read ({error}); {_ADVICE}") from error

    async def _tick_forever(self) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(TICK)
            now = loop.time()
            self.lag_seconds = max(now - last - TICK, 0.0)
            await self._tick(now - last)
            last = now

    async def _tick(self, seconds: float) -> None:
        if self._own is not None:
            self._own.beat()
        if self._appear is not None and not self.committer.failing:
            await self._register_own(self._appear)
        for callback in self.on_tick:
            callback()
        try:
            lapse, stored = self.begin(lambda: self.catalog.expire(seconds, self.now()))
            if stored is not None:
                await stored
        except RegistryError as error:
            log.warning("leases.not_ended", error=str(error))
            return
        self._tell_of(lapse)

    def _tell_of(self, lapse: Lapse) -> None:
        self.expirations += len(lapse.expired)
        for instance in lapse.expired:
            log.info("lease.expired", service=instance.service_id, instance=instance.instance_id)
        for lease, reason in lapse.kept:
            self.protections[reason] += 1
            self._note("protection.BEGIN", lease, reason)
        for lease in lapse.recovered:
            self._note("protection.END", lease, "heartbeat")

    def _note(self, name: str, lease: Lease, reason: str) -> None:
        state = self.catalog.state
        service = state.existing(lease.tenant).services.get(lease.service_id)
        facts = {"instanceId": lease.instance_id, "reason": reason}
        log.warning(name.lower(), service=lease.service_id, instance=lease.instance_id, reason=reason)
        self.stream.note(self.now(), name, lease.tenant, service, **facts)

    async def _leave(self) -> None:
        own, self._own, self._appear = self._own, None, None
        if own is None:
            return
        with contextlib.suppress(RegistryError):
            await self.execute(
                lambda: self.catalog.instances.unregister(own.tenant, own.service_id, own.instance_id, self.now())
            )
