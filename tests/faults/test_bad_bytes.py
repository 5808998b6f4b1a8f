"""Bytes that are no HTTP, or HTTP that can be read in two ways: refused or closed, by the hot path as by the long one, without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.engine import Client, EngineProcess, client_of, running_engine
from tests.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = "/v4/default/registry"
FIND = f"{ROOT}/instances?appId=default&serviceName=provider"
BEAT = f"{ROOT}/microservices/provider-id/instances/i/heartbeat"
BATCH = b'{"instances":[{"serviceId":"provider-id","instanceId":"i"}]}'
AGAIN = b'{"instance":{"instanceId":"i","hostName":"h"}}'
SMUGGLED = request("PUT", f"{ROOT}/microservices/provider-id/instances/i/status?value=DOWN")
"""What an attacker would like to be taken for a request of its own."""

REPEATED = {
    "heartbeat": ("PUT", BEAT, b""),
    "find": ("GET", FIND, b""),
    "batch": ("PUT", f"{ROOT}/heartbeats", BATCH),
    "registration": ("POST", f"{ROOT}/microservices/provider-id/instances", AGAIN),
}
"""Requests that the hot path knows by heart."""

HEADERS = {
    "NUL in a value": b"User-Agent: a\x00b",
    "NUL in a name": b"User\x00Agent: a",
    "a control character": b"User-Agent: a\x01b",
    "DEL": b"User-Agent: a\x7fb",
    "a bare LF": b"User-Agent: a\nX-Domain-Name: other",
    "a bare CR": b"User-Agent: a\rX-Domain-Name: other",
    "a folded line": b"User-Agent: a\r\n b",
    "a blank before the colon": b"User-Agent : a",
    "no colon": b"User-Agent",
    "no name": b": a",
    "a blank before the name": b" User-Agent: a",
    "two lengths that differ": b"Content-Length: 7\r\nContent-Length: 8",
    "two lengths that agree": b"Content-Length: 7\r\nContent-Length: 7",
    "two lengths in one": b"Content-Length: 7, 7",
    "a length with a sign": b"Content-Length: +7",
    "a negative length": b"Content-Length: -7",
    "a hexadecimal length": b"Content-Length: 0x7",
    "a length with a blank": b"Content-Length: 7 7",
    "an empty length": b"Content-Length:",
    "a length beyond numbers": b"Content-Length: 99999999999999999999999",
    "length and chunks": b"Content-Length: 7\r\nTransfer-Encoding: chunked",
    "chunks and length": b"Transfer-Encoding: chunked\r\nContent-Length: 7",
    "chunks not last": b"Transfer-Encoding: chunked, identity",
    "an unknown coding": b"Transfer-Encoding: xchunked",
    "a coding behind a tab": b"Transfer-Encoding:\x0bchunked",
    "a coding and a blank": b"Transfer-Encoding : chunked",
    "two codings": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "two hosts": b"Host: a",
}

CHUNKS = {
    "no number": b"zz\r\n",
    "a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "negative": b"-1\r\n",
    "beyond numbers": b"fffffffffffffffff\r\n",
    "too short": b"5\r\nhel\r\n0\r\n\r\n",
    "too long": b"2\r\nhello\r\n0\r\n\r\n",
    "no line end": b"5hello0\r\n\r\n",
    "a bare LF": b"5\nhello\n0\n\n",
    "never ending size": b"0" * 100_000,
}

NO_HTTP = {
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
    "socks": b"\x05\x01\x00",
    "NULs": bytes(70_000),
    "line ends": b"\r\n" * 5000,
    "an endless line": b"GET /" + b"a" * 200_000,
    "an endless header": b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000,
    "endless headers": b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20_000,
    "unknown version": b"GET / HTTP/9.9\r\n\r\n",
    "no version": b"GET /v4/default/registry/version\r\n\r\n",
    "websocket frames": b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" * 50,
    "upgrade to nothing": b"GET / HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + bytes(500),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["hot", "plain"])
async def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EngineProcess]:
    """An engine with the hot path, and one without; both know one service with one instance."""
    folder: Path = tmp_path_factory.mktemp("engine")
    async with running_engine(folder / "data", hot_path=request.param == "hot") as started:
        async with client_of(started.url) as client:
            await client.service("provider", serviceId="provider-id")
            await client.instance("provider-id", instanceId="i", hostName="h")
        yield started


async def _healthy(engine: EngineProcess, client: Client) -> None:
    """Nothing has changed, and every repeated request is answered as before."""
    _, body, _ = await client.call("GET", "/microservices?withShared=0", None, 200)
    assert [service["serviceId"] for service in body["services"]] == ["provider-id"]  # type: ignore[index]
    assert [(found["instanceId"], found["status"]) for found in await client.find("provider")] == [("i", "UP")]
    _, alarms, _ = await client.call("GET", "/v4/default/admin/alarms", None, 200)
    assert alarms == {}, "no answer was a 5xx"
    assert "request.failed" not in engine.log.read_text(encoding="utf-8")


async def _statuses(port: int, data: bytes) -> list[int]:
    """The statuses of all answers to some bytes, until the other side closes; when it is silent, it is told that no more comes."""
    received = b""
    async with connect(port) as connection:
        with contextlib.suppress(ConnectionError):
            connection.writer.write(data)
            await connection.writer.drain()
            for seconds in (0.15, 15):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        while piece := await connection.reader.read(65536):
                            received += piece
                    break
                connection.writer.write_eof()
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


async def _learned(port: int, data: bytes) -> None:
    """Ask until the hot path knows the request by heart."""
    async with connect(port) as connection:
        for _ in range(3):
            assert (await connection.exchange(data)).status == 200


@pytest.mark.parametrize("header", HEADERS)
async def test_a_head_that_can_be_read_in_two_ways_is_refused(header: str, engine: EngineProcess) -> None:
    """In every request that the hot path would answer by heart; what follows is never taken for a request of its own."""
    async with client_of(engine.url) as client:
        for method, target, body in REPEATED.values():
            good = request(method, target, body)
            await _learned(engine.port, good)
            line, _, rest = good.partition(b"\r\n")
            bad = line + b"\r\n" + HEADERS[header] + b"\r\n" + rest
            for data in (bad, bad + SMUGGLED):
                statuses = await _statuses(engine.port, data)
                assert statuses in ([], [400]), (method, target, statuses)
        await _healthy(engine, client)


@pytest.mark.parametrize("chunk", CHUNKS)
async def test_chunks_that_are_none_are_refused(chunk: str, engine: EngineProcess) -> None:
    """At once with the head, or after it."""
    head = f"PUT {ROOT}/heartbeats HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n".encode()
    async with client_of(engine.url) as client:
        assert set(await _statuses(engine.port, head + b"\r\n" + CHUNKS[chunk] + SMUGGLED)) <= {400}
        async with connect(engine.port) as connection:
            connection.writer.write(head + b"Expect: 100-continue\r\n\r\n")
            assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
            connection.writer.write(CHUNKS[chunk] + SMUGGLED)
            connection.writer.write_eof()
            async with asyncio.timeout(15):
                answer = await connection.reader.read()
            assert set(re.findall(rb"HTTP/1\.1 (\d{3})", answer)) <= {b"400"}
        await _healthy(engine, client)


@pytest.mark.parametrize("data", NO_HTTP)
async def test_what_is_no_http_is_refused_or_closed(data: str, engine: EngineProcess) -> None:
    async with client_of(engine.url) as client:
        assert set(await _statuses(engine.port, NO_HTTP[data])) <= {400, 404, 505}
        await _healthy(engine, client)


@pytest.mark.parametrize("seed", range(4))
async def test_random_bytes_are_refused_or_closed(seed: int, engine: EngineProcess) -> None:
    """Alone, and in the place of a part of a good request that changes nothing. The seed is in the test's name."""
    chance = random.Random(seed)
    async with client_of(engine.url) as client:
        for number in range(25):
            method, target, body = chance.choice([REPEATED[name] for name in ("heartbeat", "find", "batch")])
            good = request(method, target, body)
            match chance.randrange(3):
                case 0:
                    data = chance.randbytes(chance.randrange(1, 3000))
                case 1:
                    place, length = chance.randrange(len(good)), chance.randrange(1, 12)
                    data = good[:place] + chance.randbytes(length) + good[place + length :]
                case _:
                    place = chance.randrange(len(good))
                    data = good[:place] + bytes([good[place] ^ (1 << chance.randrange(8))]) + good[place + 1 :]
            statuses = await _statuses(engine.port, data)
            assert all(status < 500 or status == 505 for status in statuses), f"seed {seed}, number {number}: {data!r}"
        await _healthy(engine, client)


async def test_a_websocket_that_speaks_nonsense_is_closed(engine: EngineProcess) -> None:
    """Frames of any kind but ping, pong and close, and frames that break the protocol."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    target = f"{ROOT}/microservices/provider-id/watcher"
    head = f"GET {target} HTTP/1.1\r\nHost: e\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n\r\n".encode()
    nonsense = [
        bytes(1000),
        b"\xff" * 100,
        b"\x81\xff" + b"\xff" * 8,
        b"\x81\xc1abcd" + b"a" * 65,
        SMUGGLED,
        b"\x83\x80abcd",
        b"\xc1\x80abcd",
    ]
    async with client_of(engine.url) as client:
        for frame in nonsense:
            async with connect(engine.port) as connection:
                connection.writer.write(head)
                assert (await connection.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
                connection.writer.write(frame)
                assert await connection.closed()
        await _healthy(engine, client)
