"""Heads of HTTP/1.1 messages, read strictly: what two readers could understand differently is refused, never repaired.

Theory of operation. A gateway is in danger where it and the server behind it read the same bytes as different requests. So a head must
match the grammar of RFC 9112 byte by byte; there is one way to say where a body ends; and the lines that say it are written here anew.
What comes out is the lines that go on as they are, and the few facts that a proxy acts on. Clients send the same block of headers again
and again, so blocks are remembered: `RequestHeads` is a memo that is bounded in entries and in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from governance.invocation.context import CHASSIS_HEADER, LANE_HEADERS, SPRING_HEADER

CHUNKED = -1
"""Stands for a length that is told chunk by chunk."""
UNTIL_CLOSE = -2
"""Stands for a body that lasts until the connection ends: only an answer's can."""
LARGEST_HEAD = 32_768
"""Bytes of a head, its first line included."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb"{1,32}) ([!-~]++) HTTP/1\.([01])\Z")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t -~\x80-\xff]*+)?\Z")
_BLOCK = re.compile(rb"(?:\r\n" + _TOKEN + rb"++:[\t -~\x80-\xff]*+)*+\r\n\r\n\Z")
_FIELD = re.compile(rb"\r\n([^:\r\n]++):[\t ]*+([^\r\n]*)")
_SPECIAL = re.compile(
    rb"\r\n((?i:connection|content-length|transfer-encoding|upgrade|keep-alive|proxy-[a-z]++|te|trailer)):[\t ]*+([^\r\n]*)"
)
_HOP_LINE = re.compile(rb"\r\n(?i:connection|transfer-encoding|upgrade|keep-alive|proxy-[a-z]++|te|trailer):[^\r\n]*+")
_HOST = re.compile(rb"[A-Za-z0-9.\-_~]*(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_DATE = re.compile(rb"\r\nDate: [A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
_DATE_LENGTH = 37
_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
_WRITTEN_HERE = frozenset(b"host content-length expect x-forwarded-for x-forwarded-proto x-forwarded-host".split())
_CONTEXT = frozenset(name.encode() for name in (CHASSIS_HEADER, SPRING_HEADER, *LANE_HEADERS))
_ONLY_TRUSTED = frozenset(name.replace(b"_", b"-") for name in _CONTEXT) | frozenset((b"forwarded", b"x-real-ip"))
_FORWARDED = b"x-forwarded-"
_HOP_AND_TOKENS = _HOP | {b"close"}
_BODILESS = frozenset((204, 304))
_MOST_BLOCKS = 4096
_MOST_BYTES = 4 * 2**20
_VIA = b"Via: 1.1 waggle\r\n"


class BadHeadError(ValueError):
    """A head that is refused, with the status that says so."""

    def __init__(self, why: str, status: int = 400) -> None:
        self.status = status
        super().__init__(why)


class Line(NamedTuple):
    """A request line. `path` is what follows the authority, with its query; `authority` is empty where the target names none."""

    method: bytes
    path: bytes
    authority: bytes
    old: bool
    """HTTP/1.0: the answer ends with the connection."""


@dataclass(frozen=True, slots=True)
class Block:
    """The header fields of a request. `length` is the body's, or `CHUNKED`. `passed` are the lines that go on, each with its end;
    those of a call's context are apart from them.
    """

    host: bytes | None
    length: int
    passed: bytes
    context: bytes = b""
    close: bool = False
    websocket: bool = False
    expects: bool = False
    forwarded_for: bytes = b""
    forwarded_proto: bytes = b""
    forwarded_host: bytes = b""
    hostname: str = ""
    """The host in small letters, without its port."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """All fields by name in small letters, several of one name joined by commas, as rules look at them."""


class AnswerHead(NamedTuple):
    """The head of an answer. `passed` are its lines that go on, without how a chunked body is framed; `length` may be `CHUNKED` or
    `UNTIL_CLOSE`."""

    status: int
    length: int
    reusable: bool
    passed: bytes
    upgrade: bytes = b""


def request_line(line: bytes) -> Line:
    """Read a request line, without its end. Raises `BadHeadError`."""
    found = _REQUEST_LINE.match(line)
    if found is None:
        raise BadHeadError("the request line is not HTTP/1.1")
    method, target, minor = found.groups()
    if target[0] == 0x2F:
        return Line(method, target, b"", minor == b"0")
    if target == b"*" and method == b"OPTIONS":
        return Line(method, target, b"", minor == b"0")
    scheme, mark, rest = target.partition(b"://")
    if not mark or scheme.lower() not in (b"http", b"https"):
        raise BadHeadError("the target is neither a path nor a URL")
    authority, slash, path = rest.partition(b"/")
    if not authority or b"?" in authority or not _HOST.fullmatch(authority):
        raise BadHeadError("the target's host is not one")
    return Line(method, slash + path or b"/", authority, minor == b"0")


class RequestHeads:
    """Reads blocks of header fields. `trusted`: what the peer says of the way before it, and of the context of the call, is believed.

    `lanes` are names of headers, in small letters, that carry lanes beside the common ones.
    """

    def __init__(self, *, trusted: bool, lanes: frozenset[bytes] = frozenset()) -> None:
        self._trusted = trusted
        self._lanes = lanes
        self._known: dict[bytes, Block] = {}
        self._bytes = 0

    def block(self, data: bytes) -> Block:
        """The fields of a block, which begins with the end of the line before it. Raises `BadHeadError`."""
        known = self._known.get(data)
        if known is not None:
            return known
        made = read_block(data, trusted=self._trusted, lanes=self._lanes)
        if len(self._known) >= _MOST_BLOCKS or self._bytes > _MOST_BYTES:
            self._known.clear()
            self._bytes = 0
        self._known[data] = made
        self._bytes += len(data)
        return made


def hostname(authority: bytes) -> str:
    """A host in small letters, without its port and without the dot of the root."""
    host = authority.decode("ascii").lower()
    return (host if host.endswith("]") or ":" not in host else host.rpartition(":")[0]).removesuffix(".")


def read_block(data: bytes, *, trusted: bool, lanes: frozenset[bytes] = frozenset()) -> Block:
    """Read a block of header fields. Raises `BadHeadError`."""
    pairs = _fields(data)
    single = _singles(pairs)
    tokens = _tokens(pairs)
    host = single.get(b"host")
    if host is not None and not _HOST.fullmatch(host):
        raise BadHeadError("Host is not a host")
    websocket = b"upgrade" in tokens and single.get(b"upgrade", b"").lower() == b"websocket"
    if not trusted:
        pairs = [pair for pair in pairs if not _is_lie(pair[0], lanes)]
    context = _CONTEXT | lanes
    drop = _HOP | _WRITTEN_HERE | tokens | context
    said = [pair for pair in pairs if pair[0].lower() in context]
    passed = b"".join(b"%s: %s\r\n" % (name, value) for name, value in pairs if name.lower() not in drop)
    ways = _ways(pairs) if trusted else {}
    return Block(
        host=host,
        length=_length(single, CHUNKED),
        passed=passed + _VIA,
        context=b"".join(b"%b: %b\r\n" % pair for pair in said),
        close=b"close" in tokens,
        websocket=websocket,
        expects=single.get(b"expect", b"").lower() == b"100-continue",
        forwarded_for=ways.get(b"x-forwarded-for", b""),
        forwarded_proto=ways.get(b"x-forwarded-proto", b""),
        forwarded_host=ways.get(b"x-forwarded-host", b""),
        hostname=hostname(host or b""),
        headers=_readable(pairs),
    )


def _is_lie(name: bytes, lanes: frozenset[bytes]) -> bool:
    """Whether a client could lie with it: who it is, in which lane, and what a service before has said.

    Servers behind WSGI or CGI cannot tell an underscore from a hyphen.
    """
    plain = name.lower().replace(b"_", b"-")
    return plain.startswith(_FORWARDED) or plain in _ONLY_TRUSTED or plain in lanes


def answer_head(data: bytes, *, bodiless: bool) -> AnswerHead:
    """Read the head of an answer, with its end; `bodiless` where the request was HEAD. Raises `BadHeadError`."""
    end = data.find(b"\r\n")
    found = _STATUS_LINE.match(data, 0, end)
    if found is None or not _BLOCK.match(data, end):
        raise BadHeadError("the head is not one of HTTP/1.1", 502)
    minor, digits = found.groups()
    status = int(digits)
    frame = _framing(tuple(_SPECIAL.findall(data, end)))
    passed = _without(data[end:-2], frame.drops)[2:] if frame.drops else data[end + 2 : -2]
    length = 0 if bodiless or status < 200 or status in _BODILESS else frame.length
    # Where a body is announced that must not be there, some servers send it all the same.
    odd = status == 204 and frame.length not in (0, UNTIL_CLOSE)
    reusable = minor == b"1" and length != UNTIL_CLOSE and not frame.close and not odd
    return AnswerHead(status, length, reusable, passed + _VIA, frame.upgrade)


class AnswerHeads:
    """Reads heads of answers. Those that differ in nothing but their Date are read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bool], AnswerHead] = {}
        self._bytes = 0
        self._date = b""

    def head(self, data: bytes, *, bodiless: bool) -> AnswerHead:
        """See `answer_head`."""
        begin = data.find(b"\r\nDate: ")
        end = begin + _DATE_LENGTH
        date = data[begin:end]
        if begin < 0 or (date != self._date and not self._is_date(date)):
            return answer_head(data, bodiless=bodiless)
        key = data[:begin] + data[end:], bodiless
        known = self._known.get(key)
        if known is None:
            known = self._remember(key, answer_head(key[0], bodiless=bodiless))
        status, length, reusable, passed, upgrade = known
        return AnswerHead(status, length, reusable, b"%b\r\n%b" % (date[2:], passed), upgrade)

    def _is_date(self, line: bytes) -> bool:
        if _DATE.fullmatch(line):
            self._date = line
            return True
        return False

    def _remember(self, key: tuple[bytes, bool], head: AnswerHead) -> AnswerHead:
        if len(self._known) >= _MOST_BLOCKS or self._bytes > _MOST_BYTES:
            self._known.clear()
            self._bytes = 0
        self._known[key] = head
        self._bytes += len(key[0])
        return head


