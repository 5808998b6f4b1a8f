"""What a gateway writes: the head of the request that goes on, and the head of the answer that goes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from governance.gateway.heads import CHUNKED, UNTIL_CLOSE, AnswerHead, Block, Line
from governance.gateway.servers import Server

_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_CLOSE = b"Connection: close\r\n"
_UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_WITH_BODY = frozenset((b"POST", b"PUT", b"PATCH"))
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a client's connection."""

    address: str
    secure: bool
    trusted: bool

    def ways(self, block: Block, host: bytes) -> bytes:
        """The lines that tell a server who has asked, and how. A peer that is not trusted has no say in them."""
        before = block.forwarded_for + b", " if block.forwarded_for else b""
        proto = block.forwarded_proto or (b"https" if self.secure else b"http")
        lines = (before, self.address.encode("ascii", "replace"), proto, block.forwarded_host or host)
        return b"X-Forwarded-For: %b%b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n" % lines


def request_head(line: Line, block: Block, target: bytes, host: bytes, ways: bytes, server: Server) -> bytes:
    """The head of the request that goes on, without the empty line that ends it."""
    length = block.length
    if length == CHUNKED:
        frame = _CHUNKED
    elif length or line.method in _WITH_BODY:
        frame = b"Content-Length: %d\r\n" % length
    else:
        frame = b""
    if block.websocket:
        frame += _UPGRADE
    return b"%b %b%b HTTP/1.1\r\nHost: %b\r\n%b%b%b" % (
        line.method,
        server.base,
        target,
        host,
        block.passed,
        ways,
        frame,
    )


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Lines of headers that are ASCII."""
    return b"".join(f"{name}: {value}\r\n".encode("ascii") for name, value in headers.items())


def status_line(status: int) -> bytes:
    """The first line of an answer."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def reply_head(head: AnswerHead, *, old: bool, close: bool) -> bytes:
    """The head of the answer that goes back; `old` for HTTP/1.0, which knows no chunks."""
    if head.status == 101:
        return status_line(101) + head.passed + b"Connection: Upgrade\r\nUpgrade: " + head.upgrade + b"\r\n\r\n"
    frame = _CHUNKED if head.length in (CHUNKED, UNTIL_CLOSE) and not old else b""
    return status_line(head.status) + head.passed + frame + (_CLOSE if close else b"") + b"\r\n"


def local_reply(status: int, text: str, *, close: bool, bodiless: bool = False) -> bytes:
    """An answer that the gateway gives itself."""
    body = orjson.dumps({"message": text.encode("utf-8", "replace").decode()}) if text else b""
    return ready_reply(status, body, "application/json", close=close, bodiless=bodiless)


def ready_reply(status: int, body: bytes, media_type: str, *, close: bool, bodiless: bool = False) -> bytes:
    """An answer with a body of its own."""
    head = b"%bContent-Type: %b\r\nContent-Length: %d\r\n%b\r\n" % (
        status_line(status),
        media_type.encode("ascii"),
        len(body),
        _CLOSE if close else b"",
    )
    return head if bodiless else head + body


def framed(data: bytes, *, done: bool) -> bytes:
    """Bytes as a chunk, and the last one after it where they are the end."""
    chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
    return chunk + b"0\r\n\r\n" if done else chunk
