"""Requests as they come in: read, checked and routed. Whoever asks the same again is known by the bytes of the head."""

from __future__ import annotations

from typing import NamedTuple

from governance.gateway.heads import CHUNKED, BadHeadError, Block, Line, RequestHeads, hostname, request_line
from governance.gateway.table import Entry, PathOf, RouteTable, path_of

_REFUSED_METHODS = frozenset((b"CONNECT", b"TRACE"))
_MOST_KNOWN = 4096
_MOST_BYTES = 4 * 2**20
_NOWHERE = PathOf("", b"", b"")


class Incoming(NamedTuple):
    """A request's head, and where it goes. `entry` is None where no route fits, `host` the one that was asked for.

    `refusal` says why the path is refused; then there is no way on, but the connection is good.
    """

    line: Line
    block: Block
    host: bytes
    path: PathOf
    entry: Entry | None
    target: bytes
    refusal: str = ""


class Reader:
    """Reads heads from one kind of peer, for one table of routes. Its memory is bounded in heads and bytes."""

    def __init__(self, heads: RequestHeads, table: RouteTable) -> None:
        self._heads = heads
        self._table = table
        self._known: dict[bytes, Incoming] = {}
        self._bytes = 0

    def read(self, head: bytes) -> Incoming:
        """A request by its whole head. Raises `BadHeadError`."""
        known = self._known.get(head)
        if known is not None:
            return known
        made = self._made(head)
        if len(self._known) >= _MOST_KNOWN or self._bytes > _MOST_BYTES:
            self._known.clear()
            self._bytes = 0
        self._known[head] = made
        self._bytes += len(head)
        return made

    def _made(self, head: bytes) -> Incoming:
        split = head.find(b"\r\n")
        line, block = request_line(head[:split]), self._heads.block(head[split:])
        _check(line, block)
        host = line.authority or block.host or b""
        try:
            path = path_of(line.path)
        except BadHeadError as error:
            return Incoming(line, block, host, _NOWHERE, None, b"", str(error))
        name = hostname(line.authority) if line.authority else block.hostname
        entry = self._table.find(name, line.method.decode("ascii"), path.plain, block.headers)
        return Incoming(line, block, host, path, entry, entry.target(path) if entry is not None else b"")


def _check(line: Line, block: Block) -> None:
    if block.host is None and not line.old:
        raise BadHeadError("Host is missing")
    if line.old and block.length == CHUNKED:
        raise BadHeadError("HTTP/1.0 has no chunks")
    if line.method in _REFUSED_METHODS:
        raise BadHeadError("the method is not served", 405)
