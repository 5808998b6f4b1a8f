"""A gateway as a process: its sources of configuration, its registration, its signals."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from governance.clock import pause_for
from governance.gateway.config import GatewayConfig
from governance.gateway.core import Local
from governance.gateway.gateway import Gateway
from governance.gateway.governed import Alone, Governance, Service
from governance.gateway.sources import ITEM, Sources
from governance.invocation.measures import RuleCollector
from governance.logs import logger
from governance.routing.own import OwnInstance
from governance.sdk import Microservice, ServiceSettings, until_stopped
from governance.sdk.endpoints import place
from governance.sdk.exporter import said_of

log = logger(__name__)
_LONG_LIVED_AFTER = 20_000
"""Objects between two looks of the collector: a request leaves none behind."""
Locals = Callable[[Microservice | None], Mapping[str, Local]]


class GatewayProcess:
    """One gateway with what it obeys. `path` is the file that is watched; `settings` those of a service, given its address."""

    def __init__(
        self,
        config: GatewayConfig,
        *,
        path: Path | None = None,
        settings: Callable[[str], ServiceSettings] | None = None,
        local: Locals | None = None,
    ) -> None:
        self._config = config
        self._path = path
        self._settings = settings
        self._local = local
        self._gateway = Gateway(config)
        self._sources = Sources(path, config, self._obey)
        self._service: Microservice | None = None
        self._governance: Governance | None = None

    async def run(self, ready: Callable[[Mapping[str, str]], None]) -> None:
        """Serve until SIGTERM or SIGINT, and leave without losing a request. Raises `OSError`, `SettingsError`."""
        gc.set_threshold(_LONG_LIVED_AFTER, 20, 100)
        try:
            await self._serve(ready)
        except BaseExceptionGroup as group:
            raise _alone(group) from group

    async def _serve(self, ready: Callable[[Mapping[str, str]], None]) -> None:
        async with self._gateway.listening(), self._registered() as service, self._watching():
            ready(self._gateway.addresses)
            await until_stopped()
            log.info("gateway.stopping")
            if service is not None:
                await service.drain()
            await self._gateway.drain()

    @contextlib.asynccontextmanager
    async def _registered(self) -> AsyncIterator[Microservice | None]:
        """The gateway's place among services, where it has one."""
        make = self._settings or (settings_of(self._config) if self._config.service is not None else None)
        service = self._service_of(make(self._gateway.addresses["listen"])) if make is not None else None
        core = self._gateway.core
        if service is None:
            name = "gateway"
            self._govern(Governance(core, OwnInstance(name), Alone(name)))
            core.local = self._local(None) if self._local is not None else {}
            yield None
            return
        self._service = service
        self._govern(Governance(core, service.own_instance, Service(service)))
        core.local = self._local(service) if self._local is not None else {}
        service.config.on_change(lambda _changes: self._configured(service))
        async with service:
            yield service

    def _service_of(self, settings: ServiceSettings) -> Microservice:
        """The gateway as a service, which shows the gateway's metrics and says where they are."""
        host, port = place(self._gateway.addresses["admin"].partition("://")[2])
        properties = {**said_of(settings, host, port), **settings.instance_properties}
        said = settings.model_copy(update={"instance_properties": properties})
        return Microservice(said, metrics=self._gateway.metrics)

    def _govern(self, governance: Governance) -> None:
        self._governance = governance
        self._gateway.metrics.register(RuleCollector(governance.rules.processors))
        governance.update(self._config, {})
        self._gateway.core.governor = governance
        if self._service is not None:
            self._service.tell_of(governance.rules)

    def _configured(self, service: Microservice) -> None:
        """The engine's configuration has changed."""
        self._sources.item(service.config.get(f"{ITEM}{service.settings.name}"))
        self._obey_rules(self._sources.current)

    def _obey(self, config: GatewayConfig) -> None:
        self._gateway.apply(config)
        self._obey_rules(config)

    def _obey_rules(self, config: GatewayConfig) -> None:
        if self._governance is not None:
            self._governance.update(config, self._service.config.written() if self._service is not None else {})

    @contextlib.asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        """Obey changes of the file within the block."""
        if self._path is None:
            yield
            return
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._sources.watch(pause_for))
            with _on_signal(signal.SIGHUP, self._sources.reload):
                yield
            watching.cancel()


def settings_of(config: GatewayConfig) -> Callable[[str], ServiceSettings]:
    """The settings of a gateway that is a service; what its file does not say comes from the SDK's own sources. Raises `SettingsError`."""

    def settings(address: str) -> ServiceSettings:
        service = config.service
        assert service is not None  # noqa: S101  looked at by the caller
        secure, rest = address.startswith("https:"), address.partition("://")[2]
        host, port = place(rest)
        shown = service.advertise or (f"[{host}]" if ":" in host else host)
        endpoint = f"rest://{shown}:{port}{'?sslEnabled=true' if secure else ''}"
        given: dict[str, object] = {"name": service.name, "version": service.version, "endpoints": (endpoint,)}
        given |= {"app": service.app} if service.app else {}
        given |= {"addresses": service.engine} if service.engine else {}
        return ServiceSettings.load(None, os.environ, **given)

    return settings


def _alone(error: BaseException) -> BaseException:
    """What failed, where that is one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


@contextlib.contextmanager
def _on_signal(number: signal.Signals, do: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(number, do)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)
