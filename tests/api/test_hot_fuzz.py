"""The hot path against the long way: the same damaged requests to two engines, one without the hot path, and the same answers from both.

Each connection is warmed by the undamaged request, so that the damaged one comes where the hot path is taken.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.test_hot_path import hot_answers
from tests.engine import client_of, running_engine
from tests.raw import RawConnection, connect, request

ROOT = "/v4/default/registry"
ROUNDS = 250
Mutation = Callable[[random.Random, bytes], bytes]
HEADERS = (
    "Content-Length: 0",
    "Content-Length: 3",
    "Content-Length: +1",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Connection: close",
    "Connection: Keep-Alive",
    "Connection: upgrade",
    "Upgrade: websocket",
    "Expect: 100-continue",
    "Accept-Encoding: gzip;q=0",
    "X-Domain-Name: other",
    "X-Domain-Name: ",
    "X-ConsumerId: foreign-id",
    "X-ConsumerId: nobody",
    "X-Tenant-Name: other",
    "Authorization: Bearer rubbish",
    "Origin: http://console.example",
    "X-Unknown: 1",
    "Host: twice",
    "Content-Type: text/plain",
)


def _requests() -> list[bytes]:
    find = f"{ROOT}/instances?appId=default&serviceName=provider&version=0%2B"
    again = b'{"instance":{"instanceId":"i1","hostName":"host","endpoints":["rest://h:1"]}}'
    beats = b'{"instances":[{"serviceId":"provider-id","instanceId":"i1"}]}'
    named = {"X_Domain_Name": "default", "User_Agent": "test"}
    return [
        request("PUT", f"{ROOT}/microservices/provider-id/instances/i1/heartbeat", **named),
        request("GET", find, X_ConsumerId="consumer-id", **named),
        request("GET", f"{find}&rev=x", X_ConsumerId="consumer-id", Accept_Encoding="gzip", **named),
        request("PUT", f"{ROOT}/heartbeats", beats, **named),
        request("POST", f"{ROOT}/microservices/provider-id/instances", again, Content_Type="application/json", **named),
    ]


def _in_head(data: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    head, _, body = data.partition(b"\r\n\r\n")
    return b"\r\n".join(change(head.split(b"\r\n"))) + b"\r\n\r\n" + body


def _add_header(rng: random.Random, data: bytes) -> bytes:
    header, place = rng.choice(HEADERS).encode(), rng.randint(1, 4)
    return _in_head(data, lambda lines: [*lines[:place], header, *lines[place:]])


def _repeat_header(rng: random.Random, data: bytes) -> bytes:
    return _in_head(data, lambda lines: [*lines, rng.choice(lines[1:])])


def _drop_header(rng: random.Random, data: bytes) -> bytes:
    place = rng.randint(1, 3)
    return _in_head(data, lambda lines: lines[:place] + lines[place + 1 :])


def _shuffle_headers(rng: random.Random, data: bytes) -> bytes:
    return _in_head(data, lambda lines: [lines[0], *rng.sample(lines[1:], len(lines) - 1)])


def _change_case(rng: random.Random, data: bytes) -> bytes:
    change = rng.choice((bytes.upper, bytes.lower, bytes.title))
    return _in_head(
        data,
        lambda lines: [
            lines[0],
            *(change(line.partition(b":")[0]) + b":" + line.partition(b":")[2] for line in lines[1:]),
        ],
    )


def _space(rng: random.Random, data: bytes) -> bytes:
    blank = rng.choice((b" ", b"\t", b"  ", b" \t "))
    return _in_head(
        data,
        lambda lines: [
            lines[0],
            *(line.replace(b": ", b":" + blank, 1) + rng.choice((b"", blank)) for line in lines[1:]),
        ],
    )


def _change_byte(rng: random.Random, data: bytes) -> bytes:
    """A byte of the target, a header or the body; the method and line ends stay."""
    places = [place for place in range(5, len(data)) if data[place] not in b"\r\n"]
    place = rng.choice(places)
    return data[:place] + bytes([rng.choice(b'a0/%?&=: .\x00\x7f\xff{}"-')]) + data[place + 1 :]


def _other_version(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"HTTP/1.1", rng.choice((b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1")), 1)


def _as_it_is(_rng: random.Random, data: bytes) -> bytes:
    return data


MUTATIONS: tuple[Mutation, ...] = (
    _add_header,
    _add_header,
    _repeat_header,
    _drop_header,
    _shuffle_headers,
    _change_case,
    _space,
    _change_byte,
    _change_byte,
    _change_byte,
    _other_version,
    _as_it_is,
)


async def _answer(port: int, warming: bytes, damaged: bytes) -> bytes:
    """What is answered to a damaged request on a warm connection, without what differs between two engines."""
    async with connect(port) as connection:
        for _ in range(2):
            assert (await connection.exchange(warming)).status == 200
        return _comparable(await _one(connection, damaged))


async def _one(connection: RawConnection, data: bytes) -> bytes:
    try:
        return (await connection.exchange(data)).raw
    except (asyncio.IncompleteReadError, ConnectionError):
        return b"closed"


def _comparable(raw: bytes) -> bytes:
    head, _, body = raw.partition(b"\r\n\r\n")
    head = re.sub(rb"(Date|X-Resource-Revision|Content-Length): [^\r]+", rb"\1: -", head)
    if b"Content-Encoding: gzip" in head:
        return head
    return head + re.sub(rb'"(\w*)[tT]imestamp":"\d+"|[0-9a-f]{32}', b"-", body)


@pytest.mark.parametrize("seed", [20261, 20262])
async def test_damaged_requests_are_answered_alike(seed: int, tmp_path: Path) -> None:
    """Whatever is done to a request, the hot path never says other than the long way does. The seed is in the test's name."""
    rng = random.Random(seed)
    ports = []
    async with (
        running_engine(tmp_path / "hot", request_timeout=0.5) as hot,
        running_engine(tmp_path / "long", request_timeout=0.5, hot_path=False) as long,
    ):
        for engine in (hot, long):
            ports.append(engine.port)
            async with client_of(engine.url) as client:
                provider = await client.service("provider", serviceId="provider-id")
                await client.service("consumer", serviceId="consumer-id")
                await client.service("foreign", serviceId="foreign-id", appId="other")
                await client.instance(provider, instanceId="i1", endpoints=["rest://h:1"])
        for _ in range(ROUNDS):
            warming = rng.choice(_requests())
            damaged = rng.choice(MUTATIONS)(rng, warming)
            answers = await asyncio.gather(*(_answer(port, warming, damaged) for port in ports))
            assert answers[0] == answers[1], damaged
        async with client_of(hot.url) as client:
            assert await hot_answers(client) > ROUNDS
