"""The edge with servers that misbehave: what is sent again, what is refused, and what nobody ever sees."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import aiohttp
import pytest
from aiohttp import web

from tests.e2e.gateways import gateway_inside, server_of, talking, telling
from tests.e2e.test_gateway import to
from tests.raw import connect, request


@pytest.fixture
def closed_port() -> str:
    """The URL of a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


async def test_a_server_that_is_gone_is_passed_over_for_every_method(closed_port: str) -> None:
    async with server_of(telling) as url:
        config = to(url).replace(f"['{url}']", f"['{closed_port}', '{url}']")
        async with gateway_inside(config) as gateway, connect(gateway.port) as connection:
            for method in ("GET", "POST", "PATCH") * 3:
                answer = await connection.exchange(request(method, "/", b"body" if method != "GET" else b""))
                assert answer.status == 200


async def test_nobody_there_is_502_and_the_connection_goes_on(closed_port: str) -> None:
    async with gateway_inside(to(closed_port)) as gateway, connect(gateway.port) as connection:
        for _ in range(2):
            answer = await connection.exchange(request("POST", "/", b"body"))
            assert (answer.status, answer.body) == (502, b'{"message":"the server could not be reached"}')


@pytest.mark.parametrize(("method", "asked"), [("GET", 2), ("PUT", 2), ("POST", 1), ("PATCH", 1)])
async def test_a_request_is_sent_again_only_where_that_does_no_harm(method: str, asked: int) -> None:
    seen: list[bytes] = []

    async def hang_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head + (await reader.readexactly(4) if b"Content-Length: 4" in head else b""))

    async with talking(hang_up) as url, gateway_inside(to(url)) as gateway:
        async with connect(gateway.port) as connection:
            answer = await connection.exchange(request(method, "/", b"" if method == "GET" else b"body"))
            assert answer.status == 502
        assert len(seen) == asked
        assert len(set(seen)) == 1


async def test_a_server_that_says_nothing_in_time_is_504() -> None:
    async def sleep(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        talking(sleep) as url,
        gateway_inside(to(url, timeout=300)) as gateway,
        connect(gateway.port) as connection,
    ):
        answer = await connection.exchange(request("GET", "/"))
        assert (answer.status, answer.body) == (504, b'{"message":"the server did not answer in time"}')


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ],
)
async def test_half_an_answer_is_never_shown_as_a_whole_one(begun: bytes) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begun)
        await writer.drain()

    async with talking(half) as url, gateway_inside(to(url)) as gateway, connect(gateway.port) as connection:
        connection.writer.write(request("GET", "/"))
        head = await connection.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        rest = b""
        with contextlib.suppress(ConnectionError):
            rest = await connection.reader.read()
        assert not rest.endswith(b"0\r\n\r\n")
        assert len(rest) < 100


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX y: z\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40_000,
    ],
)
async def test_an_answer_that_is_no_http_is_502(said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        await reader.read()

    async with (
        talking(answer) as url,
        gateway_inside(to(url)) as gateway,
        connect(gateway.port) as connection,
    ):
        assert (await connection.exchange(request("GET", "/"))).status == 502


async def test_any_number_of_interim_answers_may_come_before_the_answer() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()

    async with (
        talking(answer) as url,
        gateway_inside(to(url)) as gateway,
        connect(gateway.port) as connection,
    ):
        for _ in range(3):
            assert (await connection.exchange(request("GET", "/"))).body == b"ok"


async def test_a_body_that_must_not_be_there_is_no_answer_to_the_next_request() -> None:
    """The body comes when the connection could long be in use again."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET /next "):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
            return
        writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 44\r\n\r\n")
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")

    async with (
        talking(answer) as url,
        gateway_inside(to(url)) as gateway,
        connect(gateway.port) as connection,
    ):
        assert (await connection.exchange(request("GET", "/"), no_body=True)).status == 204
        assert (await connection.exchange(request("GET", "/next"))).body == b"mine"


async def test_what_comes_behind_an_answer_is_nobodys() -> None:
    """A server that says more than it was asked must not answer the next client's request."""
    more = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine" + more)
            await writer.drain()

    async with (
        talking(answer) as url,
        gateway_inside(to(url)) as gateway,
        connect(gateway.port) as connection,
    ):
        for _ in range(5):
            assert (await connection.exchange(request("GET", "/"))).body == b"mine"


async def test_an_answer_before_the_whole_body_ends_the_connection_after_it() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!")
        await writer.drain()
        await reader.read()

    async with (
        talking(refuse) as url,
        gateway_inside(to(url)) as gateway,
        connect(gateway.port) as connection,
    ):
        connection.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        answer = await connection.read()
        assert (answer.status, answer.body, answer.header("Connection")) == (413, b"no!", "close")
        assert await connection.closed()


RULES = """
rules:
  servicecomb.matchGroup.all: "matches: [{apiPath: {prefix: /}}]"
  servicecomb.retry.all: "{maxAttempts: 2, waitDuration: 1, retryOnResponseStatus: ['503']}"
"""


@pytest.mark.parametrize("rules", ["", RULES], ids=["straight", "under rules"])
@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwhole",
        b"HTTP/1.1 200 OK\r\n\r\nwhole",
        b"HTTP/1.0 200 OK\r\n\r\nwhole",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n",
    ],
)
async def test_a_server_may_close_after_each_answer(rules: str, said: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)

    async with talking(answer) as url, gateway_inside(to(url) + rules) as gateway, aiohttp.ClientSession() as session:
        for _ in range(20):
            async with session.get(f"http://127.0.0.1:{gateway.port}/") as answered:
                assert (answered.status, await answered.read()) == (200, b"whole")


