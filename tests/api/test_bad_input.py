"""What is malformed gets the documented refusal and changes nothing: bodies, headers, paths, parameters, bodies that never end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from registry.api.service_center import ROUTES
from tests.engine import Client, EngineProcess
from tests.raw import RawAnswer, connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"request_timeout": 1}
ROOT = "/v4/default/registry"
WITH_BODY = [route for route in ROUTES if route.sample is not None]
RUBBISH = [
    b"",
    b" ",
    b"{",
    b"[]",
    b"7",
    b'"text"',
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b'{"a":1}{"b":2}',
    b"{'a':1}",
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"a":NaN}',
    b'{"a":"\\ud800"}',
    b'{"a":1e999999}',
]


async def _state(api: Client) -> object:
    """Everything that the engine holds, but for the engine's own registration."""
    async with api.session.get(f"{api.url}/v4/default/admin/dump?options=cache") as response:
        cache = (await response.json())["cache"]
    return {name: [row for row in rows if "SERVICECENTER" not in json.dumps(row)] for name, rows in cache.items()}


def _wrong(value: object) -> Iterator[object]:
    """The same document with one part of another type, for every part."""
    match value:
        case dict():
            yield "text instead of an object"
            for name, inner in value.items():
                yield from ({**value, name: wrong} for wrong in _wrong(inner))
        case list():
            yield {"an object": "instead of a list"}
            yield from ([wrong] for wrong in _wrong(value[0]))
        case str():
            yield from (7, True, ["text"], {"text": "x"})


async def _send(engine: EngineProcess, method: str, path: str, body: bytes) -> RawAnswer:
    async with connect(engine.port) as connection:
        return await connection.exchange(request(method, path, body))


def _is_refused(answer: RawAnswer) -> bool:
    return answer.status == 400 and json.loads(answer.body)["errorCode"] == "400001"


async def _target(route: Any, api: Client) -> str:
    """The path of a route with a service and an instance that exist."""
    service = await api.service("target")
    path: str = route.path.replace(":project", "default").replace(":serviceId", service).replace(":kind", "retry")
    return (
        path.replace(":instanceId", await api.instance(service, instanceId="i")).replace(":schemaId", "s")
        + "?type=query"
    )


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: f"{route.method} {route.path}")
async def test_a_body_that_is_no_json_or_of_wrong_types_is_refused(
    route: Any, shared_engine: EngineProcess, api: Client
) -> None:
    """Every part of every body, each of another type; the state is the same after all of them."""
    target = await _target(route, api)
    before = await _state(api)
    for body in (*RUBBISH, *(json.dumps(wrong).encode() for wrong in _wrong(route.sample))):
        answer = await _send(shared_engine, route.method, target, body)
        assert _is_refused(answer), (body[:200], answer.raw)
    assert await _state(api) == before


