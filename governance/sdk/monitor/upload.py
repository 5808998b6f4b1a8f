"""Uploading: a document when the instance is registered, and one at each interval. What goes wrong with it hurts nobody else."""

from __future__ import annotations

import zlib

from governance.clock import Clock, Pause
from governance.invocation.live import LiveRules
from governance.logs import logger
from governance.sdk.addresses import AddressPool
from governance.sdk.calls import EngineCall, EngineError, EngineUnavailableError, good
from governance.sdk.client import CenterClient
from governance.sdk.monitor.document import Document
from governance.sdk.monitor.tally import Tally
from governance.sdk.settings import ServiceSettings

_REFUSED_SECONDS = 60.0
"""Until the next document after one that was refused: an engine without dashboards is not asked every few seconds."""
log = logger(__name__)


class Uploads:
    """Sends the documents of one instance to `monitor_addresses`, else to the engine's."""

    def __init__(
        self, settings: ServiceSettings, client: CenterClient, instance_id: str, rules: LiveRules, clock: Clock
    ) -> None:
        self.tally = Tally(settings.name, settings.app, clock)
        """What counts the calls."""
        self.document = Document(settings, instance_id, self.tally, rules.processors, clock)
        self._settings = settings
        self._client = client
        self._pool = AddressPool(settings.monitor_addresses or settings.addresses, zlib.crc32(instance_id.encode()))
        self._failing = False

    async def run(self, service_id: str, pause: Pause) -> None:
        """Upload for as long as the instance is registered; until cancelled."""
        while True:
            await pause(await self._upload(service_id))

    async def _upload(self, service_id: str) -> float:
        """Send what is known now; the seconds until the next time."""
        settings = self._settings
        told = EngineCall(
            method="POST",
            path=f"/v2/{settings.project}/csemonitor/metric",
            body=self.document.make(service_id),
            query=(("service", settings.name),),
            headers=self._client.headers,
            seconds=settings.request_timeout,
        )
        try:
            good(await self._client.account.answer_to(self._client.session, self._pool, told))
        except (EngineError, EngineUnavailableError) as error:
            if not self._failing:
                log.warning("monitor.not_uploaded", service=settings.name, error=str(error))
            self._failing = True
            refused = isinstance(error, EngineError) and error.status < 500
            return max(_REFUSED_SECONDS, settings.monitor_interval) if refused else settings.monitor_interval
        self._failing = False
        return settings.monitor_interval
