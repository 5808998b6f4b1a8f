"""The edge with clients that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from tests.e2e.gateways import GatewayProcess, gateway_inside, running_gateway, saying, server_of, talking, telling
from tests.e2e.test_gateway import to
from tests.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the server behind `plain` answers within that loop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayProcess]:
    """A gateway to a server that tells what it has got, for tests of what clients send."""
    limits = "limits: {headTimeout: 300}\naccessLog: false\n"
    async with (
        server_of(telling) as url,
        running_gateway(tmp_path_factory.mktemp("plain"), to(url) + limits) as gateway,
    ):
        yield gateway


SMUGGLED = [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: a\nContent-Length: 1\r\n\r\na\r\n\r\n",
    b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /a/../b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 30,
    b"A" * 100,
]


@pytest.mark.parametrize("data", SMUGGLED)
async def test_what_could_be_read_in_two_ways_is_answered_by_400_and_the_end(
    plain: GatewayProcess, data: bytes
) -> None:
    async with connect(plain.port) as connection:
        answer = await connection.exchange(data)
        assert answer.status == 400
        assert answer.header("Connection") == "close"
        assert await connection.closed()


async def test_bounds_of_a_head(plain: GatewayProcess) -> None:
    async with connect(plain.port) as connection:
        answer = await connection.exchange(b"GET / HTTP/1.1\r\nX: " + b"y" * 33_000)
        assert answer.status == 431
    async with connect(plain.port) as connection:
        assert (await connection.exchange(b"GET / HTTP/1.1\r\nHost:")).status == 408
    for method in ("CONNECT", "TRACE"):
        async with connect(plain.port) as connection:
            assert (await connection.exchange(request(method, "/"))).status == 405


async def test_no_bytes_bring_it_down(plain: GatewayProcess) -> None:
    dice = random.Random(20261124)
    good = [
        request("POST", "/a", b"0123456789"),
        b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        request("GET", "/c?d", Connection="Upgrade", Upgrade="websocket"),
    ]
    for _ in range(150):
        data = bytearray(dice.choice(good) * dice.randint(1, 3))
        for _ in range(dice.randint(1, 6)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        async with connect(plain.port) as connection:
            connection.writer.write(bytes(data[: dice.randint(1, len(data))]))
            connection.writer.write_eof()
            assert await connection.closed()
    async with connect(plain.port) as connection:
        assert (await connection.exchange(request("GET", "/"))).status == 200
    assert "Traceback" not in plain.logged()


async def test_requests_in_advance_are_answered_in_their_order(plain: GatewayProcess) -> None:
    async with connect(plain.port) as connection:
        several = [
            request("GET", f"/{number}") if number % 3 else request("POST", f"/{number}", b"x" * number)
            for number in range(30)
        ]
        connection.writer.write(b"".join(several) + request("GET", "/none/../") + request("GET", "/last"))
        for number in range(30):
            answer = await connection.read()
            assert f'"target": "/{number}"' in answer.body.decode()
        assert (await connection.read()).status == 400
        assert '"target": "/last"' in (await connection.read()).body.decode()


async def test_an_old_client_gets_an_answer_without_chunks() -> None:
    async def parts(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        for part in (b"one", b"two"):
            await answer.write(part)
        return answer

    async with (
        server_of(parts) as url,
        gateway_inside(to(url)) as gateway,
        connect(gateway.port) as connection,
    ):
        connection.writer.write(b"GET / HTTP/1.0\r\n\r\n")
        whole = await connection.reader.read()
        head, _, body = whole.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"chunked" not in head.lower()
        assert body == b"onetwo"


async def test_a_client_that_asks_first_is_told_to_go_on(plain: GatewayProcess) -> None:
    async with connect(plain.port) as connection:
        connection.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await connection.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        answer = await connection.exchange(b"hi")
        assert '"body": "hi"' in answer.body.decode()


async def test_an_old_client_is_not_told_to_go_on(plain: GatewayProcess) -> None:
    async with connect(plain.port) as connection:
        connection.writer.write(b"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        await connection.writer.drain()
        connection.writer.write(b"hi")
        assert (await connection.reader.readline()) == b"HTTP/1.1 200 OK\r\n"


async def test_a_client_that_leaves_ends_its_request_at_the_server() -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        left.set()

    async with talking(wait) as url, gateway_inside(to(url)) as gateway:
        async with connect(gateway.port) as connection:
            connection.writer.write(request("GET", "/"))
            await arrived.wait()
        async with asyncio.timeout(15):
            await left.wait()


async def test_one_client_too_many_is_let_go() -> None:
    limits = "limits: {connections: 2}\n"
    async with server_of(saying("hi")) as url, gateway_inside(to(url) + limits) as gateway:
        async with connect(gateway.port) as first, connect(gateway.port) as second:
            assert (await first.exchange(request("GET", "/"))).status == 200
            assert (await second.exchange(request("GET", "/"))).status == 200
            async with connect(gateway.port) as third:
                assert await third.closed()
        async with connect(gateway.port) as next_one:
            assert (await next_one.exchange(request("GET", "/"))).status == 200
