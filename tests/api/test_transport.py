"""HTTP as strict clients need it, and as careless or hostile ones get it."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine import Client, EngineProcess
from tests.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = "/v4/default/registry"


async def test_success_without_a_body_is_plain_text(shared_engine: EngineProcess, default_api: Client) -> None:
    """200, text/plain, Content-Length 0, and the connection stays open."""
    service = await default_api.service("a")
    name = await default_api.instance(service)
    beat = request("PUT", f"{ROOT}/microservices/{service}/instances/{name}/heartbeat")
    async with connect(shared_engine.port) as connection:
        for _ in range(3):
            answer = await connection.exchange(beat)
            assert (answer.status, answer.body) == (200, b"")
            assert answer.header("Content-Type") == "text/plain; charset=UTF-8"
            assert answer.header("Connection") != "close"


async def test_chunked_bodies_and_expect_continue_are_taken(shared_engine: EngineProcess) -> None:
    """Neither is what ServiceComb's clients send; proxies do."""
    body = b'{"service":{"serviceName":"chunked"}}'
    head = f"POST {ROOT}/microservices HTTP/1.1\r\nHost: e\r\n".encode()
    async with connect(shared_engine.port) as connection:
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        assert (await connection.exchange(chunked)).status == 200
        connection.writer.write(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        interim = await connection.reader.readuntil(b"\r\n\r\n")
        assert interim.startswith(b"HTTP/1.1 100")
        assert (await connection.exchange(body)).status == 200


async def test_old_and_proxied_request_lines_are_taken(shared_engine: EngineProcess) -> None:
    """HTTP/1.0, the absolute form, `env` without `=`, an empty X-ConsumerId."""
    existence = f"{ROOT}/existence?type=microservice&appId=a&serviceName=b&env&version=1.0.0"
    async with connect(shared_engine.port) as connection:
        absolute = request("GET", f"http://engine:30100{ROOT}/version")
        assert (await connection.exchange(absolute)).status == 200
        assert b'"400012"' in (await connection.exchange(request("GET", existence))).body
        find = f"{ROOT}/instances?appId=default&serviceName=SERVICECENTER&version=latest&rev="
        assert (await connection.exchange(request("GET", find, X_ConsumerId=""))).status == 200
        old = f"GET {ROOT}/version HTTP/1.0\r\n\r\n".encode()
        assert (await connection.exchange(old)).status == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v4/default/registry/microservices/", 404),
        ("/V4/default/registry/microservices", 404),
        ("/v4//registry/microservices", 301),
        ("/v4/default/./registry/microservices", 301),
        ("/v4/default/../default/registry/version", 301),
        ("/v4/default/registry/health/readiness", 404),
        ("/v4/default/registry/microservices?a=//", 400),
        ("/v4/default/registry/instances?appId=a&serviceName=b&version=1+", 400),
        ("/" + "a" * 2100, 400),
        ("/v4/default/registry/microservices/%00", 400),
        ("/v4/default/registry/microservices/%zz", 400),
        ("/v4/default/registry/microservices/a%2Fb", 404),
        ("/v4/token", 404),
        ("/v4/accounts", 404),
        ("/v4/roles", 404),
    ],
)
async def test_odd_targets_have_their_documented_status(target: str, status: int, shared_engine: EngineProcess) -> None:
    """Nothing is guessed: unknown is 404 in text, unclean redirects, invalid is 400."""
    async with connect(shared_engine.port) as connection:
        assert (await connection.exchange(request("GET", target))).status == status


async def test_methods_that_a_path_lacks_are_listed(shared_engine: EngineProcess) -> None:
    """405 in text, with Allow; HEAD and PATCH included."""
    async with connect(shared_engine.port) as connection:
        for method in ("PUT", "PATCH"):
            answer = await connection.exchange(request(method, f"{ROOT}/microservices"))
            assert (answer.status, answer.body) == (405, b"Method Not Allowed\n")
            assert answer.header("Allow") == "DELETE, GET, POST"
        assert (await connection.exchange(request("HEAD", f"{ROOT}/microservices"), no_body=True)).status == 405


