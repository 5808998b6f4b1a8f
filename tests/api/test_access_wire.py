"""Attacks with the bytes of the wire and with other people's browsers, while access control is enforced. docs/threat-model.md."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import gzip
import itertools
import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.api.access import ROOT_PASSWORD
from tests.api.attacked import REGISTRY, SECRET, Attacked
from tests.api.office import permission
from tests.engine import EngineProcess
from tests.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_requests_in_one_packet_are_each_judged_by_their_own_credentials(attacked: Attacked) -> None:
    """The fast and the slow path never lend one request the token of another, whatever stands beside it on the wire."""
    beat = f"{REGISTRY}/microservices/orders-id/instances/orders-1/heartbeat"
    find = f"{REGISTRY}/instances?appId=default&serviceName=orders"
    with_token, without = (
        [request(*asked, b"", **more) for asked in (("PUT", beat), ("GET", find))]
        for more in (attacked.office.root, {})
    )
    async with connect(attacked.engine.port) as connection:
        for good, bad in (*zip(with_token, without, strict=True), *zip(with_token, reversed(without), strict=True)):
            for _ in range(4):
                assert (await connection.exchange(good)).status == 200
                for order in ((good, bad), (bad, good), (good, good, bad), (bad, bad, good)):
                    connection.writer.write(b"".join(order))
                    statuses = [(await connection.read()).status for _ in order]
                    assert statuses == [200 if one is good else 401 for one in order]


@pytest.mark.parametrize("seed", range(6))
async def test_however_the_bytes_are_cut_each_request_has_its_own_credentials(seed: int, attacked: Attacked) -> None:
    """Requests of three callers on one connection, in packets that begin and end anywhere: each is answered as it is alone."""
    chance = random.Random(seed)
    weak = await attacked.office.account(f"cut-{seed}", [permission("service", serviceName="orders")])
    beats = [f"{REGISTRY}/microservices/{name}-id/instances/{name}-1/heartbeat" for name in ("orders", SECRET)]
    allowed = {"root": (200, 200), "weak": (200, 403), "none": (401, 401)}
    callers = {"root": attacked.office.root, "weak": weak, "none": {}}
    asked = [(chance.choice(list(callers)), chance.randrange(2)) for _ in range(150)]
    packets = [request("PUT", beats[which], b"", **callers[who]) for who, which in asked]
    ends = list(itertools.accumulate(map(len, packets)))
    cuts = sorted({*chance.sample(range(ends[-1]), 60), *chance.sample(ends, 60), ends[-1]})
    whole, statuses = b"".join(packets), []
    async with connect(attacked.engine.port) as connection:
        for begin, end in itertools.pairwise([0, *cuts]):
            connection.writer.write(whole[begin:end])
            while len(statuses) < bisect.bisect_right(ends, end):
                statuses.append((await connection.read()).status)
    assert statuses == [allowed[who][which] for who, which in asked]


def _with(lines: Sequence[str]) -> bytes:
    head = [f"GET {REGISTRY}/microservices/{SECRET}-id HTTP/1.1", "Host: engine", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")


async def test_a_head_that_two_readers_could_read_differently_lets_nobody_in(attacked: Attacked) -> None:
    """Two credentials, folded or odd names, another request in a body: the weaker reading counts, or it is refused."""
    weak = await attacked.office.account("weak", [permission("service", serviceName="orders")])
    good, bad = (f"Authorization: {headers['Authorization']}" for headers in (attacked.office.root, weak))
    smuggled = _with([good]).decode()
    odd = (
        [bad, good],
        [f"{good}\x00"],
        [good.replace(": ", " : ", 1)],
        [good.replace("Authorization", " Authorization", 1)],
        ["X-Other: 1\r\n " + good],
        ["X-Other: 1\n" + good],
        ["X-Other: 1\r" + good],
        [good.replace("Authorization", "Authorizat\u0131on", 1).encode().decode("latin-1")],
        [bad, f"Content-Length: {len(smuggled)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"],
        [bad, f"Content-Length: {len(smuggled)}\r\n\r\n{smuggled}"],
        ["Connection: authorization", bad, good],
        ["X_Authorization: x", good.replace("Authorization", "HTTP_AUTHORIZATION", 1)],
    )
    for lines in odd:
        async with connect(attacked.engine.port) as connection:
            for _ in range(2):
                connection.writer.write(_with([bad]))
                assert (await connection.read()).status == 403
            connection.writer.write(_with(lines) + request("GET", "/unknown", Connection="close"))
            answers = await asyncio.wait_for(connection.reader.read(), 20)
        assert answers.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), lines
        assert b"HTTP/1.1 200" not in answers, lines
        assert b'"serviceName"' not in answers, lines


async def test_the_body_of_a_refused_request_is_never_read_as_another(attacked: Attacked) -> None:
    """Whether it came with the head, comes later, or in chunks: one answer, without a word that more is wanted, and no second request."""
    hidden = _with([f"Authorization: {attacked.office.root['Authorization']}"])
    path = f"POST {REGISTRY}/microservices HTTP/1.1\r\nHost: engine\r\n"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
    length = f"Content-Length: {len(hidden) + 2_000_000}\r\n"
    for framing, body in (
        (f"Content-Length: {len(hidden)}\r\n", hidden),
        ("Transfer-Encoding: chunked\r\n", chunks),
        (length, hidden),
        (f"{length}Expect: 100-continue\r\n", hidden),
    ):
        for together in (True, False):
            async with connect(attacked.engine.port) as connection:
                connection.writer.write(f"{path}{framing}\r\n".encode() + (body if together else b""))
                answer = await connection.read()
                assert answer.status == 401, framing
                with contextlib.suppress(ConnectionError):
                    last = request("GET", "/unknown", Connection="close")
                    connection.writer.write((b"" if together else body) + last)
                    if framing.startswith(length):  # the engine would wait a while for the rest
                        connection.writer.write_eof()
                    rest = await asyncio.wait_for(connection.reader.read(), 20)
                    assert b"200 OK" not in rest, framing
                    assert SECRET.encode() not in rest, framing


def _kilobytes(engine: EngineProcess) -> int:
    """The memory of the engine's process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{engine.pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1])


