"""The edge as a process: what passes through it, how it changes, and how it ends."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from tests.e2e.gateways import running_gateway, saying, server_of, telling
from tests.engine import ROOT, eventually
from tests.raw import connect, request

MIB = 2**20
UNDER_RULES = """
rules:
  servicecomb.matchGroup.all: "matches: [{apiPath: {prefix: /}}]"
  servicecomb.bulkhead.all: "{maxConcurrentCalls: 100}"
"""


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as made:
        yield made


async def text_of(session: aiohttp.ClientSession, url: str, **headers: str) -> tuple[int, str]:
    """Status and text of an answer."""
    async with session.get(url, headers=headers) as answer:
        return answer.status, await answer.text()


def to(url: str, **more: object) -> str:
    """A configuration with one upstream for everything."""
    extra = "".join(f", {name}: {value}" for name, value in more.items())
    return f"upstreams: {{all: {{addresses: ['{url}']}}}}\nroutes: [{{path: /, upstream: all{extra}}}]\n"


async def test_half_of_the_requests_go_to_each_of_two_upstreams_that_do_not_register(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with server_of(saying("Greetings from Spring Boot!")) as spring, server_of(saying("Hello")) as plain:
        config = f"""
upstreams:
  greetings:
    groups:
      spring: {{addresses: ["{spring}"]}}
      plain: {{addresses: ["{plain}"]}}
routes:
  - {{path: /, upstream: greetings}}
rules:
  servicecomb.routeRule.greetings: |
    - precedence: 2
      match: {{headers: {{type: {{exact: gray}}}}}}
      route: [{{weight: 100, tags: {{group: plain}}}}]
    - precedence: 1
      route:
        - {{weight: 50, tags: {{group: spring}}}}
        - {{weight: 50, tags: {{group: plain}}}}