async def test_browsers_of_other_origins_are_told_what_they_may(shared_engine: EngineProcess) -> None:
    """CORS as the original has it."""
    async with connect(shared_engine.port) as connection:
        plain = await connection.exchange(request("GET", f"{ROOT}/version", Origin="http://x"))
        assert plain.header("Access-Control-Allow-Origin") == "*"
        assert "Origin" in (plain.header("Vary") or "")
        asked = {"Origin": "http://x", "Access_Control_Request_Method": "PUT"}
        allowed = await connection.exchange(
            request("OPTIONS", f"{ROOT}/version", **asked, Access_Control_Request_Headers="X-ConsumerId")
        )
        assert allowed.header("Access-Control-Allow-Methods") == "PUT"
        refused = await connection.exchange(
            request("OPTIONS", f"{ROOT}/version", **asked, Access_Control_Request_Headers="X-Evil")
        )
        assert refused.header("Access-Control-Allow-Origin") is None


@pytest.mark.parametrize(
    ("method", "path", "size"),
    [
        ("POST", "/microservices", 2 * 2**20 + 1),
        ("POST", "/microservices/SERVICE/instances", 5121),
        ("PUT", "/microservices/SERVICE/properties", 3073),
        ("PUT", "/microservices/SERVICE/instances/x/properties", 3073),
    ],
)
async def test_bodies_above_their_bound_are_refused(
    method: str, path: str, size: int, shared_engine: EngineProcess, default_api: Client
) -> None:
    """400001, with or without a length in advance; the state stays as it was."""
    service = await default_api.service("a")
    target = ROOT + path.replace("SERVICE", service)
    async with connect(shared_engine.port) as connection:
        answer = await connection.exchange(request(method, target, b" " * size))
        assert (answer.status, b"request body too large" in answer.body) == (400, True)
    async with connect(shared_engine.port) as connection:
        head = f"{method} {target} HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b" " * size)
        answer = await connection.exchange(head + chunk)
        assert (answer.status, b"request body too large" in answer.body) == (400, True)
    _, body, _ = await default_api.call("GET", f"/microservices/{service}", None, 200)
    assert "properties" not in body["service"]  # type: ignore[index]


async def test_ids_in_a_body_do_not_override_those_of_the_path(default_api: Client) -> None:
    """The original lets a body smuggle another id; here the path counts."""
    first, second = await default_api.service("a"), await default_api.service("b")
    body = {"serviceId": second, "properties": {"x": "1"}}
    await default_api.call("PUT", f"/microservices/{first}/properties", body, 200)
    _, changed, _ = await default_api.call("GET", f"/microservices/{first}", None, 200)
    _, untouched, _ = await default_api.call("GET", f"/microservices/{second}", None, 200)
    assert changed["service"]["properties"] == {"x": "1"}  # type: ignore[index]
    assert "properties" not in untouched["service"]  # type: ignore[index]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x00" * 100 + b"\r\n\r\n",
        b"POST /v4/default/registry/microservices HTTP/1.1\r\nHost: e\r\nContent-Length: -5\r\n\r\n",
        b"POST /v4/default/registry/microservices HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /v4/default/registry/version HTTP/1.1\r\nHost: e\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
        b"PUT /v4/default/registry/heartbeats HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http_gets_400_or_a_closed_connection(rubbish: bytes, shared_engine: EngineProcess) -> None:
    """And everyone else goes on."""
    async with connect(shared_engine.port) as connection:
        connection.writer.write(rubbish)
        connection.writer.write_eof()
        async with asyncio.timeout(15):
            answer = await connection.reader.read()
        assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), answer[:200]
    async with connect(shared_engine.port) as connection:
        assert (await connection.exchange(request("GET", f"{ROOT}/version"))).status == 200
