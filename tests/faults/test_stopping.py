"""SIGTERM: what the engine has been asked is answered, it takes its leave, and its exit status is 0."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import aiohttp
import pytest

from registry.server import Server
from registry.settings import PORTS, Settings
from tests.engine import EngineProcess, client_of, running_engine
from tests.faults.watching import watching
from tests.inside import served
from tests.raw import RawConnection, connect, request

ROOT = "/v4/default/registry"


async def _ended(engine: EngineProcess) -> int:
    assert engine.process is not None
    async with asyncio.timeout(30):
        return await engine.process.wait()


def _registration(service: str, name: str) -> bytes:
    body = b'{"instance":{"instanceId":"%s","hostName":"h"}}' % name.encode()
    return request("POST", f"{ROOT}/microservices/{service}/instances", body)


@pytest.mark.parametrize("hot", [True, False])
async def test_requests_in_flight_are_answered(hot: bool, tmp_path: Path) -> None:
    """A registration on each of 200 connections, and the signal at once: whoever is answered by 200 is there after a restart."""
    async with (
        running_engine(tmp_path / "data", hot_path=hot, shutdown_timeout=60) as engine,
        contextlib.AsyncExitStack() as open_connections,
    ):
        async with client_of(engine.url) as client:
            service = await client.service("provider")
        connections = [await open_connections.enter_async_context(connect(engine.port)) for _ in range(200)]
        for number, connection in enumerate(connections):
            first = await connection.exchange(_registration(service, f"first{number}"))
            assert first.status == 200
        started = asyncio.get_running_loop().time()
        for number, connection in enumerate(connections):
            connection.writer.write(_registration(service, f"i{number}"))
        await asyncio.gather(*(connection.writer.drain() for connection in connections))
        assert engine.process is not None
        # One answer shows that the engine has begun to take the requests; those behind it are in flight.
        acknowledged = {"i0"} if (await connections[0].read()).status == 200 else set()
        engine.process.send_signal(signal.SIGTERM)
        for number, connection in enumerate(connections[1:], 1):
            acknowledged |= await _acknowledged(connection, f"i{number}")
        assert await _ended(engine) == 0
        assert asyncio.get_running_loop().time() - started < 50, "less than shutdown_timeout: all have been answered"
        await engine.stop()
        await engine.start()
        async with client_of(engine.url) as client:
            _, body, _ = await client.call("GET", f"/microservices/{service}/instances", None, 200)
        found = {instance["instanceId"] for instance in body["instances"]}  # type: ignore[index]
        stored = {name for name in found if name.startswith("i")}
        assert acknowledged <= stored
        assert stored == acknowledged, "a request that was carried out was not answered"


async def _acknowledged(connection: RawConnection, name: str) -> set[str]:
    """The name, where its registration was answered; nothing, where the connection was closed before it was read."""
    try:
        answer = await connection.read()
    except (asyncio.IncompleteReadError, ConnectionError):
        return set()
    assert (answer.status, name.encode() in answer.body) == (200, True)
    return {name}


async def test_a_body_under_way_is_waited_for(tmp_path: Path) -> None:
    """A request whose head has come is in flight: the rest of it is read, and it is answered; another one would not be, which it says."""
    body = b'{"service":{"serviceName":"slow"}}'
    async with running_engine(tmp_path / "data") as engine, connect(engine.port) as connection:
        await _begin(connection, body)
        assert engine.process is not None
        engine.process.send_signal(signal.SIGTERM)
        await _refuses_connections(engine)
        answer = await connection.exchange(body)
        assert (answer.status, b"serviceId" in answer.body) == (200, True)
        assert answer.header("Connection") == "close"
        assert await _ended(engine) == 0


async def _begin(connection: RawConnection, body: bytes) -> None:
    """Send the head of a registration, and see that the engine waits for its body."""
    head = (
        f"POST {ROOT}/microservices HTTP/1.1\r\nHost: e\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.writer.write(head.encode())
    assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")


async def _refuses_connections(engine: EngineProcess) -> None:
    async with asyncio.timeout(20):
        with contextlib.suppress(OSError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", engine.port)
                writer.close()
                await writer.wait_closed()


async def test_who_never_ends_a_request_is_not_waited_for_longer_than_set(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data", shutdown_timeout=1) as engine, connect(engine.port) as connection:
        connection.writer.write(
            f"POST {ROOT}/microservices HTTP/1.1\r\nHost: e\r\nContent-Length: 9\r\n\r\n{{".encode()
        )
        await connection.writer.drain()
        async with connect(engine.port) as other:
            assert (await other.exchange(request("GET", f"{ROOT}/version"))).status == 200
        started = asyncio.get_running_loop().time()
        assert await engine.stop() == 0
        assert asyncio.get_running_loop().time() - started < 15


async def test_idle_clients_watchers_and_streams_do_not_hold_it_up(tmp_path: Path) -> None:
    """All of them are let go at once, and the engine is gone from its own list."""
    async with (
        running_engine(tmp_path / "data", shutdown_timeout=60) as engine,
        client_of(engine.url) as client,
        connect(engine.port) as idle,
    ):
        assert b"SERVICECENTER" in (await idle.exchange(request("GET", f"{ROOT}/microservices?withShared=1"))).body
        provider, consumer = await client.service("provider"), await client.service("consumer")
        await client.instance(provider)
        async with (
            watching(client, consumer, "provider") as watch,
            client.session.get(f"{engine.url}/waggle/v1/events") as stream,
        ):
            started = asyncio.get_running_loop().time()
            assert await engine.stop() == 0
            assert asyncio.get_running_loop().time() - started < 50, "less than shutdown_timeout"
            assert (await watch.socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
            with contextlib.suppress(aiohttp.ClientError):
                assert b"data" not in await stream.content.read()
        assert await idle.closed()


async def test_a_watcher_that_comes_while_it_stops_is_let_go(tmp_path: Path) -> None:
    """Its handshake was on the way when the others were let go; nobody waits for it until `shutdown_timeout` is over."""
    ports = dict.fromkeys(PORTS, 0)
    server = Server(Settings(**ports, data_dir=tmp_path, storage="memory", shutdown_timeout=60))
    async with served(server) as address, client_of(address) as client:
        consumer = await client.service("consumer")
        server.watchers.close()
        async with client.session.ws_connect(f"{client.registry}/microservices/{consumer}/watcher") as socket:
            assert (await socket.receive(timeout=30)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)


async def test_it_unregisters_itself(tmp_path: Path) -> None:
    """The next engine on the folder knows of no other; after a kill there is one until it registers, which replaces it."""
    async with running_engine(tmp_path / "data") as engine:
        async with client_of(engine.url) as client:
            own = await _own(client.url)
            assert len(own) == 1
        assert await engine.stop() == 0
        engine.settings["self_register"] = False
        await engine.start()
        async with client_of(engine.url) as client:
            status, _, _ = await client.call("GET", "/health")
            found = await client.find("SERVICECENTER")
            assert (status, found) == (400, [])
        await engine.stop()
        engine.settings["self_register"] = True
        await engine.start()
        await engine.kill()
        await engine.start()
        assert len(await _own(engine.url)) == 1
        assert await _own(engine.url) != own


async def _own(url: str) -> list[str]:
    async with client_of(url) as client:
        _, body, _ = await client.call("GET", "/health", None, 200)
        return [instance["instanceId"] for instance in body["instances"]]  # type: ignore[index]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_a_signal_during_the_start_is_obeyed(name: str, tmp_path: Path) -> None:
    """It may come at any moment; the process ends by 0, or by the signal where it had not begun to listen for it."""
    sent = signal.Signals[name]
    async with running_engine(tmp_path / "data") as engine:
        assert await engine.stop() == 0
        starting = asyncio.create_task(engine.start())
        while engine.process is None or engine.process.returncode is not None:  # until the new process is there
            await asyncio.wait([starting], timeout=0.001)
        engine.process.send_signal(sent)
        await asyncio.wait([starting])
        starting.exception()
        assert await _ended(engine) in (0, -sent, 1, 130)
