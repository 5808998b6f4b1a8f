"""Websockets: who is told of changes, and heartbeats by pong. Protocol: Service Center section 9.

Frames are the same for every watcher of a service, so each is encoded once and written to the transports as it is; a client that does not
read is cut off when more than `buffer` bytes wait for it, and finds what it missed by its next pull.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import structlog
from aiohttp import WSMsgType, web

from registry.api.call import SERVER, Call, Reply
from registry.api.service_center.instances import instance_id
from registry.api.service_center.services import service_id
from registry.catalog.records import CatalogChange, Instance, Service
from registry.engine import Engine
from registry.errors import RegistryError
from registry.ledger import Change

_SILENCE = 120.0
_LARGEST_MESSAGE = 64
_PING = b"\x89\x00"
_GONE = 4001
_GONE_REASON = "heartbeat reporting failed because the instance does not exist"

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Socket:
    """One open websocket. `heard` is the loop's time of the last ping or pong."""

    transport: asyncio.Transport
    heard: float
    pinged: bool = True


class Watchers:
    """All open websockets. `ping` is seconds between pings, `damping` seconds that a DELETE is held back (0: not at all)."""

    def __init__(self, engine: Engine, *, limit: int, buffer: int, ping: float, damping: float) -> None:
        self._engine = engine
        self._limit = limit
        self._buffer = buffer
        self._ping = ping
        self._damping = damping
        self._by_consumer: dict[tuple[str, str], set[_Socket]] = {}
        self._sockets: set[_Socket] = set()
        self._held: dict[str, asyncio.TimerHandle] = {}
        self._next_ping = 0.0
        self.published = 0
        self.overflowed = 0
        engine.stream.on_changes(self.publish)
        engine.on_tick.append(self.tick)

    @property
    def count(self) -> int:
        """How many websockets are open."""
        return len(self._sockets)

    async def watch(self, call: Call) -> Reply | web.StreamResponse:
        """GET microservices/:serviceId/watcher: changes of what the service depends on."""
        name, tenant = service_id(call), call.tenant
        response = await self._accept(call)
        if isinstance(response, Reply):
            return response
        socket = self._socket(call.request)
        if name not in self._engine.catalog.state.existing(tenant).services:
            _dismiss(socket)
            return response
        watching = self._by_consumer.setdefault((tenant, name), set())
        watching.add(socket)
        try:
            await self._read(response, socket)
        finally:
            watching.discard(socket)
            if not watching:
                self._by_consumer.pop((tenant, name), None)
        return response

    async def beat(self, call: Call) -> Reply | web.StreamResponse:
        """GET microservices/:serviceId/instances/:instanceId/heartbeat: every pong renews the lease."""
        owner, name, tenant = service_id(call), instance_id(call), call.tenant
        response = await self._accept(call)
        if isinstance(response, Reply):
            return response

        def renew() -> bool:
            try:
                self._engine.catalog.instances.heartbeat(tenant, owner, name)
            except RegistryError:
                return False
            return True

        if renew():
            await self._read(response, self._socket(call.request), renew)
        else:
            await response.close(code=_GONE, message=_GONE_REASON.encode())
        return response

    async def _accept(self, call: Call) -> Reply | web.WebSocketResponse:
        # aiohttp refuses a message of the largest size itself.
        largest = _LARGEST_MESSAGE + 1
        response = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=largest, timeout=5.0)
        response.headers["Server"] = SERVER
        if not response.can_prepare(call.request):
            return Reply(400, b"Bad Request\n", headers={"Sec-Websocket-Version": "13"})
        if len(self._sockets) >= self._limit:
            raise RegistryError(400100, f"no quota to watch, max num is {self._limit}")
        await response.prepare(call.request)
        return response

    def _socket(self, request: web.BaseRequest) -> _Socket:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left during the handshake")
        return _Socket(transport, asyncio.get_running_loop().time())

    async def _read(self, response: web.WebSocketResponse, socket: _Socket, renew=lambda: True) -> None:  # type: ignore[no-untyped-def]
        """Answer pings until the client leaves; every pong renews."""
        self._sockets.add(socket)
        loop = asyncio.get_running_loop()
        try:
            async for message in response:
                if message.type is WSMsgType.PING:
                    socket.heard, socket.pinged = loop.time(), False
                    await response.pong()
                elif message.type is WSMsgType.PONG:
                    socket.heard = loop.time()
                    if not renew():
                        await response.close(code=_GONE, message=_GONE_REASON.encode())
        finally:
            self._sockets.discard(socket)

    def tick(self) -> None:
        """Ping those who wait for it, and let go of those not heard of."""
        now = asyncio.get_running_loop().time()
        if now < self._next_ping:
            return
        self._next_ping = now + self._ping
        for socket in tuple(self._sockets):
            if now - socket.heard > max(_SILENCE, 2 * self._ping):
                socket.transport.abort()
            elif socket.pinged:
                self._write(socket, _PING)

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
                self._write(socket, frame)
                self.published += 1

    def _write(self, socket: _Socket, frame: bytes) -> None:
        if socket.transport.is_closing():
            return
        if socket.transport.get_write_buffer_size() > self._buffer:
            self.overflowed += 1
            log.warning("watcher.cut_off", waiting=socket.transport.get_write_buffer_size())
            socket.transport.abort()
            return
        socket.transport.write(frame)

    def close(self) -> None:
        """Let all clients go: they reconnect elsewhere or later."""
        for handle in self._held.values():
            handle.cancel()
        self._held.clear()
        for socket in tuple(self._sockets):
            socket.transport.close()


def _dismiss(socket: _Socket) -> None:
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


def text_frame(payload: bytes) -> bytes:
    """A websocket text frame from the server, unmasked."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload
