"""Clients that dawdle, never read, or come in crowds: each is bounded, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.engine import Client, EngineProcess, client_of, eventually, running_engine
from tests.faults.watching import watching
from tests.raw import RawConnection, connect, request

ROOT = "/v4/default/registry"


async def _metric(client: Client, name: str) -> float:
    async with client.session.get(f"{client.url}/metrics") as answer:
        found = re.search(rf"^{name} (\S+)$", await answer.text(), re.MULTILINE)
    assert found, name
    return float(found[1])


class Heartbeats:
    """Another client, who beats all the while; `slowest` is the longest that it waited, in seconds."""

    def __init__(self, connection: RawConnection, line: str) -> None:
        self._connection = connection
        self._beat = request("PUT", line)
        self.slowest = 0.0
        self.count = 0

    async def once(self) -> None:
        """One heartbeat, which must be taken."""
        started = time.perf_counter()
        assert (await self._connection.exchange(self._beat)).status == 200
        self.slowest = max(self.slowest, time.perf_counter() - started)
        self.count += 1

    async def forever(self) -> None:
        """Beat until cancelled."""
        while True:
            await self.once()


@contextlib.asynccontextmanager
async def _beating(engine: EngineProcess, client: Client) -> AsyncIterator[Heartbeats]:
    """A client that beats beside the block, and fails the test where a heartbeat fails."""
    service = await client.service("beating")
    await client.instance(service, instanceId="i")
    async with connect(engine.port) as connection, asyncio.TaskGroup() as tasks:
        beats = Heartbeats(connection, f"{ROOT}/microservices/{service}/instances/i/heartbeat")
        task = tasks.create_task(beats.forever())
        yield beats
        task.cancel()
    assert beats.count > 10


async def test_a_head_that_comes_byte_by_byte_is_cut_off(tmp_path: Path) -> None:
    """However steadily it dribbles: the whole head has request_timeout."""
    async with (
        running_engine(tmp_path / "data", request_timeout=1) as engine,
        client_of(engine.url) as client,
        _beating(engine, client),
        connect(engine.port) as connection,
    ):
        closed = asyncio.create_task(connection.closed(30))
        for letter in request("GET", f"{ROOT}/version", X_Slow="a" * 5000):
            connection.writer.write(bytes([letter]))
            if (await asyncio.wait([closed], timeout=0.02))[0]:
                break
        assert closed.done(), "it was let finish"
        assert await closed


@pytest.mark.parametrize("framing", ["Content-Length: 34", "Transfer-Encoding: chunked"])
async def test_a_body_that_stops_half_way_is_refused(framing: str, tmp_path: Path) -> None:
    """With 400001; the half of it changes nothing."""
    async with running_engine(tmp_path / "data", request_timeout=1) as engine, client_of(engine.url) as client:
        async with _beating(engine, client), connect(engine.port) as connection:
            half = b'{"service":{"serviceName":"half"'
            framed = half if "Length" in framing else b"%x\r\n%s\r\n" % (len(half), half)
            head = f"POST {ROOT}/microservices HTTP/1.1\r\nHost: e\r\n{framing}\r\n\r\n".encode()
            answer = await connection.exchange(head + framed)
            assert (answer.status, b"the body did not arrive in time" in answer.body) == (400, True)
        _, body, _ = await client.call("GET", "/microservices", None, 200)
        assert [service["serviceName"] for service in body["services"]] == ["beating"]  # type: ignore[index]


def _deaf(port: int) -> socket.socket:
    """A connection with the smallest buffers, from which nothing will be read."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", port))
    made.setblocking(False)
    return made


@pytest.mark.parametrize("hot", [True, False])
async def test_a_client_that_never_reads_its_answers_is_cut_off(hot: bool, tmp_path: Path) -> None:
    """It is asked for no more requests while answers wait, so they do not pile up; and after request_timeout it is let go."""
    settings = {"request_timeout": 2, "hot_path": hot}
    async with running_engine(tmp_path / "data", **settings) as engine, client_of(engine.url) as client:
        provider = await client.service("provider")
        for number in range(100):
            await client.instance(provider, instanceId=f"i{number}", properties={"filler": "x" * 3000})
        find = request("GET", f"{ROOT}/instances?appId=default&serviceName=provider")
        async with connect(engine.port) as reader:
            size = len((await reader.exchange(find)).raw)
        assert size > 300_000
        before, memory = await _metric(client, "waggle_connections"), _memory(engine)
        async with _beating(engine, client) as beats:
            with contextlib.closing(_deaf(engine.port)) as deaf:
                sent = await _send_until_stuck(deaf, find * 40_000)
                assert sent < len(find) * 40_000, "it took every request although no answer was read"
                assert _memory(engine) - memory < 50 * size, "answers pile up"

                async def let_go() -> bool:
                    return await _metric(client, "waggle_connections") <= before + 1

                await eventually(let_go)
                assert beats.slowest < 5.0


