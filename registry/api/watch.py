"""Websockets of services: who is told of changes, and heartbeats by pong. Protocol: Service Center section 9.

Frames are the same for every watcher of a service, so each is encoded once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from registry.api.call import Call, Reply
from registry.api.service_center.instances import instance_id
from registry.api.service_center.services import service_id
from registry.api.sockets import Socket, Sockets, text_frame
from registry.catalog.records import CatalogChange, Instance, Service
from registry.engine import Engine
from registry.errors import RegistryError
from registry.ledger import Change

if TYPE_CHECKING:
    from aiohttp import web

_GONE = 4001
_GONE_REASON = "heartbeat reporting failed because the instance does not exist"


class Watchers:
    """Who watches. `ping` is seconds between pings, `damping` seconds that a DELETE is held back (0: not at all)."""

    def __init__(self, engine: Engine, *, limit: int, buffer: int, ping: float, damping: float) -> None:
        self._engine = engine
        self._damping = damping
        self._by_consumer: dict[tuple[str, str], set[Socket]] = {}
        self._held: dict[str, asyncio.TimerHandle] = {}
        self.sockets = Sockets(engine, limit=limit, buffer=buffer, ping=ping)
        engine.stream.on_changes(self.publish)

    async def watch(self, call: Call) -> Reply | web.StreamResponse:
        """GET microservices/:serviceId/watcher: changes of what the service depends on."""
        name, tenant = service_id(call), call.tenant
        response = await self.sockets.accept(call)
        if isinstance(response, Reply):
            return response
        socket = self.sockets.socket_of(call.request)
        if name not in self._engine.catalog.state.existing(tenant).services:
            _dismiss(socket)
            return response
        watching = self._by_consumer.setdefault((tenant, name), set())
        watching.add(socket)
        try:
            await self.sockets.attend(response, socket)
        finally:
            watching.discard(socket)
            if not watching:
                self._by_consumer.pop((tenant, name), None)
        return response

    async def beat(self, call: Call) -> Reply | web.StreamResponse:
        """GET microservices/:serviceId/instances/:instanceId/heartbeat: every pong renews the lease."""
        owner, name, tenant = service_id(call), instance_id(call), call.tenant
        response = await self.sockets.accept(call)
        if isinstance(response, Reply):
            return response

        def renew() -> bool:
            try:
                self._engine.catalog.instances.heartbeat(tenant, owner, name)
            except RegistryError:
                return False
            return True

        alive = renew() and await self.sockets.attend(response, self.sockets.socket_of(call.request), renew)
        if not alive:
            await response.close(code=_GONE, message=_GONE_REASON.encode())
        return response

    def publish(self, changes: Sequence[Change]) -> None:
        """Tell watchers of changed instances, and let those go whose own service is deleted."""
        if not self._by_consumer and not self._held:
            return
        for change in changes:
            record = change.record
            if isinstance(change, CatalogChange) and isinstance(record, Instance) and change.service is not None:
                self._publish(record, change.service, change.action)
            elif isinstance(record, Service) and change.after is None:
                for socket in self._by_consumer.get((record.tenant, record.service_id), ()):
                    _dismiss(socket)

    def _publish(self, instance: Instance, service: Service, action: str) -> None:
        if action == "DELETE" and self._damping:
            later = asyncio.get_running_loop().call_later
            self._held[instance.path] = later(self._damping, self._release, instance, service)
            return
        held = self._held.pop(instance.path, None)
        if held is not None:
            held.cancel()
            action = "UPDATE"
        self._send(instance, service, action)

    def _release(self, instance: Instance, service: Service) -> None:
        del self._held[instance.path]
        self._send(instance, service, "DELETE")

    def _send(self, instance: Instance, service: Service, action: str) -> None:
        tenant = self._engine.catalog.state.existing(service.tenant)
        frame = b""
        for consumer in tenant.consumers.get(service.key, ()):
            for socket in self._by_consumer.get((service.tenant, consumer), ()):
                frame = frame or text_frame(event_of(instance, service, action))
                self.sockets.publish(socket, frame)

    def close(self) -> None:
        """Let all clients go: they reconnect elsewhere or later."""
        for handle in self._held.values():
            handle.cancel()
        self._held.clear()
        self.sockets.close()


def _dismiss(socket: Socket) -> None:
    """Say that the watching service is unknown, and end the connection, as the original does on connecting. Section 9.1."""
    if not socket.transport.is_closing():
        socket.transport.write(text_frame(b"service does not exist"))
        socket.transport.close()


def event_of(instance: Instance, service: Service, action: str) -> bytes:
    """The JSON of one event. Section 9.2."""
    key = {
        "tenant": service.tenant,
        "environment": service.key.environment,
        "appId": service.key.app,
        "serviceName": service.key.name,
        "alias": service.alias,
        "version": service.version,
    }
    shown = {name: value for name, value in key.items() if value}
    return orjson.dumps({"action": action, "key": shown, "instance": orjson.Fragment(instance.encoded)})
