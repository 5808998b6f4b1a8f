"""What client libraries are strict about, or send that others would not, on every protocol: byte for byte, as it is on the wire."""

from __future__ import annotations

import json
import re

import pytest

from tests.engine import Client, EngineProcess
from tests.raw import RawAnswer, RawConnection, connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = "/v4/default/registry"
JAVA = {"User_Agent": "microservice-client/1.0.0", "Content_Type": "application/json", "Connection": "Keep-Alive"}
FIND = f"{ROOT}/instances?appId=default&serviceName=strict&global=true&version=0.0.0.0%2B"
LIST = "/v1/default/kie/kv?label=app%3Amall&label=environment%3A&match=exact"
CENTER = "/v3/default/configuration/items?dimensionsInfo=cart%40mall%231.0.0"
UPLOAD = "/v2/default/csemonitor/metric?service=cart"
READS = {"registry": FIND, "KIE": LIST, "Config Center": CENTER}
# What each protocol is sent; NAME is another one each time.
WRITES: dict[str, tuple[str, object]] = {
    "registry": (f"{ROOT}/microservices", {"service": {"serviceName": "NAME", "appId": "mall"}}),
    "KIE": ("/v1/default/kie/kv", {"key": "NAME", "value": "1", "labels": {"app": "mall"}}),
    "Config Center": ("/v3/default/configuration/items", {"dimensionsInfo": "cart@mall", "items": {"NAME": "1"}}),
    "monitor": (UPLOAD, {"appId": "mall", "name": "cart", "version": "1.0.0", "serviceId": "s", "instanceId": "NAME"}),
}


async def _asked(connection: RawConnection, target: str, **headers: str) -> RawAnswer:
    return await connection.exchange(request("GET", target, **JAVA, **headers))


@pytest.mark.parametrize("accepted", ["identity", "gzip,deflate"])
async def test_a_find_has_its_revision_by_the_name_that_java_reads(
    accepted: str, shared_engine: EngineProcess, default_api: Client
) -> None:
    """`X-Resource-Revision` with this case, on 200 and 304, for who asks the first time and who asks again."""
    provider = await default_api.service("strict")
    await default_api.instance(provider)
    async with connect(shared_engine.port) as connection:
        for _ in range(3):
            found = await _asked(connection, f"{FIND}&rev=", Accept_Encoding=accepted)
            revision = found.header("X-Resource-Revision")
            assert (found.status, bool(revision)) == (200, True)
            same = await _asked(connection, f"{FIND}&rev={revision}", Accept_Encoding=accepted)
            assert (same.status, same.body, same.header("X-Resource-Revision")) == (304, b"", revision)


@pytest.mark.parametrize("accepted", ["identity", "gzip,deflate"])
async def test_a_list_has_its_revision_by_the_name_that_java_reads(accepted: str, shared_engine: EngineProcess) -> None:
    """`X-Kie-Revision` with this case, on 200: 304 has none and leaves what the client knows."""
    async with connect(shared_engine.port) as connection:
        for _ in range(3):
            listed = await _asked(connection, f"{LIST}&revision=-1&wait=10s", Accept_Encoding=accepted)
            revision = listed.header("X-Kie-Revision") or ""
            assert (listed.status, revision.isdigit()) == (200, True)
            same = await _asked(connection, f"{LIST}&revision={revision}", Accept_Encoding=accepted)
            assert (same.status, same.body, same.header("X-Kie-Revision")) == (304, b"", None)


@pytest.mark.parametrize("protocol", READS)
async def test_empty_parts_of_a_query_are_passed_over(protocol: str, shared_engine: EngineProcess) -> None:
    """The Java library of KIE writes `&&`; wherever it stands, the answer is the same. A registry's target must not end in `&`."""
    path, _, query = READS[protocol].partition("?")
    first, _, rest = query.partition("&")
    async with connect(shared_engine.port) as connection:
        plain = await _asked(connection, f"{path}?{query}")
        assert plain.status in (200, 400)
        at_the_end = () if protocol == "registry" else (f"{query}&", f"&&{first}&&&{rest}&&")
        for written in (f"&{query}", f"{first}&&{rest}", f"&&{first}&&&{rest}", *at_the_end):
            answer = await _asked(connection, f"{path}?{written}")
            assert (answer.status, answer.body) == (plain.status, plain.body), written


