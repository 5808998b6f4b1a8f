"""The hot path: heartbeats, batch heartbeats, repeated registrations and finds answered on the protocol class itself, without parsing what was parsed before.

Theory of operation. A client repeats itself: the request line of its heartbeat never changes, nor does that of its find until the
revision does, nor the header block of its connection. So two memos answer most requests: `_lines` from a request line to what was answered
by it, `_heads` from a header block to what matters in it. A request that both know, that is whole, and that comes while the connection
is idle, is answered at once. Everything else goes down aiohttp's path, whose handlers are the truth: only what they have answered enters the
memo (`learn`), and what they answered is what is repeated, byte for byte. An entry that no longer holds (the lease ended, the answer is stale)
is forgotten, and its request takes the long way.

Both memos are bounded: a full one starts anew. Nothing here can change the catalog but for renewing leases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from registry.api.call import EMPTY, Call, Reply, Tenancy
from registry.api.gate import gzip
from registry.api.service_center import discovery, instances
from registry.api.service_center.discovery import honoured_revision
from registry.catalog.leases import Lease

if TYPE_CHECKING:
    from registry.catalog.discovery import Answer

_PLAIN_HEADERS = frozenset(
    (b"host", b"user-agent", b"accept", b"accept-encoding", b"connection", b"content-type", b"content-length")
    + (b"x-domain-name", b"x-consumerid", b"authorization", b"accept-language", b"cache-control", b"pragma")
)
_LONGEST_HEAD = 4096
_LEARNED = frozenset((instances.heartbeat, instances.heartbeats, instances.register, discovery.find))


@dataclass(frozen=True, slots=True)
class Head:
    """What matters of a header block: who asks, how long the body is, whether the answer may be compressed."""

    caller: tuple[bytes, bytes]
    length: int
    gzip: bool


@dataclass(slots=True)
class _Find:
    """A find that was answered, and for which revision of the client."""

    answer: Answer
    known: str
    wire: dict[bool, tuple[bytes, bytes]]


@dataclass(slots=True)
class _Beats:
    """A body that was answered and that renews leases, all of which must still be alive: a batch, or a registration repeated."""

    leases: list[Lease]
    wire: tuple[bytes, bytes]


class HotPath:
    """The memos, shared by all connections. `size` bounds each; `server` is the Server header."""

    def __init__(self, server: str, size: int, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._size = size
        self._server = server
        self._heads: dict[bytes, Head | None] = {}
        self._beats: dict[bytes, tuple[bytes, Lease]] = {}
        self._finds: dict[bytes, dict[tuple[bytes, bytes], _Find]] = {}
        self._bodies: dict[tuple[bytes, bytes, bytes], _Beats] = {}
        self._body_lines: dict[bytes, str] = {}
        self._date = b""
        self._empty = (b"", b"")
        self.served = {"heartbeat": 0, "find": 0, "heartbeats": 0, "register": 0}
        self.tick()

    @property
    def entries(self) -> int:
        """How many answers are remembered."""
        return len(self._beats) + len(self._finds) + len(self._bodies)

    def tick(self) -> None:
        """Bring the Date header up to date: call it at least once a second."""
        self._date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        self._empty = self._wire(EMPTY)

    def answer(self, data: bytes) -> tuple[bytes, ...] | None:
        """The whole answer to a whole request that is known, or nothing: then it takes the long way."""
        end = data.find(b"\r\n")
        line = data[:end]
        beat = self._beats.get(line)
        if beat is not None:
            return self._heartbeat(line, beat, data, end)
        finds = self._finds.get(line)
        if finds is not None:
            return self._find(line, finds, data, end)
        if line in self._body_lines:
            return self._repeated(line, data, end)
        return None

    def _heartbeat(self, line: bytes, beat: tuple[bytes, Lease], data: bytes, end: int) -> tuple[bytes, ...] | None:
        head = self._head(data[end:])
        domain, lease = beat
        if head is None or head.length or head.caller[0] != domain:
            return None
        if not lease.alive:
            del self._beats[line]
            return None
        lease.beat()
        self.served["heartbeat"] += 1
        status, rest = self._empty
        return status, self._date, rest

    def _find(
        self, line: bytes, finds: dict[tuple[bytes, bytes], _Find], data: bytes, end: int
    ) -> tuple[bytes, ...] | None:
        head = self._head(data[end:])
        found = finds.get(head.caller) if head is not None and not head.length else None
        if found is None or head is None:
            return None
        if found.answer.stale:
            del finds[head.caller]
            return None
        wire = found.wire.get(head.gzip)
        if wire is None:
            wire = found.wire[head.gzip] = self._wire(discovery.answered(found.answer, found.known), compress=head.gzip)
        self.served["find"] += 1
        return wire[0], self._date, wire[1]

    def _repeated(self, line: bytes, data: bytes, end: int) -> tuple[bytes, ...] | None:
        split = data.find(b"\r\n\r\n", end) + 4
        head = self._head(data[end:split])
        body = data[split:]
        if head is None or head.length != len(body) or head.gzip:
            return None
        key = (line, head.caller[0], body)
        known = self._bodies.get(key)
        if known is None:
            return None
        for lease in known.leases:
            if not lease.alive or lease.protected_until:
                del self._bodies[key]
                return None
        for lease in known.leases:
            lease.beat()
        self.served[self._body_lines[line]] += 1
        return known.wire[0], self._date, known.wire[1]

    def _head(self, block: bytes) -> Head | None:
        """The facts of a header block (with its leading and closing line ends), if it has none that asks for more."""
        try:
            return self._heads[block]
        except KeyError:
            pass
        if len(block) > _LONGEST_HEAD:
            return None
        if len(self._heads) >= self._size:
            self._heads.clear()
        head = self._heads[block] = parse_head(block)
        return head

    def learn(self, call: Call, reply: Reply) -> None:
        """Remember what a handler answered, where it is one that repeats."""
        handler = call.route.handler
        if handler not in _LEARNED or not self.enabled or reply.status not in (200, 304):
            return
        if call.route.tenancy is not Tenancy.V4 or call.request.version != (1, 1):
            return
        if self.entries >= self._size:
            self._beats.clear()
            self._finds.clear()
            self._bodies.clear()
            self._body_lines.clear()
        line = f"{call.request.method} {call.request.raw_path} HTTP/1.1".encode("utf-8", "surrogateescape")
        domain = call.header("X-Domain-Name").encode("utf-8", "surrogateescape")
        if handler is instances.heartbeat:
            self._learn_beat(call, line, domain)
        elif handler is discovery.find:
            self._learn_find(call, line, domain)
        elif handler is instances.heartbeats:
            self._learn_batch(call, line, domain, reply)
        elif handler is instances.register:
            self._learn_registration(call, line, domain, reply)

    def _learn_beat(self, call: Call, line: bytes, domain: bytes) -> None:
        catalog = call.engine.catalog
        instance = catalog.instances.get(call.tenant, call.params["serviceId"], call.params["instanceId"])
        self._beats[line] = (domain, instance.lease)

    def _learn_find(self, call: Call, line: bytes, domain: bytes) -> None:
        query = discovery.query_of(call)
        if not query.plain:
            return
        consumer = call.header("X-ConsumerId").encode("utf-8", "surrogateescape")
        answer = call.engine.catalog.discovery.find(call.tenant, query, call.engine.now())
        self._finds.setdefault(line, {})[(domain, consumer)] = _Find(answer, honoured_revision(call), {})

    def _learn_batch(self, call: Call, line: bytes, domain: bytes, reply: Reply) -> None:
        if b"errMessage" in reply.body:
            return
        state = call.engine.catalog.state.existing(call.tenant)
        leases = [state.instances_of(owner)[name].lease for owner, name in instances.batch_of(call.body)]
        self._body_lines[line] = "heartbeats"
        self._bodies[(line, domain, call.body)] = _Beats(leases, self._wire(reply))

    def _learn_registration(self, call: Call, line: bytes, domain: bytes, reply: Reply) -> None:
        """A registration that names its instance only renews the lease when it comes again, unless it may update."""
        name = instances.named_instance(call.body)
        if not name or call.engine.catalog.limits.instance_update_on_register:
            return
        instance = call.engine.catalog.instances.get(call.tenant, call.params["serviceId"], name)
        self._body_lines[line] = "register"
        self._bodies[(line, domain, call.body)] = _Beats([instance.lease], self._wire(reply))

    def _wire(self, reply: Reply, *, compress: bool = False) -> tuple[bytes, bytes]:
        """The answer's bytes before and after the Date header, exactly as aiohttp writes them for `Gate.render`."""
        body = reply.body
        headers = {"Content-Type": reply.content_type, "Server": self._server, "Vary": "Origin, Accept-Encoding"}
        headers.update(reply.headers)
        if compress and len(body) >= 1400:
            body = gzip(body)
            headers["Content-Encoding"] = "gzip"
        if reply.status == 304:
            del headers["Content-Type"]
        else:
            headers["Content-Length"] = str(len(body))
        reason = "OK" if reply.status == 200 else "Not Modified"
        lines = [f"HTTP/1.1 {reply.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, ""]).encode(), b"\r\n" + body


def parse_head(block: bytes) -> Head | None:
    """The facts of a header block, or nothing where a header asks for more than the hot path gives."""
    facts: dict[bytes, bytes] = {}
    for line in block.strip(b"\r\n").split(b"\r\n"):
        name, colon, value = line.partition(b":")
        folded = name.lower()
        if not colon or folded in facts or folded not in _PLAIN_HEADERS:
            return None
        facts[folded] = value.strip(b" \t")
    length = facts.get(b"content-length", b"0")
    if b"host" not in facts or not length.isdigit() or len(length) > 7:
        return None
    if facts.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    caller = (facts.get(b"x-domain-name", b""), facts.get(b"x-consumerid", b""))
    return Head(caller, int(length), b"gzip" in facts.get(b"accept-encoding", b""))


class HotProtocol(RequestHandler):
    """A connection: aiohttp's, with the hot path before it, and with bounds on clients that dawdle."""

    __slots__ = ("_hot", "_loop_time", "_partial_since", "_reading_paused")

    def __init__(
        self, manager: web.Server, hot: HotPath, *, loop: asyncio.AbstractEventLoop, **options: object
    ) -> None:
        super().__init__(manager, loop=loop, **options)  # type: ignore[arg-type]
        self._hot = hot
        self._partial_since = 0.0
        self._reading_paused = False
        self._loop_time: Callable[[], float] = loop.time

    def data_received(self, data: bytes) -> None:
        """Answer what the hot path knows; hand everything else to aiohttp."""
        waiter = self._waiter
        idle = waiter is not None and not self._messages and not self._partial_since and not waiter.done()
        if idle and not self._upgraded and self._hot.enabled and self._whole(data):
            answer = self._hot.answer(data)
            if answer is not None and self.transport is not None:
                self._next_keepalive_close_time = self._loop_time() + self._keepalive_timeout
                self.transport.writelines(answer)
                return
        super().data_received(data)
        if waiter is not None and self._waiter is waiter and not waiter.done():
            self._partial_since = self._partial_since or self._loop_time()
        else:
            self._partial_since = 0.0

    @staticmethod
    def _whole(data: bytes) -> bool:
        """Whether the data may be one whole request: with a body, its length is compared later."""
        split = data.find(b"\r\n\r\n")
        return split >= 0 and (split + 4 == len(data) or data.startswith((b"PUT", b"POST")))

    def pause_writing(self) -> None:
        """The client does not read its answers: take no more requests from it until it does."""
        super().pause_writing()
        if self.transport is not None and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self.transport is not None and self._reading_paused:
            self._reading_paused = False
            self.transport.resume_reading()

    def overdue(self, now: float, timeout: float) -> bool:
        """Whether a request's head has been incomplete for longer than so many seconds."""
        return bool(self._partial_since) and now - self._partial_since > timeout

    def cut(self) -> None:
        """Drop the connection at once."""
        if self.transport is not None:
            self.transport.abort()


class HotServer(web.Server):
    """Makes the connections, bounds their number, and lets go of those that dawdle."""

    def __init__(self, handler, hot: HotPath, *, most: int, timeout: float, **options: object) -> None:  # type: ignore[no-untyped-def]
        super().__init__(handler, **options)  # type: ignore[arg-type]
        self._hot = hot
        self._most = most
        self._timeout = timeout
        self.refused = 0

    def __call__(self) -> RequestHandler:
        """A protocol for a new connection."""
        return HotProtocol(self, self._hot, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Count the connection; one too many is dropped."""
        super().connection_made(handler, transport)
        if len(self._connections) > self._most:
            self.refused += 1
            transport.abort()

    def sweep(self) -> None:
        """Drop connections whose request has been on its way for too long."""
        now = self._loop.time()
        for connection in self.connections:
            if isinstance(connection, HotProtocol) and connection.overdue(now, self._timeout):
                connection.cut()
