"""Whom a service can call: the instances of a provider that are UP, and the operations of its interfaces."""

from __future__ import annotations

from governance.routing.errors import NoInstanceError
from governance.sdk.calls import EngineError, EngineUnavailableError
from governance.sdk.client import CenterClient
from governance.sdk.discovery import Discovery
from governance.sdk.interfaces import NONE, Interfaces, Operation
from governance.sdk.model import Instance


class Providers:
    """What discovery knows, as calls need it."""

    def __init__(self, discovery: Discovery, client: CenterClient) -> None:
        self._discovery = discovery
        self._client = client
        self._interfaces: dict[str, Interfaces] = {}
        self._usable: dict[tuple[str, str | None], tuple[tuple[Instance, ...], tuple[Instance, ...]]] = {}

    async def usable(self, service: str, app: str | None) -> tuple[Instance, ...]:
        """The instances that are UP with a REST endpoint; the same object while nothing changes. Raises `NoInstanceError`."""
        try:
            found = await self._discovery.instances(service, app)
        except (EngineUnavailableError, EngineError) as error:
            raise NoInstanceError(service, str(error)) from error
        known = self._usable.get((service, app))
        if known is None or known[0] is not found:
            known = (found, tuple(one for one in found if one.status == "UP" and one.url))
            self._usable[service, app] = known
        if not known[1]:
            raise NoInstanceError(service, _why_none(found))
        return known[1]

    async def operation(self, service: str, app: str | None, method: str, path: str) -> Operation:
        """The schema and the operation of a call, by what the provider has uploaded; both empty where that is not known."""
        try:
            found = await self._discovery.instances(service, app)
            if not found:
                return NONE
            provider = found[0].service_id
            if provider not in self._interfaces:
                self._interfaces[provider] = Interfaces(await self._client.schemas(provider))
        except (EngineUnavailableError, EngineError):
            return NONE
        return self._interfaces[provider].operation(method, path)

    async def is_service(self, name: str) -> bool:
        """Whether the engine knows a service of this name."""
        try:
            return bool(await self._discovery.instances(name))
        except (EngineUnavailableError, EngineError):
            return False


def _why_none(found: tuple[Instance, ...]) -> str:
    if not found:
        return "the engine knows none"
    return f"{len(found)} known, none of them UP with a REST endpoint"