def _sendings(name: str, path: str, body: object) -> dict[str, tuple[bytes, bytes]]:
    """The ways to send a request: what is sent first, and what once the engine has said that it may."""
    sent = {way: json.dumps(body).replace("NAME", f"{name}-{way}").encode() for way in ("whole", "pieces", "asked")}
    head = f"POST {path} HTTP/1.1\r\nHost: e\r\nContent-Type: application/json\r\n"
    half = len(sent["pieces"]) // 2
    pieces = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in (sent["pieces"][:half], sent["pieces"][half:], b""))
    expects = f"{head}Expect: 100-continue\r\nContent-Length: {len(sent['asked'])}\r\n\r\n".encode()
    return {
        "whole": (request("POST", path, sent["whole"], Content_Type="application/json"), b""),
        "pieces": (f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + pieces, b""),
        "asked": (expects, sent["asked"]),
    }


@pytest.mark.parametrize("protocol", WRITES)
async def test_a_body_may_come_in_chunks_or_after_a_question(protocol: str, shared_engine: EngineProcess) -> None:
    """Java and Go clients do neither; proxies do. Each is carried out, on a connection that goes on."""
    async with connect(shared_engine.port) as connection:
        for way, (first, then) in _sendings("body", *WRITES[protocol]).items():
            if then:
                connection.writer.write(first)
                interim = await connection.reader.readuntil(b"\r\n\r\n")
                assert interim.startswith(b"HTTP/1.1 100 ")
            answer = await connection.exchange(then or first)
            assert answer.status == 200, f"{way}: {answer.raw!r}"


async def test_one_connection_serves_every_protocol(shared_engine: EngineProcess) -> None:
    """Kept alive from one to the other, whatever was answered: lists, 304, errors, answers without a body."""
    statuses = []
    async with connect(shared_engine.port) as connection:
        for turn in range(2):
            for path, body in WRITES.values():
                sent = json.dumps(body).replace("NAME", f"kept-{turn}").encode()
                statuses.append((await connection.exchange(request("POST", path, sent, **JAVA))).status)
            for target in (*READS.values(), f"{ROOT}/microservices/nobody", "/nowhere", f"{LIST}&revision=x"):
                answer = await _asked(connection, target)
                assert (answer.header("Connection") or "").lower() != "close"
                statuses.append(answer.status)
    assert set(statuses) == {200, 400, 404}


async def test_an_answer_without_a_body_is_text_of_no_length(shared_engine: EngineProcess, default_api: Client) -> None:
    """`text/plain` and `Content-Length: 0` for every success that says nothing; clients that read JSON there would stumble."""
    service = await default_api.service("silent")
    name = await default_api.instance(service)
    own = f"{ROOT}/microservices/{service}/instances/{name}"
    schema = json.dumps({"schema": "a", "summary": "b"}).encode()
    properties = json.dumps({"properties": {"a": "b"}}).encode()
    requests = {
        "heartbeat": request("PUT", f"{own}/heartbeat", **JAVA),
        "status": request("PUT", f"{own}/status?value=UP", **JAVA),
        "properties": request("PUT", f"{own}/properties", properties, **JAVA),
        "schema": request("PUT", f"{ROOT}/microservices/{service}/schemas/a", schema, **JAVA),
        "service's properties": request("PUT", f"{ROOT}/microservices/{service}/properties", properties, **JAVA),
        "unregistering": request("DELETE", own, **JAVA),
    }
    async with connect(shared_engine.port) as connection:
        for what, sent in requests.items():
            answer = await connection.exchange(sent)
            assert (answer.status, answer.body) == (200, b""), what
            assert answer.header("Content-Length") == "0", what
            assert re.match(r"text/plain\b", answer.header("Content-Type") or ""), what
