"""The frame around every answer: status, headers and text, byte for byte. Protocol: Service Center sections 1.1 to 1.5."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from registry import __version__
from tests.engine import Client, EngineProcess
from tests.raw import RawAnswer, connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = "/v4/default/registry"
SERVER = f"SERVICECENTER/{__version__}"


async def _ask(engine: EngineProcess, method: str, target: str, **headers: str) -> RawAnswer:
    async with connect(engine.port) as connection:
        return await connection.exchange(request(method, target, **headers), no_body=method == "HEAD")


def _headers(answer: RawAnswer) -> dict[str, str]:
    """All headers but the date, which must be there."""
    headers = dict(answer.headers)
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers.pop("Date"))
    return headers


async def test_an_unknown_path_is_404_in_text(shared_engine: EngineProcess) -> None:
    answer = await _ask(shared_engine, "GET", "/nowhere")
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert _headers(answer) == {
        "Content-Type": "text/plain; charset=utf-8",
        "Server": SERVER,
        "Vary": "Origin, Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Content-Length": "19",
    }


async def test_a_method_that_the_path_lacks_is_405_in_text(shared_engine: EngineProcess) -> None:
    answer = await _ask(shared_engine, "PATCH", f"{ROOT}/microservices/x/tags")
    assert (answer.status, answer.body) == (405, b"Method Not Allowed\n")
    assert _headers(answer) == {
        "Content-Type": "text/plain; charset=utf-8",
        "Server": SERVER,
        "Vary": "Origin, Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Allow": "GET, POST",
        "Content-Length": "19",
    }


async def test_head_is_405_without_a_body(shared_engine: EngineProcess) -> None:
    """Probes that use HEAD learn at least that the path is there; the connection stays usable."""
    async with connect(shared_engine.port) as connection:
        answer = await connection.exchange(request("HEAD", "/health"), no_body=True)
        assert (answer.status, answer.header("Allow"), answer.body) == (405, "GET", b"")
        assert (await connection.exchange(request("GET", "/version"))).status == 200


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/v4//registry/version", "/v4/registry/version"),
        ("/v4/./default/registry/version?a=b", "/v4/default/registry/version?a=b"),
        ("/v4/x/../default/registry/version/", "/v4/default/registry/version/"),
        ("//evil.example/x", "/evil.example/x"),
        ("/../..", "/"),
        ("/a/b/..", "/a"),
    ],
)
async def test_an_unclean_path_is_redirected_to_this_server(
    target: str, location: str, shared_engine: EngineProcess
) -> None:
    """The location is a path, never another host."""
    answer = await _ask(shared_engine, "GET", target)
    assert (answer.status, answer.header("Location"), answer.body) == (301, location, b"")


async def test_an_error_is_compact_json_with_its_code_as_text(shared_engine: EngineProcess) -> None:
    """Go clients look for the literal text."""
    answer = await _ask(shared_engine, "GET", f"{ROOT}/microservices/nobody")
    assert answer.body == (
        b'{"errorCode":"400012","errorMessage":"Micro-service does not exist","detail":"Service does not exist."}'
    )
    assert answer.header("Content-Type") == "application/json; charset=UTF-8"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_answers_to_browsers_of_other_origins_may_be_read(method: str, shared_engine: EngineProcess) -> None:
    """On refusals as well; without an Origin nothing is said, but caches are told that it matters."""
    target = f"{ROOT}/microservices/nobody/instances/x/heartbeat"
    with_origin = await _ask(shared_engine, method, target, Origin="http://console.example")
    assert with_origin.header("Access-Control-Allow-Origin") == "*"
    without = await _ask(shared_engine, method, target)
    assert without.header("Access-Control-Allow-Origin") is None
    assert without.header("Vary") == "Origin, Accept-Encoding"


async def test_a_method_that_cors_does_not_know_is_not_opened(shared_engine: EngineProcess) -> None:
    answer = await _ask(shared_engine, "PATCH", f"{ROOT}/microservices", Origin="http://console.example")
    assert answer.header("Access-Control-Allow-Origin") is None


@pytest.mark.parametrize("target", [f"{ROOT}/microservices", "/nowhere"])
async def test_options_is_200_and_empty_everywhere(target: str, shared_engine: EngineProcess) -> None:
    answer = await _ask(shared_engine, "OPTIONS", target)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("Access-Control-Allow-Methods") is None


async def test_a_preflight_names_what_may_be_sent(shared_engine: EngineProcess) -> None:
    wanted = {"Origin": "http://c", "Access_Control_Request_Method": "DELETE"}
    answer = await _ask(
        shared_engine,
        "OPTIONS",
        f"{ROOT}/microservices",
        **wanted,
        Access_Control_Request_Headers="x-domain-name, accept",
    )
    assert _headers(answer) == {
        "Content-Type": "text/plain; charset=UTF-8",
        "Server": SERVER,
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Accept-Encoding",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "DELETE",
        "Access-Control-Allow-Headers": "x-domain-name, accept",
        "Content-Length": "0",
    }


@pytest.mark.parametrize(
    "asked",
    [{"Access_Control_Request_Method": "PATCH"}, {"Access_Control_Request_Headers": "x-domain-name, cookie"}],
)
async def test_a_preflight_for_more_gets_nothing(asked: dict[str, str], shared_engine: EngineProcess) -> None:
    headers = {"Origin": "http://c", "Access_Control_Request_Method": "PUT", **asked}
    answer = await _ask(shared_engine, "OPTIONS", f"{ROOT}/microservices", **headers)
    assert answer.status == 200
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("accepts", "compressed"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip,deflate", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
        ("br", False),
        ("", False),
        ("not-gzip", False),
    ],
)
async def test_large_answers_are_compressed_for_those_who_take_it(
    accepts: str, compressed: bool, shared_engine: EngineProcess
) -> None:
    """From 1,400 bytes on; small ones never."""
    large = await _ask(shared_engine, "GET", "/openapi.json", Accept_Encoding=accepts)
    assert (large.header("Content-Encoding") == "gzip") == compressed
    assert json.loads(gzip.decompress(large.body) if compressed else large.body)["openapi"]
    small = await _ask(shared_engine, "GET", "/version", Accept_Encoding=accepts)
    assert small.header("Content-Encoding") is None


async def test_the_hot_path_reads_accept_encoding_alike(shared_engine: EngineProcess, api: Client) -> None:
    """A find that is repeated: compressed, then for a client that rules it out, then compressed again."""
    service = await api.service("wide", properties={"allowCrossApp": "true"})
    for number in range(10):
        await api.instance(service, instanceId=f"i{number}")
    domain = api._headers["X-Domain-Name"]
    target = f"{ROOT}/instances?appId=default&serviceName=wide"
    async with connect(shared_engine.port) as connection:
        for accepts, compressed in [("gzip", True), ("gzip;q=0", False), ("gzip", True), ("gzip;q=0", False)] * 2:
            asked = request("GET", target, X_Domain_Name=domain, Accept_Encoding=accepts)
            answer = await connection.exchange(asked)
            assert (answer.header("Content-Encoding") == "gzip") == compressed
            assert b'"i9"' in (gzip.decompress(answer.body) if compressed else answer.body)


async def test_no_answer_names_the_software_behind_the_engine(shared_engine: EngineProcess, api: Client) -> None:
    """Not a refused handshake, an accepted one, an event stream nor what is no HTTP."""
    watcher = f"{ROOT}/microservices/x/watcher"
    async with connect(shared_engine.port) as connection:
        answers = [
            await connection.exchange(request("GET", watcher)),
            await connection.exchange(request("GET", "/nowhere")),
        ]
        answers.append(await connection.exchange(b"GET / HTTP/9.9\r\n\r\n"))
    async with api.session.ws_connect(f"{api.registry}/microservices/x/watcher") as socket:
        handshake = socket._response.headers
    async with api.session.get(f"{api.url}/waggle/v1/events") as stream:
        servers = [*(answer.header("Server") for answer in answers), handshake["Server"], stream.headers["Server"]]
    assert servers == [SERVER] * 5
