"""One line of JSON for each request. Queries, headers and bodies are never in it: they may be secret."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import orjson

if TYPE_CHECKING:
    from governance.gateway.exchange import Exchange
    from governance.gateway.servers import Server
    from governance.gateway.table import Entry

_MOST_WAITING = 1_000


class AccessLog:
    """Gathers lines, and writes them several times a second."""

    def __init__(self, to: TextIO | None = None) -> None:
        self._to = to
        self._lines: list[bytes] = []

    def write(
        self, exchange: Exchange, entry: Entry | None, server: Server | None, status: int, seconds: float
    ) -> None:
        """Note a request that has ended."""
        line = {
            "event": "request",
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": exchange.peer,
            "method": exchange.line.method.decode("ascii"),
            "host": exchange.block.hostname,
            "path": exchange.line.path.partition(b"?")[0].decode("ascii"),
            "status": status,
            "route": entry.name if entry is not None else "",
            "service": server.service if server is not None else "",
            "version": server.version if server is not None else "",
            "server": server.instance_id if server is not None else "",
            "ms": round(seconds * 1000, 2),
        }
        self._lines.append(orjson.dumps(line))
        if len(self._lines) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if self._lines:
            lines, self._lines = self._lines, []
            to = self._to or sys.stdout
            to.write(b"\n".join([*lines, b""]).decode())
            to.flush()