@pytest.mark.parametrize(("method", "asked", "status"), [("GET", 3, 200), ("PUT", 3, 200), ("POST", 1, 503)])
async def test_a_policy_repeats_what_may_be_repeated(method: str, asked: int, status: int) -> None:
    seen: list[bytes] = []

    async def third_time(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.Response(status=200 if len(seen) == 3 else 503)

    async with (
        server_of(third_time) as url,
        gateway_inside(to(url) + RULES) as gateway,
        connect(gateway.port) as connection,
    ):
        answer = await connection.exchange(request(method, "/", b"" if method == "GET" else b"body"))
    assert (answer.status, len(seen), len(set(seen))) == (status, asked, 1)


@pytest.mark.parametrize("rules", ["", RULES], ids=["straight", "under rules"])
async def test_a_connection_that_a_server_has_closed_meanwhile_costs_no_request(rules: str) -> None:
    """It answers once on each connection, and closes it when the next request is there."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await reader.readuntil(b"\r\n\r\n")

    async with talking(once) as url, gateway_inside(to(url) + rules) as gateway, connect(gateway.port) as connection:
        for _ in range(10):
            assert (await connection.exchange(request("GET", "/"))).body == b"hi"


@pytest.mark.parametrize("rules", ["", RULES], ids=["straight", "under rules"])
async def test_several_such_connections_cost_no_request(rules: str) -> None:
    """What failed on a connection that was used before is sent over a new one: the next idle one may be as old."""
    both = asyncio.Barrier(2)

    async def once_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"GET /together" in await reader.readuntil(b"\r\n\r\n"):
            await both.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await reader.readuntil(b"\r\n\r\n")

    async with (
        talking(once_each) as url,
        gateway_inside(to(url) + rules) as gateway,
        connect(gateway.port) as first,
        connect(gateway.port) as second,
    ):
        together = request("GET", "/together")
        answers = await asyncio.gather(first.exchange(together), second.exchange(together))
        assert [answer.status for answer in answers] == [200, 200]
        assert (await first.exchange(request("GET", "/"))).status == 200


async def test_a_client_that_leaves_gives_back_its_place_under_rules() -> None:
    arrived = asyncio.Semaphore(0)

    async def wait(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.release()
        await reader.read()

    rules = RULES + '  servicecomb.bulkhead.all: "{maxConcurrentCalls: 1}"\n'
    async with talking(wait) as url, gateway_inside(to(url) + rules) as gateway:
        for _ in range(3):
            async with connect(gateway.port) as connection, asyncio.timeout(15):
                connection.writer.write(request("GET", "/"))
                await arrived.acquire()
