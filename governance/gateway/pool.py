"""Connections to servers: kept while they are idle, used again, bounded for each server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from governance.gateway.heads import AnswerHeads
from governance.gateway.servers import Server
from governance.gateway.upstream import UpstreamConnection

_IDLE_SECONDS = 30.0
"""Shorter than servers keep theirs: one that closes just then costs a request that must not be repeated."""


class UnsentError(ConnectionError):
    """A server could not be connected to, or has as many connections as it may have: nothing was sent."""


@dataclass(slots=True)
class _Lane:
    """The connections to one server. The one that came back last is used first, so that those that are not needed grow old."""

    open: int = 0
    idle: list[UpstreamConnection] = field(default_factory=list)


class Pool:
    """All connections to servers. `most` are those to one server at once, `patience` the seconds that connecting may take."""

    def __init__(self, *, most: int, patience: float) -> None:
        self.heads = AnswerHeads()
        self._most = most
        self._patience = patience
        self._lanes: dict[tuple[str, int, bool], _Lane] = {}
        self._tls: ssl.SSLContext | None = None
        self._connections: set[UpstreamConnection] = set()
        self._emptied = asyncio.Event()

    def take(self, server: Server) -> UpstreamConnection | None:
        """An idle connection; None where there is none."""
        lane = self._lanes.get(server.key)
        while lane is not None and lane.idle:
            connection = lane.idle.pop()
            if connection.usable:
                return connection
        return None

    async def connect(self, server: Server) -> UpstreamConnection:
        """A new connection. Raises `UnsentError`."""
        lane = self._lanes.setdefault(server.key, _Lane())
        if lane.open >= self._most:
            raise UnsentError(f"{server.instance_id} has {lane.open} connections")
        lane.open += 1
        context = self._context() if server.secure else None
        name = server.host if context is not None else None
        try:
            async with asyncio.timeout(self._patience):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: UpstreamConnection(self, server),
                    server.host,
                    server.port,
                    ssl=context,
                    server_hostname=name,
                )
        except OSError as error:
            self.lost(server)
            raise UnsentError(f"{server.instance_id}: {str(error) or 'no connection in time'}") from error
        except BaseException:
            self.lost(server)
            raise
        self._connections.add(connection)
        self._emptied.clear()
        return connection

    def give(self, connection: UpstreamConnection, now: float) -> None:
        """A connection is idle from now on."""
        connection.idle_until = now + _IDLE_SECONDS
        self._lanes[connection.server.key].idle.append(connection)

    def lost(self, server: Server, connection: UpstreamConnection | None = None) -> None:
        """A connection has ended, or was never made."""
        lane = self._lanes[server.key]
        lane.open -= 1
        if connection is not None:
            self._connections.discard(connection)
            if connection in lane.idle:
                lane.idle.remove(connection)
        if not self._connections:
            self._emptied.set()
        if not lane.open:
            del self._lanes[server.key]

    def sweep(self, now: float) -> None:
        """Close what has been idle for too long."""
        for lane in tuple(self._lanes.values()):
            while lane.idle and lane.idle[0].idle_until < now:
                lane.idle.pop(0).close()

    async def close(self) -> None:
        """End all of them."""
        for connection in tuple(self._connections):
            connection.abort()
        if self._connections:
            await self._emptied.wait()

    def sizes(self) -> Mapping[str, tuple[int, int]]:
        """Open and idle connections by server, for metrics."""
        return {f"{key[0]}:{key[1]}": (lane.open, len(lane.idle)) for key, lane in self._lanes.items()}

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls
