"""One request and its answer: from the choice of a server to the last byte.

Theory of operation. A request whose route no rule governs goes straight on: its server is chosen, and where a connection is idle, the head
is written in the same step of the loop, without a task. Everything else runs as a task that the core owns: connecting, and the stages of
governance, which may send it more than once. While a stage decides, the head of an answer is held and the server is not read; when it is
relayed, parts pass as they come. What a body has sent so far is kept within a bound, and only for as long as that holds, and not a byte
of an answer has been relayed, can the request be sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, NamedTuple

from governance.gateway.forwarding import framed, header_lines, local_reply, reply_head, request_head
from governance.gateway.heads import UNTIL_CLOSE, AnswerHead, hostname
from governance.gateway.incoming import Incoming
from governance.gateway.table import Entry, PathOf
from governance.invocation.context import written
from governance.logs import logger

if TYPE_CHECKING:
    from governance.gateway.core import Core
    from governance.gateway.downstream import ClientConnection
    from governance.gateway.servers import Server
    from governance.gateway.upstream import UpstreamConnection
    from governance.routing.lanes import Mark

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
log = logger(__name__)


class _Held(NamedTuple):
    """The beginning of an answer that a stage has not let pass yet."""

    head: AnswerHead
    data: bytes
    done: bool


class Exchange:
    """A request under way. It is the receiver of what a server answers."""

    __slots__ = (
        "_again",
        "_body",
        "_body_done",
        "_client",
        "_core",
        "_endless",
        "_entry",
        "_held",
        "_host",
        "_path",
        "_refusal",
        "_relayed",
        "_reusable",
        "_server",
        "_stale",
        "_target",
        "_task",
        "_touched",
        "_tries",
        "_upstream",
        "_waiter",
        "began",
        "block",
        "lane",
        "line",
        "status",
        "tried",
    )

    def __init__(self, client: ClientConnection, core: Core, incoming: Incoming) -> None:
        self._client = client
        self._core = core
        self.line, self.block, self._host, self._path, self._entry, self._target, self._refusal = incoming
        self.began = self._touched = core.now()
        self.status = 0
        self.tried: list[str] = []
        self.lane: Mark | None = None
        self._body = b""
        self._body_done = False
        self._again = True
        """Whether all of the body that has come is still kept."""
        self._tries = 0
        self._server: Server | None = None
        self._upstream: UpstreamConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[AnswerHead] | None = None
        self._held: _Held | None = None
        self._relayed = False
        self._reusable = False
        self._endless = False
        self._stale = False
        """Whether a connection that was used before has failed before an answer: the server has closed it meanwhile."""

    # From the client.

    def begin(self, data: bytes, *, done: bool) -> None:
        """The head has come, and so much of the body."""
        self._body, self._body_done = data, done
        self._core.in_flight += 1
        entry = self._entry
        if entry is None:
            self._without_route()
        elif self._core.governs(entry):
            self._run(self._core.govern(self, entry))
        else:
            self._send_on(entry)

    def _without_route(self) -> None:
        answer = self._core.local.get(self._path.plain)
        if self._refusal:
            self.reply(400, self._refusal)
        elif answer is None or self.line.method not in (b"GET", b"HEAD"):
            self.reply(404, "there is no route for this")
        else:
            body, media_type = answer()
            self._reply_ready(body, media_type)

    def upload(self, data: bytes, *, done: bool) -> None:
        """More of the body has come, or of what a websocket carries."""
        self._touched = self._core.now()
        self._body_done = self._body_done or done
        if self._upstream is not None:
            self._upstream.write(data)
        if not self._again:
            return
        self._body += data
        if len(self._body) > self._core.limits.replay_bytes:
            if self._upstream is None:
                self._client.pause()
            else:
                self._forget_body()

    def abandon(self) -> None:
        """The client has left."""
        if self._task is not None:
            self._task.cancel()
        self._drop_upstream()
        self._account(499)

    def client_holds(self) -> None:
        """The client does not take its answer: the server is not read for now."""
        if self._upstream is not None:
            self._upstream.pause()

    def client_goes_on(self) -> None:
        """It takes it again."""
        self._touched = self._core.now()
        if self._upstream is not None and self._held is None:
            self._upstream.resume()

    # To the server.

    @property
    def peer(self) -> str:
        """The client's address."""
        return self._client.peer.address

    @property
    def idempotent(self) -> bool:
        """Whether the method may be repeated without harm."""
        return self.line.method in _IDEMPOTENT

    @property
    def replayable(self) -> bool:
        """Whether the request can be sent again: nothing was sent yet, or it does no harm, and the whole body will be there."""
        if self._tries == 0:
            return True
        return self._again and self.idempotent and 0 <= self.block.length <= self._core.limits.replay_bytes

    @property
    def path(self) -> PathOf:
        """The path as it was asked for."""
        return self._path

    @property
    def path_that_goes_on(self) -> str:
        """The path that the server is asked for, as rules see it."""
        return self._path.plain if self._entry is None else self._entry.plain(self._path)

    @property
    def hostname(self) -> str:
        """The host that was asked for, in small letters and without its port."""
        return hostname(self._host)

    def _send_on(self, entry: Entry) -> None:
        server = self._core.choose(entry, self)
        if server is None:
            self.reply(503, f"no server of {entry.route.upstream} is there for this request")
            return
        # Where one that was used before has failed, the next idle one may be as old.
        connection = self._core.pool.take(server) if not self._stale else None
        if connection is not None:
            self._send(entry, connection, server)
        else:
            self._run(self._connect(entry, server))

    def _run(self, work: Coroutine[object, object, None]) -> None:
        self._task = self._core.spawn(self._guarded(work))

    async def _guarded(self, work: Coroutine[object, object, None]) -> None:
        """A mistake of ours costs one request, not the gateway."""
        try:
            await work
        except Exception:
            log.exception("gateway.mistake", route=self._entry.name if self._entry else "")
            if self._relayed:
                self._client.cut()
            else:
                self.reply(500, "the gateway has made a mistake")

    async def _connect(self, entry: Entry, server: Server) -> None:
        try:
            connection = await self._core.pool.connect(server)
        except OSError as error:
            self._core.avoid(entry, server)
            self._tries += 1
            self.tried.append(server.instance_id)
            self._failed(entry, error, sent=False)
            return
        self._send(entry, connection, server)

    async def once(self, entry: Entry, server: Server, context: Mapping[str, str]) -> AnswerHead:
        """Send the request and wait for the head of the answer, which is held. Raises `OSError`, also where it cannot be repeated."""
        self._drop_upstream()
        self._held = None
        if not self._again:
            raise ConnectionError("the body is not there any more, so the request cannot be sent again")
        connection = self._core.pool.take(server)
        if connection is not None:
            try:
                return await self._asked(entry, connection, server, context)
            except ConnectionError:
                if not (self._stale and self.idempotent and self._again):
                    raise
        return await self._asked(entry, await self._core.pool.connect(server), server, context)

    async def _asked(
        self, entry: Entry, connection: UpstreamConnection, server: Server, context: Mapping[str, str]
    ) -> AnswerHead:
        self._waiter = asyncio.get_running_loop().create_future()
        said = written(context)
        self._send(entry, connection, server, header_lines({**said, **self.lane.headers} if self.lane else said))
        try:
            return await self._waiter
        except BaseException:
            self._drop_upstream()
            raise
        finally:
            self._waiter = None

    def _send(self, entry: Entry, connection: UpstreamConnection, server: Server, context: bytes | None = None) -> None:
        self._tries += 1
        self.tried.append(server.instance_id)
        self._touched = self._core.now()
        self._upstream, self._server = connection, server
        host = self._host if entry.route.preserve_host else server.authority
        ways = self._client.peer.ways(self.block, self._host)
        head = request_head(self.line, self.block, self._target, host, ways, server)
        bodiless = self.line.method == b"HEAD"
        body = self._body
        said = self.block.context if context is None else context
        connection.send(self, b"%b%b\r\n%b" % (head, said, body), bodiless=bodiless, unframed=self.line.old)
        if body and len(body) > self._core.limits.replay_bytes:
            self._forget_body()
        self._client.resume()

    def _forget_body(self) -> None:
        self._again = False
        self._body = b""

    def _drop_upstream(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()

    # From the server.

    def answered(self, head: AnswerHead, data: bytes, *, done: bool) -> None:
        """See `Receiver`."""
        self._touched = self._core.now()
        if head.status == 101 and not self.block.websocket:
            self.broken(ConnectionError("the server switches protocols without being asked"), untouched=False)
            return
        if self._waiter is not None and not self._waiter.done():
            self._held = _Held(head, data, done)
            if not done and self._upstream is not None:
                self._upstream.pause()
            self._waiter.set_result(head)
            return
        self._relay(head, data, done=done)

    def relay(self) -> None:
        """Let the answer that is held pass."""
        held, self._held = self._held, None
        if held is None:
            self.reply(502, "the answer was lost")
            return
        self._relay(held.head, held.data, done=held.done)
        if not held.done and self._upstream is not None:
            self._upstream.resume()

    def _relay(self, head: AnswerHead, data: bytes, *, done: bool) -> None:
        self._relayed = True
        self._forget_body()
        self.status = head.status
        self._reusable = head.reusable
        self._endless = head.length == UNTIL_CLOSE and not self.line.old
        start = reply_head(head, old=self.line.old, close=not self._keeps)
        self._client.write(start + (framed(data, done=done) if self._endless else data))
        if head.status == 101:
            self._client.tunnel()
        elif done:
            self._finish()

    @property
    def _keeps(self) -> bool:
        """Whether the client's connection goes on after this request."""
        return not (self.line.old or self.block.close or self._core.draining) and self._body_done

    def more(self, data: bytes, *, done: bool) -> None:
        """See `Receiver`."""
        self._touched = self._core.now()
        if self._held is not None:
            self._held = _Held(self._held.head, self._held.data + data, done)
            return
        if data or self._endless:
            self._client.write(framed(data, done=done) if self._endless else data)
        if done:
            self._finish()

    def _finish(self) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.release(self._core.now(), reusable=self._reusable and self._body_done)
        self._account(self.status)
        self._client.finished(keep=self._keeps and self.status != 101)

    def broken(self, error: OSError, *, untouched: bool) -> None:
        """See `Receiver`."""
        upstream, self._upstream = self._upstream, None
        self._stale = untouched and upstream is not None and upstream.used
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_exception(error)
        elif self._relayed or self._entry is None:
            # What has come looks like the beginning of a good answer: only the cut says that it is not whole.
            self._client.cut()
        elif self._held is not None:
            # Whoever has said everything may leave.
            self._held = self._held if self._held.done else None
        else:
            self._failed(self._entry, error, sent=True, untouched=untouched)

    def hold(self) -> None:
        """See `Receiver`."""
        self._client.pause()

    def go_on(self) -> None:
        """See `Receiver`."""
        self._client.resume()

    def _failed(self, entry: Entry, error: OSError, *, sent: bool, untouched: bool = True) -> None:
        """A try has failed: try again where that is safe, or say so."""
        safe = not sent or (self.idempotent and untouched and not isinstance(error, TimeoutError))
        if safe and self._again and self._tries < entry.route.tries:
            self._send_on(entry)
            return
        self.fail(error)

    def fail(self, error: OSError) -> None:
        """Answer that no server did."""
        server = self._server.instance_id if self._server is not None else ", ".join(self.tried)
        self._core.failures.tell(self._entry.name if self._entry else "", server, error)
        if isinstance(error, TimeoutError):
            self.reply(504, "the server did not answer in time")
        else:
            self.reply(502, "the server could not be reached" if not self._server else "the server did not answer")

    # Back to the client.

    def reply(self, status: int, text: str) -> None:
        """Answer without a server."""
        self._drop_upstream()
        self._held = None
        self.status = status
        close = not self._keeps
        self._client.write(local_reply(status, text, close=close, bodiless=self.line.method == b"HEAD"))
        self._finish()

    def _reply_ready(self, body: bytes, media_type: str) -> None:
        self.status = 200
        bodiless = self.line.method == b"HEAD"
        self._client.write(self._core.ready(body, media_type, close=not self._keeps, bodiless=bodiless))
        self._finish()

    def sweep(self, now: float) -> None:
        """Give up where nothing has moved for too long. While a stage waits, nothing is expected to."""
        entry = self._entry
        if entry is None or self._upstream is None or now - self._touched <= entry.route.timeout / 1000:
            return
        if self._held is not None:
            return
        if self._relayed or not self._body_done:
            self._client.cut()
            return
        self._drop_upstream()
        self.broken(TimeoutError("no answer in time"), untouched=False)

    def _account(self, status: int) -> None:
        if self.began:
            self._core.account(self, self._entry, self._server, status)
            self.began = 0.0