"""
        async with running_gateway(tmp_path, config) as gateway:
            shares = [(await text_of(session, f"{gateway.url}/"))[1] for _ in range(10)]
            assert shares == ["Greetings from Spring Boot!", "Hello"] * 5
            content = {await text_of(session, f"{gateway.url}/", type="gray") for _ in range(6)}
            assert content == {(200, "Hello")}
            _, metrics = await text_of(session, f"{gateway.admin}/metrics")
            labels = 'route="/",service="greetings",status="200",version="plain"'
            assert f"gateway_requests_total{{{labels}}} 11.0" in metrics.splitlines()


async def test_a_server_is_told_the_way_and_a_client_cannot_lie_about_it(tmp_path: Path) -> None:
    async with server_of(telling) as url, running_gateway(tmp_path, to(url)) as gateway:
        async with connect(gateway.port) as connection:
            lies = {
                "X_Forwarded_For": "10.9.9.9",
                "X_Forwarded_Proto": "https",
                "Forwarded": "for=10.9.9.9",
                "x_cse_context": '{"x_cse_canary":"gray"}',
                "x_invocation_context": "%7B%7D",
                "x_cse_canary": "gray",
                "Connection": "keep-alive, X-Mine",
                "X_Mine": "1",
                "X_Kept": "yes",
                "Te": "trailers",
            }
            answer = await connection.exchange(request("GET", "/a?b=1", **lies))
            raw = await connection.exchange(b"GET / HTTP/1.1\r\nHost: engine\r\nx_cse_canary: gray\r\n\r\n")
        assert "x_cse_canary" not in raw.body.decode()
        told = orjson.loads(answer.body)
        headers = {name.lower(): value for name, value in told["headers"]}
        assert told["target"] == "/a?b=1"
        assert headers == {
            "host": url.removeprefix("http://"),
            "x-kept": "yes",
            "via": "1.1 waggle",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
            "x-forwarded-host": "engine",
        }
        assert dict(answer.headers)["Via"] == "1.1 waggle"


async def test_a_trusted_peer_is_believed(tmp_path: Path) -> None:
    trust = "trustedPeers: [127.0.0.0/8]\n"
    async with server_of(telling) as url, running_gateway(tmp_path, to(url) + trust) as gateway:
        async with connect(gateway.port) as connection:
            said = {"X_Forwarded_For": "10.9.9.9", "X_Forwarded_Proto": "https", "x_cse_canary": "gray"}
            answer = await connection.exchange(request("GET", "/", **said))
        headers = dict(orjson.loads(answer.body)["headers"])
        assert headers["X-Forwarded-For"] == "10.9.9.9, 127.0.0.1"
        assert headers["X-Forwarded-Proto"] == "https"
        assert headers["x-cse-canary"] == "gray"


@pytest.mark.parametrize("rules", ["", UNDER_RULES], ids=["straight", "under rules"])
async def test_a_body_streams_both_ways_without_growth(
    session: aiohttp.ClientSession, tmp_path: Path, rules: str
) -> None:
    part = bytes(range(256)) * 4096

    async def echo(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if request.content_length is not None:
            answer.content_length = request.content_length
        await answer.prepare(request)
        async for chunk in request.content.iter_any():
            await answer.write(chunk)
        await answer.write_eof()
        return answer

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield part

    async with server_of(echo) as url, running_gateway(tmp_path, to(url) + rules) as gateway:
        before = _resident(gateway.pid)
        for headers in ({}, {"Content-Length": str(100 * MIB)}):
            async with session.post(f"{gateway.url}/", data=parts(), headers=headers) as answer:
                size, whole = 0, True
                async for chunk in answer.content.iter_any():
                    at = size % len(part)
                    whole = whole and (part + part)[at : at + len(chunk)] == chunk
                    size += len(chunk)
            assert (answer.status, size, whole) == (200, 100 * MIB, True)
        assert _resident(gateway.pid) - before < 20 * MIB


def _resident(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    assert found
    return int(found[1]) * 1024


async def test_a_reader_that_is_slow_holds_the_server_back(tmp_path: Path) -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(256):
            await answer.write(b"x" * MIB)
            sent += MIB
        return answer

    async with server_of(flood) as url, running_gateway(tmp_path, to(url)) as gateway:
        before = _resident(gateway.pid)
        async with connect(gateway.port) as connection:
            connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
            connection.writer.write(request("GET", "/"))
            last = -1

            async def stands() -> bool:
                nonlocal last
                now, last = last, sent
                return now == sent > 0

            await eventually(stands)
            assert sent < 128 * MIB
            assert _resident(gateway.pid) - before < 20 * MIB


@pytest.mark.parametrize("rules", ["", UNDER_RULES], ids=["straight", "under rules"])
async def test_a_websocket_passes(session: aiohttp.ClientSession, tmp_path: Path, rules: str) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"you said {message.data}")
        return socket

    async with server_of(echo) as url, running_gateway(tmp_path, to(url) + rules) as gateway:
        async with session.ws_connect(f"{gateway.url}/chat", protocols=["chat"]) as socket:
            assert socket.protocol == "chat"
            for text in ("hello", "x" * 200_000):
                await socket.send_str(text)
                assert await socket.receive_str() == f"you said {text}"
        async with connect(gateway.port) as connection:
            upgrade = request("GET", "/", Connection="Upgrade, HTTP2-Settings", Upgrade="h2c")
            answer = await connection.exchange(upgrade)
            assert answer.status == 400, "the server behind was asked for a websocket and for nothing else"


async def test_what_is_under_way_is_finished_before_the_end(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        arrived.set()
        await go_on.wait()
        return web.Response(text="done")

    async with server_of(slow) as url, running_gateway(tmp_path, to(url)) as gateway, connect(gateway.port) as idle:
        async with connect(gateway.port) as connection:
            connection.writer.write(request("GET", "/"))
            await arrived.wait()
            gateway.tell(signal.SIGTERM)
            assert await idle.closed(), "who asks nothing is let go"

            async def refuses() -> bool:
                try:
                    async with connect(gateway.port):
                        return False
                except ConnectionError:
                    return True

            await eventually(refuses)
            status, _ = await text_of(session, f"{gateway.admin}/health")
            assert status == 503
            go_on.set()
            answer = await connection.read()
            assert (answer.status, answer.body, answer.header("Connection")) == (200, b"done", "close")
            assert await connection.closed()
        assert (await gateway.ended())[0] == 0


async def test_a_change_of_the_file_loses_no_request(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with (
        server_of(saying("one")) as one,
        server_of(saying("two")) as two,
        running_gateway(tmp_path, to(one)) as gateway,
    ):
        seen: list[tuple[int, str]] = []
        stop = asyncio.Event()

        async def ask() -> None:
            while not stop.is_set():
                seen.append(await text_of(session, f"{gateway.url}/"))

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(ask())
            for number in range(1, 7):
                wanted = "two" if number % 2 else "one"
                gateway.write(to(two if number % 2 else one))
                mark = len(seen)

                async def changed(mark: int = mark, wanted: str = wanted) -> bool:
                    return (200, wanted) in seen[mark:]

                await eventually(changed)
            stop.set()
        assert {status for status, _ in seen} == {200}
        assert len(seen) > 100


async def test_a_configuration_that_is_wrong_changes_nothing_and_is_told_with_its_place(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with server_of(saying("one")) as one, running_gateway(tmp_path, to(one)) as gateway:
        gateway.write("routes:\n  - path: api\n    upstream: nobody\n")

        async def told() -> bool:
            return "line 4, column 5: error: 'api' is no path: write one that begins with /" in gateway.logged()

        await eventually(told)
        assert await text_of(session, f"{gateway.url}/") == (200, "one")
        gateway.write(to(one, timeout="500ms"))

        async def told_again() -> bool:
            return "timeout is '500ms', which is no duration: write 500 or 0.5S" in gateway.logged()

        await eventually(told_again)
        assert await text_of(session, f"{gateway.url}/") == (200, "one")


async def test_requests_are_logged_in_one_line_each_without_what_may_be_secret(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    async with server_of(saying("one")) as one, running_gateway(tmp_path, to(one)) as gateway:
        await text_of(session, f"{gateway.url}/a/b?token=geheim", Authorization="Bearer geheim")
        async with connect(gateway.port) as connection:
            await connection.exchange(b"GET http://Asked.example:81/c HTTP/1.1\r\nHost: other\r\n\r\n")
        gateway.tell(signal.SIGTERM)
        status, printed = await gateway.ended()
        assert status == 0
        assert "geheim" not in printed + gateway.logged()
        line, whole = [orjson.loads(each) for each in printed.splitlines()]
        assert (whole["host"], whole["path"]) == ("asked.example", "/c")
        assert {**line, "time": "", "ms": 0} == {
            "event": "request",
            "time": "",
            "client": "127.0.0.1",
            "method": "GET",
            "host": "127.0.0.1",
            "path": "/a/b",
            "status": 200,
            "route": "/",
            "service": "all",
            "version": "",
            "server": one,
            "lane": "",
            "ms": 0,
        }


async def test_limits_and_breakers_of_the_gateway_itself(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    async def failing(request: web.Request) -> web.Response:
        return web.Response(status=500 if request.path.startswith("/bad") else 200)

    rules = """
