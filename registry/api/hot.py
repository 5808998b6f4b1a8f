"""The hot path: heartbeats, registrations and finds answered on the protocol class itself, without parsing what was parsed before.

Theory of operation. A client repeats itself: the request line of its heartbeat never changes, nor does that of its find until the
revision does, nor the header block of its connection. So memos answer most requests: from a request line (with its body, where there is
one) to what was answered by it, and from a header block to what matters in it. A request that both know, that is whole, and that comes
while the connection is idle, is answered at once. Everything else goes down aiohttp's path, whose handlers are the truth: only what
they have answered enters the memos (`learn`), and what they answered is what is repeated, byte for byte. An entry that no longer holds
(the lease ended, the answer is stale) is forgotten, and its request takes the long way.

What was answered so twice is known by its bytes from then on (registry/api/repeats.py): one look-up in place of four, which saves a
seventh of the processor time of a heartbeat.

While access control is on, nothing is answered here without a decision (`Verdict`) that the long way has made on the same line and
credentials, and that still holds: `_guard` exchanges `answer` then, so that it costs nothing while it is off. A change of access forgets
all decisions. What is known by its bytes was decided by these bytes, and ends with the token; what it renews or shows knows itself
whether it is still there.

A new registration cannot be repeated from a memo, but its line and head can be known: then it goes straight to the catalog, and its answer
is written when the journal has it, during which nothing more of its connection is answered. The same holds for what the config centre
is asked (registry/api/kie/hot.py).

All memos are bounded: a full one starts anew.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from registry.access import Mode
from registry.api.call import EMPTY, Call, Reply, Tenancy
from registry.api.gate import COMPRESSED_FROM, accepts_gzip, error_reply, gzip
from registry.api.heads import Heads
from registry.api.repeats import Beat, Beats, Find, Found, Repeat
from registry.api.service_center import discovery, instances
from registry.catalog.leases import Lease
from registry.errors import RegistryError

if TYPE_CHECKING:
    from registry.api.door.verdicts import Verdict
    from registry.engine import Engine

Wire = tuple[bytes, ...]
LATER: Wire = ()
"""Stands for an answer that is written later: when the journal has what it acknowledges, or when something has changed."""

_BYTES_AN_ENTRY = 1024
_PASSES_SECONDS = 60
"""After so long, those who are let in by their bytes alone are counted anew."""
REVISION = re.compile(rb"(?<=[?&]revision=)-?[0-9]{1,18}(?=[& ])")
"""The revision that a client has, in a request line."""
_LEARNED = frozenset((instances.heartbeat, instances.heartbeats, instances.register, discovery.find))


class Asker(Protocol):
    """The connection of a request. `when_lost` is called when it is lost before an answer that was promised by `LATER`."""

    when_lost: Callable[[], None] | None

    @property
    def remote(self) -> str: ...

    def answer_later(self, answer: Wire) -> None: ...

    def cut(self) -> None: ...


class Chapter(Protocol):
    """What another protocol has on the hot path: its own memos, by the request line."""

    @property
    def entries(self) -> int: ...

    def answer(self, line: bytes, data: bytes, end: int, asker: Asker) -> Wire | None: ...

    def learn(self, call: Call) -> None: ...


class HotPath:
    """The memos, shared by all connections. `size` bounds each, `largest` a registration's body; `server` is the Server header."""

    def __init__(self, engine: Engine, server: str, *, size: int, largest: int, enabled: bool = True) -> None:
        self.enabled = enabled
        self._engine = engine
        self._largest = largest
        self._size = size
        self._server = server
        self.head = Heads().of
        self._repeats: dict[bytes, Repeat] = {}
        self._beats: dict[bytes, tuple[bytes, Lease]] = {}
        self._finds: dict[bytes, dict[tuple[bytes, bytes], Find]] = {}
        self._bodies: dict[tuple[bytes, bytes, bytes], Beats] = {}
        self._body_lines: set[bytes] = set()
        self._owners: dict[tuple[bytes, bytes], tuple[str, str]] = {}
        self._bytes = 0
        self._verdicts: dict[bytes, dict[tuple[bytes, ...], Verdict]] = {}
        self._passes: dict[bytes, tuple[Repeat, float]] = {}
        self._passed_since = 0.0
        self._decided = 0
        self.verdict: Verdict | None = None
        self.answer: Callable[[bytes, Asker], Wire | None] = self._answer_open
        engine.access.state.on_change.append(self._guard)
        self.config: Chapter | None = None
        self.date = b""
        self._empty = self.wire(EMPTY)
        self.served = {"heartbeat": 0, "find": 0, "heartbeats": 0, "register": 0}
        self.tick()

    @property
    def entries(self) -> int:
        """How many answers are remembered."""
        own = len(self._repeats) + len(self._beats) + len(self._finds) + len(self._bodies) + len(self._owners)
        own += self._decided
        return own + (self.config.entries if self.config is not None else 0)

    def tick(self) -> None:
        """Bring the Date header up to date: call it at least once a second."""
        self.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        if self._passes and time.monotonic() - self._passed_since > _PASSES_SECONDS:
            self._passes.clear()
            self._passed_since = time.monotonic()

    def _guard(self) -> None:
        """While access control is on, whatever is answered needs a decision that the long way has made, and that still holds."""
        if self._engine.access.mode is Mode.OFF:
            self.answer = self._answer_open
        else:
            self.answer = self._answer_guarded
        self._forget_verdicts()

    def _forget_verdicts(self) -> None:
        self._decided = 0
        self._verdicts.clear()
        self._passes.clear()

    def _answer_guarded(self, data: bytes, asker: Asker) -> Wire | None:
        """As `_answer_open`, to whoever sent these bytes, or this line with these credentials, before and may still be answered."""
        admitted = self._passes.get(data)
        if admitted is not None:
            repeat, expires = admitted
            ready = repeat.again() if time.time() < expires else None
            if ready is not None:
                self.served[repeat.kind] += 1
                return ready[0], self.date, ready[1]
            del self._passes[data]
        verdict = self._verdict_on(data)
        return self._answer_on(verdict, data, asker) if verdict is not None and verdict.stands() else None

    def _answer_on(self, verdict: Verdict, data: bytes, asker: Asker) -> Wire | None:
        self.verdict = verdict
        try:
            answer = self._answer_open(data, asker)
        finally:
            self.verdict = None
        if answer is not None:
            verdict.note(asker.remote)
            repeat = self._repeats.get(data) if verdict.seen.refusal is None else None
            if repeat is not None:
                self._passes[data] = (repeat, verdict.expires)
        return answer

    def _verdict_on(self, data: bytes) -> Verdict | None:
        """What was decided on a request of this line, body (where it counts) and caller."""
        end, split = data.find(b"\r\n"), data.find(b"\r\n\r\n") + 4
        head = self.head(data[end:split]) if split > 3 else None
        if head is None:
            return None
        known = self._verdicts.get(stem_of(data[:end]))
        if known is None:
            return None
        who = (head.authorization, *head.caller)
        return known.get((*who, b"")) or known.get((*who, data[split:]))

    def learn_verdict(self, call: Call) -> None:
        """Remember what was decided on a request, where the same is decided whenever it comes again."""
        verdict = call.verdict
        if verdict is None or not verdict.repeatable or verdict.refused:
            return
        names = ("Authorization", "X-Domain-Name", "X-ConsumerId")
        who = tuple(call.header(name).encode("utf-8", "surrogateescape") for name in names)
        body = call.body if call.route.handler is instances.heartbeats else b""
        self._make_room(len(body) + len(who[0]))
        self._decided += 1
        self._verdicts.setdefault(stem_of(line_of(call)), {})[(*who, body)] = verdict

    def author(self, asker: Asker) -> str:
        """Who asks, for the audit log: as `Call.author`."""
        return f"{self.verdict.author if self.verdict is not None else ''}{asker.remote}"

    def _answer_open(self, data: bytes, asker: Asker) -> Wire | None:
        """The answer to a request that is known; nothing, if it must take the long way; or `LATER`, to be given to the asker."""
        repeat = self._repeats.get(data)
        if repeat is not None:
            ready = repeat.again()
            if ready is not None:
                self.served[repeat.kind] += 1
                return ready[0], self.date, ready[1]
            del self._repeats[data]
        return self._answer(data, asker) if _may_be_whole(data) else None

    def _answer(self, data: bytes, asker: Asker) -> Wire | None:
        end = data.find(b"\r\n")
        line = data[:end]
        beat = self._beats.get(line)
        if beat is not None:
            return self._heartbeat(line, beat, data, end)
        finds = self._finds.get(line)
        if finds is not None:
            return self._find(line, finds, data, end)
        if line in self._body_lines:
            return self._with_body(line, data, end, asker)
        return self.config.answer(line, data, end, asker) if self.config is not None else None

    def _heartbeat(self, line: bytes, beat: tuple[bytes, Lease], data: bytes, end: int) -> Wire | None:
        head = self.head(data[end:])
        domain, lease = beat
        if head is None or head.length or head.caller[0] != domain:
            return None
        del self._beats[line]
        return self._repeat(data, Beat(lease, self._empty))

    def _repeat(self, data: bytes, repeat: Repeat) -> Wire | None:
        """Answer what is known, and know it by its bytes from now on."""
        ready = repeat.again()
        if ready is None:
            return None
        self._repeats[data] = repeat
        self.served[repeat.kind] += 1
        return ready[0], self.date, ready[1]

    def _find(self, line: bytes, finds: dict[tuple[bytes, bytes], Find], data: bytes, end: int) -> Wire | None:
        head = self.head(data[end:])
        found = finds.get(head.caller) if head is not None and not head.length else None
        if found is None or head is None:
            return None
        del finds[head.caller]
        if not finds:
            del self._finds[line]
        return self._repeat(data, Found(found, head.gzip))

    def _with_body(self, line: bytes, data: bytes, end: int, asker: Asker) -> Wire | None:
        split = data.find(b"\r\n\r\n", end) + 4
        head = self.head(data[end:split])
        body = data[split:]
        if head is None or head.length != len(body):
            return None
        domain = head.caller[0]
        known = self._bodies.pop((line, domain, body), None) if not head.gzip else None
        if known is not None:
            return self._repeat(data, known)
        owner = self._owners.get((line, domain))
        if owner is None or len(body) > self._largest:
            return None
        return self._register(data, owner, body, asker)

    def _register(self, data: bytes, owner: tuple[str, str], body: bytes, asker: Asker) -> Wire:
        self.served["register"] += 1
        try:
            name, stored = self._engine.begin(instances.registration(self._engine, *owner, body), self.author(asker))
        except RegistryError as error:
            return self.dated(error_reply(error))
        reply = instances.registered(name)
        # One that changes nothing may rely on what is not stored yet: a registration of the same instance just before.
        stored = stored or self._engine.committer.pending
        if stored is None:
            self._remember(data, owner, name, reply)
            return self.dated(reply)

        def acknowledge(done: asyncio.Future[None]) -> None:
            failure = RegistryError(500011, "the engine is stopping") if done.cancelled() else done.exception()
            asker.answer_later(self.dated(error_reply(failure) if isinstance(failure, RegistryError) else reply))

        stored.add_done_callback(acknowledge)
        return LATER

    def _remember(self, data: bytes, owner: tuple[str, str], name: str, reply: Reply) -> None:
        """A registration that changed nothing only renews the lease when it comes again, unless it may update."""
        if self._engine.catalog.limits.instance_update_on_register:
            return
        self._make_room(len(data))
        instance = self._engine.catalog.instances.get(*owner, name)
        self._repeats[data] = Beats("register", [instance.lease], self.wire(reply))

    def dated(self, reply: Reply, *, compress: bool = False) -> Wire:
        """The whole answer."""
        before, after = self.wire(reply, compress=compress)
        return before, self.date, after

    def learn(self, call: Call, reply: Reply) -> None:
        """Remember what a handler answered, where it is one that repeats."""
        handler = call.route.handler
        if not self.enabled or reply.status not in (200, 304) or call.request.version != (1, 1):
            return
        if self.config is not None:
            self.config.learn(call)
        if handler not in _LEARNED or call.route.tenancy is not Tenancy.V4:
            return
        self.learn_verdict(call)
        line = line_of(call)
        self._make_room(len(line) + len(call.body))
        domain = call.header("X-Domain-Name").encode("utf-8", "surrogateescape")
        if handler is instances.heartbeat:
            self._learn_beat(call, line, domain)
        elif handler is discovery.find:
            self._learn_find(call, line, domain, reply)
        elif handler is instances.heartbeats:
            self._learn_batch(call, line, domain, reply)
        elif handler is instances.register:
            self._learn_owner(call, line, domain)

    def _make_room(self, size: int) -> None:
        """Start anew where there are too many entries, or where those since the last time were of more than a kilobyte on average."""
        self._bytes += size
        if self.entries >= self._size or self._bytes > self._size * _BYTES_AN_ENTRY:
            self._bytes = size
            self._repeats.clear()
            self._beats.clear()
            self._finds.clear()
            self._bodies.clear()
            self._body_lines.clear()
            self._owners.clear()
            self._forget_verdicts()

    def _learn_beat(self, call: Call, line: bytes, domain: bytes) -> None:
        catalog = call.engine.catalog
        instance = catalog.instances.get(call.tenant, call.params["serviceId"], call.params["instanceId"])
        self._beats[line] = (domain, instance.lease)

    def _learn_find(self, call: Call, line: bytes, domain: bytes, reply: Reply) -> None:
        query, catalog = discovery.query_of(call), call.engine.catalog
        if not query.plain or not catalog.discovery.is_recorded(call.tenant, query):
            return
        answer = catalog.discovery.find(call.tenant, query)
        if answer.revision != reply.headers[discovery.REVISION]:
            return  # it has changed since, and the change may not be stored yet
        not_modified, gzip_too = reply.status == 304, accepts_gzip(call.header("Accept-Encoding"))
        if (not_modified, gzip_too) not in answer.forms.ready:
            answer.forms.ready[(not_modified, gzip_too)] = self.wire(reply, compress=gzip_too)
        tenant = catalog.state.existing(call.tenant)
        consumer, rules = tenant.services.get(query.consumer_id), tenant.dependencies.get(query.consumer_id)
        name = call.header("X-ConsumerId").encode("utf-8", "surrogateescape")
        found = Find(answer.forms, not_modified, consumer, rules, tenant)
        self._finds.setdefault(line, {})[(domain, name)] = found

    def _learn_batch(self, call: Call, line: bytes, domain: bytes, reply: Reply) -> None:
        if b"errMessage" in reply.body:
            return
        state = call.engine.catalog.state.existing(call.tenant)
        leases = [state.instances_of(owner)[name].lease for owner, name in instances.batch_of(call.body)]
        self._body_lines.add(line)
        self._bodies[(line, domain, call.body)] = Beats("heartbeats", leases, self.wire(reply))

    def _learn_owner(self, call: Call, line: bytes, domain: bytes) -> None:
        self._body_lines.add(line)
        self._owners[(line, domain)] = (call.tenant, call.params["serviceId"])

    def wire(self, reply: Reply, *, compress: bool = False) -> tuple[bytes, bytes]:
        """The answer's bytes before and after the Date header, exactly as aiohttp writes them for `Gate.render`."""
        body = reply.body
        headers = {"Content-Type": reply.content_type, "Server": self._server, "Vary": "Origin, Accept-Encoding"}
        headers.update(reply.headers)
        if compress and len(body) >= COMPRESSED_FROM:
            body = gzip(body)
            headers["Content-Encoding"] = "gzip"
        if reply.status == 304:
            del headers["Content-Type"]
        else:
            headers["Content-Length"] = str(len(body))
        lines = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join([*lines, ""]).encode(), b"\r\n" + body


def _may_be_whole(data: bytes) -> bool:
    """Whether the data may be one whole request: with a body, its length is compared later."""
    split = data.find(b"\r\n\r\n")
    return split >= 0 and (split + 4 == len(data) or data.startswith((b"PUT", b"POST")))


def stem_of(line: bytes) -> bytes:
    """A request's line without the revision that its client has, which changes from poll to poll and decides nothing."""
    return REVISION.sub(b"", line) if b"revision=" in line else line


def line_of(call: Call) -> bytes:
    """The request's line as it came."""
    return f"{call.request.method} {call.request.raw_path} HTTP/1.1".encode("utf-8", "surrogateescape")