async def test_a_small_body_that_would_unpack_to_a_large_one_is_not_unpacked(attacked: Attacked) -> None:
    """Bodies are read as they come, and a compressed one is no JSON; who has no credentials is refused before any of it is read."""
    bomb = gzip.compress(b'{"service":{"serviceName":"' + b"x" * 200_000_000 + b'"}}', 9)
    before = _kilobytes(attacked.engine)
    for headers, wanted in ((attacked.office.root, 400), ({}, 401)):
        named = {"Content-Encoding": "gzip", "Content-Type": "application/json", **headers}
        async with attacked.client.session.post(
            f"{attacked.client.registry}/microservices", data=bomb, headers=named
        ) as answer:
            assert answer.status == wanted
    assert _kilobytes(attacked.engine) - before < 30_000


async def test_a_browser_lends_nobody_its_rights(attacked: Attacked) -> None:
    """No cookie is ever set or read; another origin's page may not send Authorization, and never gets credentials allowed."""
    asked = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    url = f"{attacked.client.url}/v4/accounts"
    async with attacked.client.session.options(url, headers=asked) as answer:
        assert "Access-Control-Allow-Headers" not in answer.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
    sign_in = {"name": "root", "password": ROOT_PASSWORD}
    async with attacked.client.session.post(
        f"{attacked.client.url}/v4/token", json=sign_in, headers={"Origin": "http://evil.example"}
    ) as answer:
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers
    async with attacked.client.session.post(url, data=b"name=x", headers={"Origin": "http://evil.example"}) as answer:
        assert answer.status == 401


async def test_hostile_names_are_never_answered_as_a_page(attacked: Attacked) -> None:
    """Text of clients comes back as JSON; where a refusal repeats a target, that is plain text, and no browser may guess otherwise."""
    mark = "<script>alert(1)</script>"
    body = {"service": {"serviceName": "xss", "serviceId": "xss-id", "description": mark, "properties": {mark: mark}}}
    await attacked.client.call("POST", "/microservices", body, 200, **attacked.office.root)
    item = {"key": "xss", "value": mark, "labels": {"app": "xss"}, "status": "enabled"}
    await attacked.client.call("POST", "/v1/default/kie/kv", item, 200, **attacked.office.root)
    paths = [
        f"{REGISTRY}/microservices/xss-id",
        "/v4/default/admin/dump",
        "/v4/default/govern/microservices",
        "/v1/default/kie/kv",
    ]
    reflected = [
        f"{REGISTRY}/microservices/{mark}",
        f"/{mark}",
        f"/x?{mark}@",
        f"/x?{mark}//",
        f"/v1/default/kie/kv?{mark}=1",
    ]
    async with connect(attacked.engine.port) as connection:
        for path in (*paths, *reflected):
            answer = await connection.exchange(request("GET", path, b"", Accept="text/html", **attacked.office.root))
            kind = (answer.header("Content-Type") or "").partition(";")[0]
            assert kind in ("application/json", "text/plain"), path
            assert path not in paths or mark.encode() in answer.body, path
            if mark.encode() in answer.body:
                assert kind == "application/json" or answer.header("X-Content-Type-Options") == "nosniff", path


async def test_no_path_leads_to_a_file(attacked: Attacked) -> None:
    """There are none to be had, whoever asks: pages of the engine are no folder."""
    up = ("..", "%2e%2e", "..%2f", "..%5c", "%2e%2e%2f", "....//", "..;", "%252e%252e", "..%c0%af")
    wanted = [
        f"{start}{step * 12}/etc/passwd" for start in ("/", "/health/", "/openapi.json/", "/waggle/v1/") for step in up
    ]
    wanted += [f"/{'/'.join([step] * 12)}/{file}" for step in up for file in ("etc/passwd", "waggle-data/waggle.db")]
    async with connect(attacked.engine.port) as connection:
        for path in (*wanted, "/waggle.db", "/data/waggle.db", "/.git/config", "/console/../../pyproject.toml"):
            answer = await connection.exchange(request("GET", path, b"", **attacked.office.root))
            assert answer.status in (301, 400, 404), path
            assert not any(text in answer.body for text in (b"root:", b"SQLite", b"[project]")), path