class _Frame(NamedTuple):
    """What the fields that concern the connection alone say. `drops` are the names of the lines that do not go on."""

    length: int
    close: bool
    upgrade: bytes
    drops: frozenset[bytes]


@lru_cache(maxsize=4096)
def _framing(special: tuple[tuple[bytes, bytes], ...]) -> _Frame:
    pairs = [(name, value.rstrip(b"\t ")) for name, value in special]
    single = _singles(pairs)
    tokens = _tokens(pairs)
    drops = (_HOP | tokens) - {b"content-length"}
    useless = drops == _HOP and all(name.lower() == b"content-length" for name, _ in pairs)
    length = _length(single, UNTIL_CLOSE, answer=True)
    return _Frame(length, b"close" in tokens, single.get(b"upgrade", b""), frozenset() if useless else drops)


def _without(block: bytes, drops: frozenset[bytes]) -> bytes:
    """The lines of a block, each with the line end before it, without those of some names."""
    kept = _HOP_LINE.sub(b"", block)
    if drops <= _HOP_AND_TOKENS:
        return kept
    return b"".join(b"\r\n%b: %b" % pair for pair in _FIELD.findall(kept) if pair[0].lower() not in drops) + b"\r\n"


def _fields(data: bytes) -> list[tuple[bytes, bytes]]:
    if not _BLOCK.match(data):
        raise BadHeadError("a header field is not as it must be")
    return [(name, value.rstrip(b"\t ")) for name, value in _FIELD.findall(data)]


