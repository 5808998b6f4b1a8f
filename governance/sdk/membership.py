"""An instance's place in the registry: taken, kept, taken again when the engine has forgotten it, and given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TypeAlias

from governance.clock import Clock, Pause
from governance.logs import logger
from governance.sdk.calls import EngineError, EngineUnavailableError
from governance.sdk.client import INSTANCE_GONE, SERVICE_GONE, CenterClient
from governance.sdk.heartbeat import Heartbeats
from governance.sdk.registration import Registered, instance_document, register_service, replace_former
from governance.sdk.settings import ServiceSettings, Status

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 10.0
_SETTLED_SECONDS = 60.0

log = logger(__name__)
Companion: TypeAlias = Callable[[str], Coroutine[object, object, None]]


class Membership:
    """Registers one instance and keeps it registered for as long as `run` runs. `trouble` is why it is not registered yet."""

    def __init__(
        self, client: CenterClient, settings: ServiceSettings, instance_id: str, heartbeats: Heartbeats, clock: Clock
    ) -> None:
        self.service_id = ""
        self.instance_id = instance_id
        self.ready = asyncio.Event()
        self.trouble = "the engine was not asked yet"
        self._client = client
        self._settings = settings
        self._status: Status = settings.status
        self._heartbeats = heartbeats
        self._clock = clock
        self._forgotten = asyncio.Event()
        self._tried = False

    def say(self, properties: Mapping[str, str]) -> None:
        """Have these properties of the instance too, from the next registration on. Those of the settings are stronger."""
        own = {**properties, **self._settings.instance_properties}
        self._settings = self._settings.model_copy(update={"instance_properties": own})

    def forget(self) -> None:
        """The engine does not know the service or its instance any more: begin again."""
        if self.ready.is_set() and not self._forgotten.is_set():
            log.warning("service.forgotten", service=self._settings.name, instance=self.instance_id)
            self._forgotten.set()

    async def run(self, companion: Companion, pause: Pause) -> None:
        """Register, live until the engine has forgotten us, and begin again; until cancelled.

        The companion runs while the instance is registered, and is given the service's id.
        """
        calm = 0.0
        while True:
            await self._register(pause)
            since = self._clock()
            await self._live(companion, pause)
            if self._clock() - since >= _SETTLED_SECONDS:
                calm = 0.0
            await pause(calm)
            calm = min(2 * calm, _LONGEST_PAUSE) or _FIRST_PAUSE

    async def leave(self) -> None:
        """Take the instance out of the registry, also where the answer to its registration never came."""
        self._heartbeats.remove(self._registered)
        tried, self._tried = self._tried, False
        if not tried:
            return
        try:
            await self._client.unregister_instance(self.service_id, self.instance_id)
        except EngineUnavailableError as error:
            log.warning("service.not_unregistered", service=self._settings.name, error=str(error))
        except EngineError as error:
            if error.code not in (INSTANCE_GONE, SERVICE_GONE):
                log.warning("service.not_unregistered", service=self._settings.name, error=str(error))
        log.info("service.left", service=self._settings.name, instance=self.instance_id)

    async def set_status(self, status: Status) -> None:
        """Set the status, now or with the registration that is to come. Raises `EngineError`, `EngineUnavailableError`."""
        self._status = status
        if not self.ready.is_set():
            return
        try:
            await self._client.set_status(self.service_id, self.instance_id, status)
        except EngineError as error:
            if error.code != INSTANCE_GONE:
                raise
            self.forget()

    @property
    def _registered(self) -> Registered:
        return Registered(self.service_id, self.instance_id)

    async def _live(self, companion: Companion, pause: Pause) -> None:
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(self._heartbeats.run(self._registered, pause))
            beside = group.create_task(companion(self.service_id))
            await self._forgotten.wait()
            beating.cancel()
            beside.cancel()
        self._heartbeats.remove(self._registered)
        self._forgotten.clear()

    async def _register(self, pause: Pause) -> None:
        wait = _FIRST_PAUSE
        while True:
            try:
                await self._try()
                break
            except (EngineError, EngineUnavailableError) as error:
                self.trouble = str(error)
                log.warning("service.not_registered", service=self._settings.name, error=self.trouble, retry=wait)
            await pause(wait)
            wait = min(2 * wait, _LONGEST_PAUSE)
        self._heartbeats.add(self._client, self._registered, self._settings.heartbeat_interval, self.forget)
        self.ready.set()
        log.info("service.registered", service=self._settings.name, instance=self.instance_id)

    async def _try(self) -> None:
        self.service_id = await register_service(self._client, self._settings)
        document = instance_document(self._settings, self.instance_id, self._status)
        if self._settings.instance_id and not self._tried:
            await replace_former(self._client, self._registered, document)
        self._tried = True
        await self._client.register_instance(self.service_id, document)