BODIES = {
    "POST /microservices": [
        {"service": {"serviceName": "a" * 129}},
        {"service": {"serviceName": "a", "version": "1.2.3.4.5"}},
        {"service": {"serviceName": "a", "version": "32768"}},
        {"service": {"serviceName": "a", "description": "d" * 257}},
        {"service": {"serviceName": "a", "schemas": [f"s{number}" for number in range(101)]}},
        {"service": {"serviceName": "a", "schemas": ["-"]}},
        {"service": {"serviceName": "a", "paths": [None]}},
        {"service": {"serviceName": "a", "paths": [{"path": "no blank"}]}},
        {"service": {"serviceName": "a", "alias": "no/slash"}},
        {"service": {"serviceName": "a", "environment": "test"}},
        {"service": {"serviceName": "a", "framework": {"version": "1" * 65}}},
        {"service": {"serviceName": "a", "serviceId": "with blank"}},
        {"service": {"serviceName": "a\n"}},
        {"service": None},
        {"tags": {"a": "b"}},
    ],
    "POST /microservices/SERVICE/instances": [
        {"instance": {"hostName": " "}},
        {"instance": {"hostName": "h" * 65}},
        {"instance": {"hostName": "h", "endpoints": [" "]}},
        {"instance": {"hostName": "h", "endpoints": [None]}},
        {"instance": {"hostName": "h", "instanceId": "a/b"}},
        {"instance": {"hostName": "h", "status": "up"}},
        {"instance": {"hostName": "h", "healthCheck": {}}},
        {"instance": {"hostName": "h", "healthCheck": {"mode": "push"}}},
        {"instance": {"hostName": "h", "healthCheck": {"mode": "push", "interval": 1, "port": 65536}}},
        {"instance": {"hostName": "h", "healthCheck": {"mode": "push", "interval": 1, "times": -1}}},
        {"instance": {"hostName": "h", "healthCheck": {"mode": "push", "interval": 2**31}}},
        {"instance": {"hostName": "h", "healthCheck": {"mode": "push", "interval": 1.5}}},
        {"instance": {"hostName": "h", "dataCenterInfo": {"name": "n", "region": "r"}}},
        {"instance": {"hostName": "h", "properties": {"a": {"b": "c"}}}},
    ],
    "POST /microservices/SERVICE/schemas": [
        {"schemas": []},
        {"schemas": [None]},
        {"schemas": [{"schemaId": "a", "schema": "x"}]},
        {"schemas": [{"schemaId": "a", "summary": "s"}]},
        {"schemas": [{"schemaId": "a", "schema": "x", "summary": "s"}] * 2},
        {"schemas": [{"schemaId": f"a{number}", "schema": "x", "summary": "s"} for number in range(101)]},
    ],
    "PUT /microservices/SERVICE/schemas/a": [{"summary": "s"}, {"schema": ""}, {"schema": "x", "summary": "not-alnum"}],
    "POST /microservices/SERVICE/tags": [
        {"tags": {"1": "starts with a digit"}},
        {"tags": {"a": "b c"}},
        {"tags": {"a": ""}},
        {"tags": {f"t{number}": "v" for number in range(101)}},
        {"tags": {}, "more": {"a": 1}},
        {"tags": {}, "more": "x"},
    ],
    "DELETE /microservices": [
        {},
        {"serviceIds": []},
        {"serviceIds": [""]},
        {"serviceIds": ["a b"]},
        {"serviceIds": ["x" * 65]},
    ],
    "PUT /heartbeats": [{}, {"instances": []}, {"instances": [None]}, {"instances": [None, {"serviceId": "a"}]}],
    "PUT /instances/status": [
        {},
        {"status": ""},
        {"status": "up"},
        {"matches": {"properties": {"a": 1}}, "status": "UP"},
    ],
    "POST /instances/action?type=query": [
        {},
        {"services": [], "instances": []},
        {"services": [{}]},
        {"services": [None]},
        {"services": [{"service": {"appId": "a"}}]},
        {"services": [{"service": {"appId": "a", "serviceName": "b", "environment": "c"}}]},
        {"instances": [{"instance": {"serviceId": "a"}}]},
    ],
    "POST /dependencies": [
        {},
        {"dependencies": []},
        {"dependencies": [{"providers": [{"serviceName": "b"}]}]},
        {
            "dependencies": [
                {"consumer": {"appId": "a", "serviceName": "b", "version": "1+"}, "providers": [{"serviceName": "b"}]}
            ]
        },
    ],
}


@pytest.mark.parametrize("call", BODIES)
async def test_a_body_that_breaks_a_rule_is_refused(call: str, shared_engine: EngineProcess, api: Client) -> None:
    """400001 with a detail that says where; nothing changes."""
    method, _, path = call.partition(" ")
    target = ROOT + path.replace("SERVICE", await api.service("target"))
    before = await _state(api)
    async with connect(shared_engine.port) as connection:
        for body in BODIES[call]:
            sent = request(method, target, json.dumps(body).encode(), X_Domain_Name=api._headers["X-Domain-Name"])
            answer = await connection.exchange(sent)
            assert _is_refused(answer), (body, answer.raw)
            assert json.loads(answer.body)["detail"], body
    assert await _state(api) == before