async def _reset(deaf: socket.socket) -> None:
    """Read what is left until it turns out that the other side has dropped the connection."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while await loop.sock_recv(deaf, 65536):
                pass


def _memory(engine: EngineProcess) -> int:
    """Bytes that the engine's process holds."""
    pages = Path(f"/proc/{engine.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


async def _send_until_stuck(deaf: socket.socket, data: bytes) -> int:
    """Send until the other side has taken nothing for half a second; how many bytes it took."""
    loop, sent = asyncio.get_running_loop(), 0
    with contextlib.suppress(TimeoutError, ConnectionError):
        while sent < len(data):
            async with asyncio.timeout(0.5):
                await loop.sock_sendall(deaf, data[sent : sent + 4096])
            sent += 4096
    return sent


async def _upgraded(port: int, target: str) -> socket.socket:
    """A deaf websocket."""
    deaf = _deaf(port)
    loop = asyncio.get_running_loop()
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    head = f"GET {target} HTTP/1.1\r\nHost: e\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n"
    await loop.sock_sendall(deaf, head.encode())
    assert (await loop.sock_recv(deaf, 4096)).startswith(b"HTTP/1.1 101")
    return deaf


async def test_a_watcher_that_never_reads_is_cut_off_at_its_buffer(tmp_path: Path) -> None:
    """The others are told of every change all the while, and at once."""
    settings = {"watch_buffer_bytes": 500_000, "max_properties_body_bytes": 200_000}
    async with running_engine(tmp_path / "data", **settings) as engine, client_of(engine.url) as client:
        provider, consumer = await client.service("provider"), await client.service("consumer")
        await client.instance(provider, instanceId="i")
        async with watching(client, consumer, "provider") as watch:
            with contextlib.closing(await _upgraded(engine.port, f"{ROOT}/microservices/{consumer}/watcher")) as deaf:
                slowest, number = 0.0, 0
                while await _metric(client, "waggle_watchers_cut_off_total") == 0:
                    number += 1
                    assert number < 500, "nothing was cut off"
                    body = {"properties": {"number": str(number), "filler": "x" * 100_000}}
                    await client.call("PUT", f"/microservices/{provider}/instances/i/properties", body, 200)
                    acknowledged = time.perf_counter()
                    event = await watch.event()
                    slowest = max(slowest, time.perf_counter() - acknowledged)
                    assert event["instance"]["properties"]["number"] == str(number)
                assert number > 5, "the buffer was not used"
                assert slowest < 5.0
                await _reset(deaf)
            assert await _metric(client, "service_center_notify_subscriber_total") == 1
            assert "watcher.cut_off" in engine.log.read_text(encoding="utf-8")


@contextlib.contextmanager
def _open_files(soft: int | None) -> Iterator[int]:
    """This process, and what it starts, may open so many files (`None`: as many as the system lets it); the hard limit."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft is None else soft, hard))
    try:
        yield hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def _open(port: int, number: int, data: bytes) -> list[socket.socket]:
    """Connections that have sent the data and will be reset when they are closed, so that none lingers in the kernel."""
    made = []
    for _ in range(number):
        one = socket.create_connection(("127.0.0.1", port), timeout=20)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if data:
            one.sendall(data)
        made.append(one)
    return made


def _close(connections: list[socket.socket]) -> None:
    for one in connections:
        one.close()


async def test_ten_thousand_idle_connections_do_not_hurt_the_others(tmp_path: Path) -> None:
    """A third has said nothing, a third half a head, a third was answered. The engine began with the usual soft limit of 1,024 files."""
    number = 10_000
    engine = EngineProcess(tmp_path / "data")
    try:
        with _open_files(1024) as hard:
            if hard < number + 500:
                pytest.skip(
                    f"TOO FEW FILES: the hard limit of open files is {hard}; ten thousand connections were not tried"
                )
            await engine.start()
        with _open_files(None):
            await _crowd(engine, number)
    finally:
        if engine.process is not None and engine.process.returncode is None:
            await engine.kill()


async def _crowd(engine: EngineProcess, number: int) -> None:
    async with client_of(engine.url) as client:
        assert await _metric(client, "waggle_open_files_limit") > number
        connections: list[socket.socket] = []
        try:
            for data in (b"", b"GET /v4/default/regis", request("GET", f"{ROOT}/version")):
                connections += await asyncio.to_thread(_open, engine.port, number // 3 + 1, data)

            async def all_open() -> bool:
                return await _metric(client, "waggle_connections") > number

            await eventually(all_open)
            async with _beating(engine, client) as beats:
                provider, consumer = await client.service("provider"), await client.service("consumer")
                await client.instance(provider, instanceId="i0")
                async with watching(client, consumer, "provider") as watch:
                    for step in range(1, 30):
                        await client.instance(provider, instanceId=f"i{step}")
                        await watch.event()
                        assert len(await client.find("provider", consumer)) == step + 1
            assert beats.slowest < 5.0
            assert connections[-1].recv(65536).startswith(b"HTTP/1.1 200")
        finally:
            _close(connections)

        async def all_gone() -> bool:
            return await _metric(client, "waggle_connections") < 20

        await eventually(all_gone)


async def test_a_flood_beyond_the_bound_is_dropped(tmp_path: Path) -> None:
    """Those who are connected are served all the while; when some have left, newcomers are let in again."""
    async with running_engine(tmp_path / "data", max_connections=100) as engine, client_of(engine.url) as client:
        async with _beating(engine, client) as beats:
            flood = await asyncio.to_thread(_open, engine.port, 400, b"")

            async def refused() -> bool:
                return await _metric(client, "waggle_connections_refused_total") >= 300

            await eventually(refused)
            assert await _metric(client, "waggle_connections") <= 100
            _close(flood)

            async def room() -> bool:
                return await _metric(client, "waggle_connections") < 10

            await eventually(room)
            async with connect(engine.port) as newcomer:
                assert (await newcomer.exchange(request("GET", f"{ROOT}/version"))).status == 200
        assert beats.slowest < 5.0


async def test_running_out_of_files_is_survived(tmp_path: Path) -> None:
    """More connections than the system gives files: those who are connected are served, changes are stored, and it passes."""
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
        async with _beating(engine, client):
            resource.prlimit(engine.pid, resource.RLIMIT_NOFILE, (60, 60))
            flood = await asyncio.to_thread(_open, engine.port, 200, b"")
            service = await client.service("provider")
            for number in range(20):
                await client.instance(service, instanceId=f"i{number}")
            _close(flood)

            async def lets_in() -> bool:
                try:
                    async with connect(engine.port) as newcomer:
                        return (await newcomer.exchange(request("GET", f"{ROOT}/version"))).status == 200
                except (ConnectionError, asyncio.IncompleteReadError):
                    return False

            await eventually(lets_in)
        await engine.kill()
        await engine.start()
        async with client_of(engine.url) as again:
            assert len(await again.find("provider")) == 20


async def test_an_event_stream_that_is_never_read_is_cut_off(tmp_path: Path) -> None:
    """After request_timeout without a byte of it taken; what was told meanwhile does not pile up for ever."""
    settings = {"request_timeout": 2, "max_properties_body_bytes": 200_000}
    async with running_engine(tmp_path / "data", **settings) as engine, client_of(engine.url) as client:
        service = await client.service("provider")
        await client.instance(service, instanceId="i")
        with contextlib.closing(_deaf(engine.port)) as deaf:
            await asyncio.get_running_loop().sock_sendall(deaf, request("GET", "/waggle/v1/events"))

            async def followed() -> bool:
                return await _metric(client, "waggle_event_streams") == 1

            async def let_go() -> bool:
                body = {"properties": {"filler": "x" * 100_000}}
                await client.call("PUT", f"/microservices/{service}/instances/i/properties", body, 200)
                return await _metric(client, "waggle_event_streams") == 0

            await eventually(followed)
            await eventually(let_go, 30)
