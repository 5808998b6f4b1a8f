"""One line of JSON for each request. Queries, headers and bodies are never in it: they may be secret."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TextIO

import orjson

if TYPE_CHECKING:
    from governance.gateway.exchange import Exchange
    from governance.gateway.servers import Server
    from governance.gateway.table import Entry

_MOST_WAITING = 10_000
_LAST_SECONDS = 1.0
_GATHERED = 500


class AccessLog:
    """Writes lines on a thread of its own: whoever reads them slowly, or not at all, costs lines and no request. `lost` counts those."""

    def __init__(self, to: TextIO | None = None) -> None:
        self._to = to
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.lost = 0

    def write(
        self, exchange: Exchange, entry: Entry | None, server: Server | None, status: int, seconds: float
    ) -> None:
        """Note a request that has ended."""
        if self._lines.qsize() >= _MOST_WAITING:
            self.lost += 1
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._print, name="access-log", daemon=True)
            self._thread.start()
        self._lines.put(_line(exchange, entry, server, status, seconds))

    def close(self) -> None:
        """Write what is waiting, for as long as a moment lasts."""
        if self._thread is not None:
            self._lines.put(None)
            self._thread.join(_LAST_SECONDS)

    def _print(self) -> None:
        to = self._to or sys.stdout
        going = True
        while going:
            lines = [self._lines.get()]
            try:
                while len(lines) < _GATHERED:
                    lines.append(self._lines.get_nowait())
            except Empty:
                pass
            going = None not in lines
            to.write(b"".join(line + b"\n" for line in lines if line is not None).decode())
            to.flush()


def _line(exchange: Exchange, entry: Entry | None, server: Server | None, status: int, seconds: float) -> bytes:
    return orjson.dumps(
        {
            "event": "request",
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": exchange.peer,
            "method": exchange.line.method.decode("ascii"),
            "host": exchange.hostname,
            "path": exchange.line.path.partition(b"?")[0].decode("ascii"),
            "status": status,
            "route": entry.name if entry is not None else "",
            "service": server.service if server is not None else "",
            "version": server.version if server is not None else "",
            "server": server.instance_id if server is not None else "",
            "lane": exchange.lane.label if exchange.lane is not None else "",
            "ms": round(seconds * 1000, 2),
        }
    )
