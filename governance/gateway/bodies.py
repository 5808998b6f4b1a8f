"""Where bodies end: a length that is counted down, or chunks that are looked through as they pass. No I/O; the bytes stay as they are."""

from __future__ import annotations

import re
from typing import Protocol

from governance.gateway.heads import CHUNKED, UNTIL_CLOSE, BadHeadError

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;[\t -~\x80-\xff]*+)?\r\n\Z")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t -~\x80-\xff]*+\r\n\Z")
_LONGEST_LINE = 1024
_LONGEST_TRAILERS = 8192


class Body(Protocol):
    """A body on its way."""

    @property
    def done(self) -> bool:
        """Whether it has ended."""

    def feed(self, data: bytes, payload: list[bytes] | None = None) -> int:
        """How many of the bytes are of the body. What they say, without its frame, is added to `payload`. Raises `BadHeadError`."""


def body_of(length: int) -> Body:
    """The body that a head announces."""
    if length == 0:
        return NO_BODY
    if length == CHUNKED:
        return Chunks()
    return Endless() if length == UNTIL_CLOSE else Counted(length)


class Counted:
    """A body of so many bytes."""

    __slots__ = ("_left", "done")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes, payload: list[bytes] | None = None) -> int:
        """See `Body`."""
        taken = min(self._left, len(data))
        self._left -= taken
        self.done = self._left == 0
        if payload is not None:
            payload.append(data[:taken])
        return taken


NO_BODY = Counted(0)
"""It has ended before it began, so one is enough for all."""


class Endless:
    """A body that lasts until the connection ends."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes, payload: list[bytes] | None = None) -> int:
        """See `Body`."""
        if payload is not None:
            payload.append(data)
        return len(data)


class Chunks:
    """A chunked body. `_left` are the bytes of the chunk that are still to come; a line that is not whole yet is kept."""

    __slots__ = ("_in_trailers", "_left", "_line", "_trailers", "_wants_end", "done")

    def __init__(self) -> None:
        self.done = False
        self._left = 0
        self._line = b""
        self._wants_end = False
        self._in_trailers = False
        self._trailers = 0

    def feed(self, data: bytes, payload: list[bytes] | None = None) -> int:
        """See `Body`."""
        at, size = 0, len(data)
        while at < size and not self.done:
            if self._left:
                taken = min(self._left, size - at)
                if payload is not None:
                    payload.append(data[at : at + taken])
                self._left -= taken
                self._wants_end = self._left == 0
                at += taken
            else:
                at = self._feed_line(data, at)
        return at

    def _feed_line(self, data: bytes, at: int) -> int:
        """Read on in a line; where it goes on after that."""
        end = data.find(b"\n", at) + 1
        line = self._line + (data[at:end] if end else data[at:])
        if len(line) > _LONGEST_LINE:
            raise BadHeadError("a line between chunks is too long")
        if not end:
            self._line = line
            return len(data)
        self._line = b""
        self._take(line)
        return end

    def _take(self, line: bytes) -> None:
        if self._wants_end:
            if line != b"\r\n":
                raise BadHeadError("a chunk does not end where it says")
            self._wants_end = False
        elif self._in_trailers:
            self._take_trailer(line)
        else:
            found = _SIZE.match(line)
            if found is None:
                raise BadHeadError("a chunk has no size")
            self._left = int(found[1], 16)
            self._in_trailers = self._left == 0

    def _take_trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if line == b"\r\n":
            self.done = True
        elif self._trailers > _LONGEST_TRAILERS or not _TRAILER.match(line):
            raise BadHeadError("a trailer is not as it must be")