rules:
  servicecomb.matchGroup.few: "matches: [{apiPath: {prefix: /few}}]"
  servicecomb.rateLimiting.few: "{rate: 2, limitRefreshPeriod: 1H}"
  servicecomb.matchGroup.bad: "matches: [{apiPath: {prefix: /bad}}]"
  servicecomb.circuitBreaker.bad: "{recordFailureStatus: [500], minimumNumberOfCalls: 2, slidingWindowSize: 2, waitDurationInOpenState: 1H}"
"""
    async with server_of(failing) as url, running_gateway(tmp_path, to(url) + rules) as gateway:
        assert [(await text_of(session, f"{gateway.url}/few"))[0] for _ in range(4)] == [200, 200, 429, 429]
        assert [(await text_of(session, f"{gateway.url}/bad"))[0] for _ in range(4)] == [500, 500, 503, 503]
        assert (await text_of(session, f"{gateway.url}/other"))[0] == 200
        _, metrics = await text_of(session, f"{gateway.admin}/metrics")
        assert "servicecomb_rateLimiting_available_permissions" in metrics
        assert 'gateway_requests_total{route="/",service="",status="429",version=""} 2.0' in metrics.splitlines()


@pytest.mark.parametrize("governed", [False, True], ids=["straight", "under rules"])
async def test_both_ways_answer_alike(tmp_path: Path, *, governed: bool) -> None:
    """A request that no rule governs goes straight on; the way through the stages must show the same bytes."""
    rule = '  servicecomb.matchGroup.none: "matches: [{apiPath: {prefix: /none}}]"\n'
    rule += '  servicecomb.rateLimiting.none: "{rate: 1}"\n'
    rules = f"rules:\n{rule}" if governed else ""
    seen = []
    async with (
        server_of(telling) as url,
        running_gateway(tmp_path, to(url) + rules) as gateway,
        connect(gateway.port) as raw,
    ):
        chunked = b"POST /c HTTP/1.1\r\nHost: engine\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        for data in (request("GET", "/a"), request("POST", "/b", b"body"), chunked, request("GET", "/%61//b")):
            answer = await raw.exchange(data)
            told = orjson.loads(answer.body)
            plain = [pair for pair in told["headers"] if not pair[0].lower().startswith(("x-cse", "x-invocation"))]
            seen.append((answer.status, told["method"], told["target"], plain, told["body"]))
            assert [pair[0] for pair in answer.headers if pair[0] != "Date"][-1] == "Via"
        head = await raw.exchange(request("HEAD", "/h"), no_body=True)
        assert (head.status, head.body) == (200, b"")
    host = ["Host", url.removeprefix("http://")]
    ways = [["Via", "1.1 waggle"], ["X-Forwarded-For", "127.0.0.1"], ["X-Forwarded-Proto", "http"]]
    ways.append(["X-Forwarded-Host", "engine"])
    assert seen == [
        (200, "GET", "/a", [host, *ways], ""),
        (200, "POST", "/b", [host, *ways, ["Content-Length", "4"]], "body"),
        (200, "POST", "/c", [host, *ways, ["Transfer-Encoding", "chunked"]], "abc"),
        (200, "GET", "/%61//b", [host, *ways], ""),
    ]


@pytest.mark.parametrize("command", [("registry.cli", "gateway"), ("governance.gateway",)], ids=["waggle", "module"])
async def test_the_command_checks_a_file_and_says_what_is_wrong(tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "edge.yaml"
    for text, status, said in (
        (to("http://127.0.0.1:1"), 0, "edge.yaml is in order: 1 routes, 1 upstreams"),
        ("routes:\n  - path: api\n", 1, "edge.yaml: line 2, column 5: error: 'api' is no path: write one"),
    ):
        file.write_text(text, encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command, "--config", str(file), "--check"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=ROOT,
        )
        output, _ = await process.communicate()
        assert (process.returncode, said in " ".join(output.decode().split())) == (status, True), output.decode()