@pytest.mark.parametrize(
    "target",
    [
        "/existence",
        "/existence?type=other",
        "/existence?type=microservice&appId=a&serviceName=b",
        "/existence?type=microservice&appId=a&serviceName=b&version=latest",
        "/existence?type=microservice&appId=a&serviceName=b&version=99999",
        "/existence?type=microservice&appId=a&serviceName=b&version=1.0&env=none",
        "/existence?type=microservice&appId=%ff&serviceName=b&version=1.0",
        "/existence?type=schema&serviceId=a",
        "/existence?type=schema&serviceId=a&schemaId=-",
        "/instances",
        "/instances?appId=a",
        "/instances?serviceName=a",
        f"/instances?appId={'a' * 161}&serviceName=a",
        f"/instances?appId=a&serviceName={'a' * 290}",
        "/instances?appId=a&serviceName=b&env=staging",
        "/instances?appId=a&serviceName=b&tags=a,1",
        "/instances?appId=a&serviceName=b&filterProperty=noColon",
        "/instances?appId=a&serviceName=b&filterProperty=:value",
        "/microservices/" + "x" * 65,
        "/microservices/a%20b",
        "/microservices/a%09b/instances",
        "/microservices/a/instances/b%20c",
        "/microservices/a/schemas/-",
        "/microservices/a/schemas?withSchema=2",
        "/microservices/a/instances?tags=1",
    ],
)
async def test_a_parameter_that_breaks_its_rule_is_refused(target: str, shared_engine: EngineProcess) -> None:
    async with connect(shared_engine.port) as connection:
        answer = await connection.exchange(request("GET", ROOT + target))
    assert _is_refused(answer), answer.raw


@pytest.mark.parametrize("name", ["X-Domain-Name", "X-ConsumerId", "X-Tenant-Name", "Host"])
async def test_a_header_that_is_no_utf8_is_refused_and_spoils_nothing(
    name: str, shared_engine: EngineProcess, api: Client
) -> None:
    """Such a header once broke /metrics for good; one that is UTF-8 but not ASCII is as good as any."""
    targets = {"Host": "/v4/default/admin/clusters", "X-Tenant-Name": "/registry/v3/microservices"}
    target = targets.get(name, f"{ROOT}/instances?appId=a&serviceName=b")
    head = f"GET {target} HTTP/1.1\r\n" + ("" if name == "Host" else "Host: e\r\n") + f"{name}: "
    async with connect(shared_engine.port) as connection:
        answer = await connection.exchange(head.encode() + b"\xff\xfe\r\n\r\n")
        assert _is_refused(answer), answer.raw
        assert name in json.loads(answer.body)["detail"]
        fine = await connection.exchange(head.encode() + "dömäne\r\n\r\n".encode())
        assert fine.status == 200 or b'"400012"' in fine.body
    async with api.session.get(f"{api.url}/metrics") as response:
        assert response.status == 200


@pytest.mark.parametrize(("domain", "project"), [("d" * 257, "default"), ("default", "p" * 257), ("\u00fc" * 300, "p")])
async def test_a_tenant_with_an_endless_name_is_refused(
    domain: str, project: str, shared_engine: EngineProcess, api: Client
) -> None:
    """Its name is part of the key of everything that it keeps."""
    head = f"GET /v4/{project}/registry/microservices HTTP/1.1\r\nHost: e\r\nX-Domain-Name: {domain}\r\n\r\n"
    async with connect(shared_engine.port) as connection:
        assert _is_refused(await connection.exchange(head.encode()))
        fits = head.replace("d" * 257, "d" * 256).replace("p" * 257, "p" * 256).replace("\u00fc" * 300, "\u00fc" * 256)
        assert (await connection.exchange(fits.encode())).status == 200


async def test_a_body_that_does_not_arrive_is_refused(shared_engine: EngineProcess, api: Client) -> None:
    """After `request_timeout`, by the documented error and never by a 5xx; the connection is of no use any more."""
    before = await _state(api)
    head = f"POST {ROOT}/microservices HTTP/1.1\r\nHost: e\r\nContent-Length: 50\r\n\r\n".encode()
    async with connect(shared_engine.port) as connection:
        answer = await connection.exchange(head + b'{"service":')
        assert _is_refused(answer), answer.raw
        assert answer.header("Connection") == "close"
    assert await _state(api) == before


async def test_a_client_that_leaves_in_its_body_is_no_event(shared_engine: EngineProcess, api: Client) -> None:
    """Neither an answer nor a line in the log, and nothing is registered."""
    before = await _state(api)
    head = f"POST {ROOT}/microservices HTTP/1.1\r\nHost: e\r\nContent-Length: 40\r\n\r\n".encode()
    async with connect(shared_engine.port) as connection:
        connection.writer.write(head + b'{"service":{"serviceName":"half"}}')
        connection.writer.write_eof()
        assert await connection.closed()
    assert await _state(api) == before
    assert "Traceback" not in shared_engine.log.read_text()
