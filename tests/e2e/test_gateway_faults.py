"""The edge with clients and servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from tests.e2e.gateways import GatewayProcess, gateway_inside, running_gateway, saying, server_of, telling
from tests.e2e.test_gateway import to
from tests.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")  # the server behind `plain` answers within that loop
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """A server that does with its connections what it likes; its URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def closed_port() -> str:
    """The URL of a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


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
