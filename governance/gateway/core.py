"""What all connections of a gateway share: the table of routes, the servers, the pool, the rules and the counts."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Protocol

from governance.clock import Clock
from governance.gateway.access_log import AccessLog
from governance.gateway.choice import UpstreamChoice, choice_of
from governance.gateway.config import GatewayConfig, Limits, Network
from governance.gateway.downstream import ClientConnection
from governance.gateway.exchange import Exchange
from governance.gateway.failures import Failures
from governance.gateway.forwarding import ready_reply
from governance.gateway.heads import RequestHeads
from governance.gateway.incoming import Reader
from governance.gateway.metrics import Tally
from governance.gateway.pool import Pool
from governance.gateway.servers import Server
from governance.gateway.table import Entry, RouteTable

Local = Callable[[], tuple[bytes, str]]
"""An answer that the process gives itself: its body and media type."""


class Governor(Protocol):
    """What puts requests under rules."""

    def governs(self, entry: Entry) -> bool:
        """Whether requests of a route must pass it."""

    async def govern(self, exchange: Exchange, entry: Entry) -> None:
        """Take a request through its rules to its answer."""


class Core:
    """One gateway, without its listeners."""

    def __init__(self, config: GatewayConfig, *, clock: Clock = time.monotonic) -> None:
        self.config = config
        self.limits: Limits = config.limits
        self.local: Mapping[str, Local] = {}
        """What this process answers itself where no route fits, by path."""
        self.now = clock
        self.pool = Pool(most=self.limits.upstream_connections, patience=self.limits.connect_timeout / 1000)
        self.tally = Tally()
        self.access_log = AccessLog()
        self.failures = Failures(clock)
        self.governor: Governor | None = None
        self.draining = False
        self.in_flight = 0
        self.unreadable = 0
        self.refused = 0
        self.clients: set[ClientConnection] = set()
        self._emptied = asyncio.Event()
        self.choices: Mapping[str, UpstreamChoice] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._readers: Mapping[bool, Reader] = {}
        self._heads = {True: RequestHeads(trusted=True), False: RequestHeads(trusted=False)}
        self._trusted: tuple[Network, ...] = ()
        self._lanes: frozenset[str] = frozenset()
        self._table = RouteTable(config.routes)
        self.apply(config)

    def apply(self, config: GatewayConfig) -> None:
        """Obey a configuration from now on. Requests under way go on as they began; draws of an upstream that stays the same go on, too."""
        before, trusted = self.config.upstreams, self._trusted
        self.choices = {
            name: self.choices[name]
            if name in self.choices and before.get(name) == upstream
            else choice_of(name, upstream, self.now)
            for name, upstream in config.upstreams.items()
        }
        self._table = RouteTable(config.routes)
        self._read_anew()
        self._trusted = config.trusted_peers
        self.config = config
        if self._trusted != trusted:
            for client in self.clients:
                client.recognise()

    def guard(self, lanes: frozenset[str]) -> None:
        """From now on these headers carry lanes, too: what clients say in them that nobody trusts is dropped."""
        if lanes == self._lanes:
            return
        self._lanes = lanes
        names = frozenset(name.encode("ascii") for name in lanes)
        self._heads = {trusted: RequestHeads(trusted=trusted, lanes=names) for trusted in (True, False)}
        self._read_anew()

    def _read_anew(self) -> None:
        self._readers = {trusted: Reader(heads, self._table) for trusted, heads in self._heads.items()}

    def run_in(self, tasks: asyncio.TaskGroup) -> None:
        """The owner of what runs beside the loop."""
        self._tasks = tasks

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run something beside the loop."""
        if self._tasks is None:
            work.close()
            raise RuntimeError("the gateway is not running")
        return self._tasks.create_task(work)

    def reader(self, *, trusted: bool) -> Reader:
        """The reader of requests from a kind of peer."""
        return self._readers[trusted]

    def trusts(self, address: str) -> bool:
        """Whether what a peer says of the way before it is believed."""
        if not self._trusted:
            return False
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(found, "ipv4_mapped", None) or found
        return any(plain in network for network in self._trusted)

    def admit(self, client: ClientConnection) -> bool:
        """Whether a client may come in."""
        self.clients.add(client)
        self._emptied.clear()
        if len(self.clients) <= self.limits.connections:
            return True
        self.refused += 1
        return False

    def forget(self, client: ClientConnection) -> None:
        """A client has left."""
        self.clients.discard(client)
        if not self.clients:
            self._emptied.set()

    def governs(self, entry: Entry) -> bool:
        """Whether rules must be asked for requests of a route."""
        return self.governor is not None and self.governor.governs(entry)

    async def govern(self, exchange: Exchange, entry: Entry) -> None:
        """Take a request through its rules."""
        if self.governor is not None:
            await self.governor.govern(exchange, entry)

    def choice(self, upstream: str) -> UpstreamChoice | None:
        """The servers of an upstream; None where there is none of that name any more."""
        return self.choices.get(upstream)

    def choose(self, entry: Entry, exchange: Exchange) -> Server | None:
        """The server of an upstream for a request."""
        choice = self.choice(entry.route.upstream)
        return choice.choose(exchange.tried) if choice is not None else None

    def avoid(self, entry: Entry, server: Server) -> None:
        """A server could not be connected to."""
        choice = self.choice(entry.route.upstream)
        if choice is not None:
            choice.avoid(server)

    @staticmethod
    def ready(body: bytes, media_type: str, *, close: bool, bodiless: bool) -> bytes:
        """An answer of this process."""
        return ready_reply(200, body, media_type, close=close, bodiless=bodiless)

    def account(self, exchange: Exchange, entry: Entry | None, server: Server | None, status: int) -> None:
        """A request has ended."""
        self.in_flight -= 1
        seconds = self.now() - exchange.began
        self.tally.count(entry, server, status, seconds)
        if exchange.lane is not None:
            self.tally.count_lane(exchange.lane, entry)
        if self.config.access_log:
            self.access_log.write(exchange, entry, server, status, seconds)

    def sweep(self) -> None:
        """Let go of what takes too long. To be called several times a second."""
        now = self.now()
        for client in tuple(self.clients):
            client.sweep(now)
        self.pool.sweep(now)

    async def empty(self) -> None:
        """Wait until no client is there."""
        if self.clients:
            await self._emptied.wait()

    def drain(self) -> None:
        """Take no new requests: idle clients are let go at once, the others after their answer."""
        self.draining = True
        for client in tuple(self.clients):
            if client.idle:
                client.close()