_SINGLE = frozenset(b"host content-length transfer-encoding upgrade expect".split())


def _singles(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The fields that may be there once, by name."""
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        low = name.lower()
        if low in _SINGLE:
            if low in found:
                raise BadHeadError(f"{low.decode()} is there twice")
            found[low] = value
    return found


def _tokens(pairs: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """What Connection names."""
    named = [value for name, value in pairs if name.lower() == b"connection"]
    return frozenset(token.strip().lower() for value in named for token in value.split(b",")) if named else frozenset()


def _length(single: Mapping[bytes, bytes], otherwise: int, *, answer: bool = False) -> int:
    length, coding = single.get(b"content-length"), single.get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise BadHeadError("both Content-Length and Transfer-Encoding are there")
        if coding.lower() != b"chunked":
            raise BadHeadError("the transfer coding is not chunked", 400 if not answer else 502)
        return CHUNKED
    if length is None:
        return otherwise if answer else 0
    if not _LENGTH.fullmatch(length):
        raise BadHeadError("Content-Length is not a number")
    return int(length)


def _ways(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """What a trusted peer says of the way before it; several fields of one name are one list."""
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        low = name.lower()
        if low.startswith(_FORWARDED) and value:
            found[low] = found[low] + b", " + value if low in found else value
    return found


def _readable(pairs: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.lower().decode("ascii"), value.decode("utf-8", "surrogateescape")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return MappingProxyType(found)
