"""A service's configuration: four levels laid over each other, followed by long polls, and read by key, as a mapping or as models."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar, cast, overload

import aiohttp
from pydantic import BaseModel

from governance.clock import Clock, Pause, pause_for
from governance.logs import logger
from governance.sdk.account import Account
from governance.sdk.addresses import AddressPool, is_healthy
from governance.sdk.calls import EngineUnavailableError, Json, tls_context
from governance.sdk.configuration.cache import Cache
from governance.sdk.configuration.levels import Level, Value, levels_of, merged, read_items
from governance.sdk.configuration.listeners import Listener, Listeners, changes_between
from governance.sdk.configuration.models import Model, model_of
from governance.sdk.configuration.polls import ConfigClient, LevelPolls
from governance.sdk.configuration.snapshot import Snapshot
from governance.sdk.references import ConfigurationError, References, refers
from governance.sdk.settings import ServiceSettings

_PROBE_SECONDS = 15.0
_MOST_LOGGED = 10
_Default = TypeVar("_Default")
log = logger(__name__)


@dataclass(slots=True)
class _LastValid:
    """The last valid model of a prefix, and the values that were looked at last, whether they made it or not."""

    model: BaseModel
    snapshot: Snapshot
    lasting: bool


class Configuration:
    """What the engine says to this service, followed while its block lasts: `service.config`, or `async with Configuration(settings)`.

    Without its engine it has what is kept on disk. Entering waits for the engine where `config_timeout` is set, and raises
    `EngineUnavailableError` when that has passed and nothing is kept. Reading never waits.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        instance_id: str = "",
        *,
        account: Account | None = None,
        environ: Mapping[str, str] | None = None,
        pause: Pause = pause_for,
        clock: Clock = time.monotonic,
    ) -> None:
        self.settings = settings
        self._pause = pause
        self._cache = Cache(settings)
        self._listeners = Listeners()
        self._references = References(os.environ if environ is None else environ, settings.config_secrets)
        self._snapshot = Snapshot({}, self._references)
        self._models: dict[tuple[type[BaseModel], str, bool], _LastValid] = {}
        own = instance_id or settings.instance_id or ""
        start = zlib.crc32(own.encode())
        account = account or Account(settings, AddressPool(settings.addresses, start), clock, environ=environ)
        pool = AddressPool(settings.config_addresses or settings.addresses, start)
        self._client = ConfigClient(settings, pool, account, own)
        self._levels = levels_of(settings)
        self._polls = [LevelPolls(self._client, level, self._answered, clock) for level in self._levels]
        self._values: dict[str, Mapping[str, Value]] = {}
        self._wrong: dict[str, Mapping[str, str]] = {}
        self._waiting_for = {level.name for level in self._levels}
        self._ready = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        self._tasks: Sequence[asyncio.Task[None]] = ()

    @overload
    def get(self, key: str) -> str | None: ...
    @overload
    def get(self, key: str, default: _Default) -> str | _Default: ...
    def get(self, key: str, default: object = None) -> object:
        """The value of a key. Raises `ConfigurationError` where it refers to what cannot be read."""
        return self._snapshot.get(key, default)

    def __getitem__(self, key: str) -> str:
        return self._snapshot[key]

    def __contains__(self, key: object) -> bool:
        return key in self._snapshot

    def __repr__(self) -> str:
        return f"Configuration({self._snapshot!r})"

    def snapshot(self) -> Mapping[str, str]:
        """All values of this moment; later changes do not reach it."""
        return self._snapshot

    def written(self) -> Mapping[str, str]:
        """All values of this moment as they are written: references stay what they are."""
        return {key: value.text for key, value in self._snapshot.values_as_written.items()}

    def model(self, kind: type[Model], prefix: str = "", *, secrets: bool = True) -> Model:
        """The keys below a prefix, such as `weathermap.`, as a model; the last valid one where they do not validate at present.

        Raises `ConfigurationError` where there has been no valid one. Without `secrets`, references stay as they are written: for what
        others are shown.
        """
        place = (kind, prefix, secrets)
        last = self._models.get(place)
        if last is not None and last.lasting and last.snapshot is self._snapshot:
            return cast(Model, last.model)
        try:
            model = model_of(kind, prefix, self._snapshot, secrets=secrets)
        except ConfigurationError as error:
            if last is None:
                raise
            if last.snapshot is not self._snapshot:
                log.warning("config.model_refused", model=kind.__name__, error=str(error))
            last.snapshot = self._snapshot
            return cast(Model, last.model)
        self._models[place] = _LastValid(model, self._snapshot, not (secrets and self._has_references(prefix)))
        return model

    def on_change(self, listener: Listener, prefix: str = "") -> None:
        """Call the listener with the changes of keys that begin so, as a mapping of `Change`; values are as written, references too."""
        self._listeners.add(listener, prefix)

    async def ready(self) -> None:
        """Wait until the engine has told every level; not at all where the configuration is off."""
        await self._ready.wait()

    def ask_again(self) -> None:
        """Ask for everything now: for an instance that the engine has only now come to know, which changes what it is told."""
        for polls in self._polls:
            polls.again()

    async def __aenter__(self) -> Configuration:
        if self._tasks:
            raise RuntimeError("a Configuration lives once: make another")
        if not self.settings.config:
            self._ready.set()
            return self
        self._take({level.name: kept for level, kept in self._kept()})
        await self._stack.__aenter__()
        try:
            connector = aiohttp.TCPConnector(ssl=tls_context(self.settings), limit=0)
            self._client.session = await self._stack.enter_async_context(aiohttp.ClientSession(connector=connector))
            group = await self._stack.enter_async_context(asyncio.TaskGroup())
            work = [*(polls.run(self._pause) for polls in self._polls), self._probe()]
            self._tasks = [group.create_task(each) for each in work]
            await self._wait_for_answers()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    def _kept(self) -> Sequence[tuple[Level, Mapping[str, Value]]]:
        kept = self._cache.load()
        return [(level, kept[level.name]) for level in self._levels if level.name in kept]

    async def _answered(self, level: Level, items: Sequence[Json]) -> bool:
        """Take what the engine says of a level; whether it differs from what was known."""
        # Large texts take long to read, and services have other things to do meanwhile.
        values, wrong = await asyncio.to_thread(read_items, level, items)
        for item, reason in wrong.items() - self._wrong.get(level.name, {}).items():
            log.warning("config.item_left_out", item=item, level=level.name, error=reason)
        self._wrong[level.name] = wrong
        is_new = self._values.get(level.name) != values
        if is_new:
            self._take({level.name: values})
        self._waiting_for.discard(level.name)
        if not self._waiting_for:
            self._ready.set()
        if is_new:
            await self._cache.keep(lambda: dict(self._values))
        return is_new

    def _take(self, levels: Mapping[str, Mapping[str, Value]]) -> None:
        self._values.update(levels)
        values = merged(self._values.get(level.name, {}) for level in self._levels)
        changes = changes_between(self._snapshot.values_as_written, values)
        self._snapshot = Snapshot(values, self._references)
        if changes:
            log.info("config.changed", keys=[*changes][:_MOST_LOGGED], count=len(changes))
            self._listeners.tell(changes)

    def _has_references(self, prefix: str) -> bool:
        written = self._snapshot.values_as_written
        return any(refers(value.text) for key, value in written.items() if key.startswith(prefix))

    async def _wait_for_answers(self) -> None:
        if self.settings.config_timeout is None:
            return
        try:
            async with asyncio.timeout(self.settings.config_timeout):
                await self.ready()
        except TimeoutError as error:
            waiting = (
                f"no configuration after {self.settings.config_timeout:g} s at {', '.join(self._client.pool.addresses)}"
            )
            if not self._values:
                raise EngineUnavailableError(waiting) from error
            log.warning("config.from_disk", error=waiting)

    async def _probe(self) -> None:
        session, project = self._client.session, self.settings.project
        assert session is not None  # noqa: S101  it is opened before
        while True:
            await self._pause(_PROBE_SECONDS)
            await self._client.pool.probe(lambda address: is_healthy(session, address, project))

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._stack.aclose()
