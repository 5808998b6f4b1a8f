"""The hot path of the config centre answers exactly as the long way does, byte for byte, and never with what is not stored."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.api.kie import JAVA_HEADERS, JSON_TYPE, Kie, java_line
from tests.engine import EngineProcess, eventually, running_engine
from tests.raw import RawConnection, connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
LABELS = {"app": "mall", "environment": ""}
LARGE = {"app": "large"}


def _undated(raw: bytes) -> bytes:
    """Without what differs between two engines: the date, times and revisions, and what is made of them by compression."""
    raw = re.sub(rb"Date: [^\r]+|X-Kie-Revision: \d+", b"-", raw)
    raw = re.sub(rb'"?(create|update)_(time|revision)"?: ?\d+', b"-", raw)
    head, _, body = raw.partition(b"\r\n\r\n")
    return re.sub(rb"Content-Length: \d+", b"-", head) if b"Content-Encoding: gzip" in head else head + body


async def hot_answers(kie: Kie, api: str = r"config-\w+") -> int:
    """How many of the config centre's requests the hot path has answered."""
    async with kie.session.get(f"{kie.url.partition('/v1/')[0]}/metrics") as response:
        found = re.findall(
            rf'^waggle_hot_path_requests_total{{api="{api}"}} (\S+)$', await response.text(), re.MULTILINE
        )
    return int(sum(map(float, found)))


@asynccontextmanager
async def _world(data: Path, **settings: object) -> AsyncIterator[tuple[EngineProcess, Kie]]:
    async with running_engine(data, **settings) as engine, aiohttp.ClientSession() as session:
        kie = Kie(session, engine.url, "default")
        for number in range(3):
            await kie.create(f"k{number}", f"value {number}", LABELS, priority=number)
        await kie.create("big", "x" * 3000, LARGE)
        yield engine, kie


def _requests(revision: int) -> dict[str, list[bytes]]:
    """Requests by name; those of one name differ only in what the hot path looks at anew each time."""
    path = "/v1/default/kie/kv"
    go = f"{path}?revision={{}}&match=exact&label=app:mall&label=environment:"
    body = b'{"key":"new.%d","value":"v","value_type":"text","status":"enabled","labels":{"app":"x"}}'
    large = b'{"key":"large.%d","value":"' + b"y" * 2000 + b'"}'
    java = [request("GET", java_line("default", LABELS, known), **JAVA_HEADERS) for known in (-1, 0, 999999)]
    return {
        "java's poll with news": java,
        "java's custom poll": [request("GET", java_line("default", {"public": ""}, -1, exact=False))] * 3,
        "go's list": [request("GET", go.format(known)) for known in (-1, 0, 5)],
        "go's list without news": [request("GET", go.format(revision))] * 3,
        "everything": [request("GET", path)] * 3,
        "large, compressed": [request("GET", f"{path}?label=app:large", Accept_Encoding="gzip")] * 3,
        "large, not compressed": [request("GET", f"{path}?label=app:large")] * 3,
        "no wait at all": [request("GET", f"{path}?label=app:mall&wait=0s&revision={revision}")] * 3,
        "create": [request("POST", path, body % number, Content_Type=JSON_TYPE) for number in range(3)],
        "create, compressed": [
            request("POST", path, large % number, Content_Type=f"{JSON_TYPE};charset=utf-8", Accept_Encoding="gzip")
            for number in range(3)
        ],
    }


def _long_way() -> dict[str, list[bytes]]:
    """What the hot path leaves to the long way, after it has learned the lines."""
    path = "/v1/default/kie/kv"
    return {
        "create again": [request("POST", path, b'{"key":"new.1","labels":{"app":"x"}}', Content_Type=JSON_TYPE)] * 2,
        "create badly": [request("POST", path, b'{"key":"a b"}', Content_Type=JSON_TYPE)] * 2,
        "create rubbish": [request("POST", path, b"{nope", Content_Type=JSON_TYPE)] * 2,
        "create without a type": [request("POST", path, b'{"key":"z"}')] * 2,
        "create as yaml": [request("POST", path, b"key: yaml\n", Content_Type="text/yaml", Accept="text/yaml")],
        "list by key": [request("GET", f"{path}?key=k1&label=app:mall")] * 2,
        "page": [request("GET", f"{path}?limit=2&label=app:mall")] * 2,
        "no revision": [request("GET", f"{path}?revision=x&match=exact&label=app:mall&label=environment:")] * 2,
        "two revisions": [request("GET", f"{path}?revision=0&revision=1")] * 2,
        "an unknown type": [request("POST", path, b"key=z", Content_Type="application/x-www-form-urlencoded")] * 2,
    }


async def test_both_ways_answer_byte_for_byte_alike(tmp_path: Path) -> None:
    """Every hot request three times on one connection, on an engine with and one without the hot path, and every refusal."""
    answers: dict[bool, dict[str, list[bytes]]] = {}
    for hot in (True, False):
        async with _world(tmp_path / f"data-{hot}", hot_path=hot) as (engine, kie), connect(engine.port) as connection:
            _, revision = await kie.listed()
            answers[hot] = {}
            for name, rows in (_requests(revision) | _long_way()).items():
                answers[hot][name], used = [], []
                for row in rows:
                    before = await hot_answers(kie)  # asked each time, so that the connection is idle again
                    answers[hot][name].append(_undated((await connection.exchange(row)).raw))
                    used.append(await hot_answers(kie) - before)
                assert used[1:] == [int(hot and name in _requests(revision))] * (len(rows) - 1), name
    assert answers[True] == answers[False]


async def test_a_change_shows_in_the_next_list_whatever_the_client_knows(
    shared_engine: EngineProcess, kie: Kie
) -> None:
    """The remembered list goes with the change; 304 is for the current revision alone."""
    created = await kie.create("k", "one", LABELS)
    async with connect(shared_engine.port) as connection:

        async def ask(revision: int) -> tuple[int, bytes, int]:
            target = f"{kie.path}/kv?revision={revision}&match=exact&label=app:mall&label=environment:"
            answer = await connection.exchange(request("GET", target))
            return answer.status, answer.body, int(answer.header("X-Kie-Revision") or 0)

        _, _, revision = await ask(-1)
        before = await hot_answers(kie)
        for number in range(5):
            assert (await ask(revision))[0] == 304
            await kie.update(created["id"], f"value {number}")
            status, body, new = await ask(revision)
            assert (status, f'"value {number}"'.encode() in body) == (200, True)
            assert new > revision
            revision = new
        await kie.ok("DELETE", f"/kv/{created['id']}", status=204)
        status, body, _ = await ask(revision)
        assert (status, body) == (200, b'{"total":0,"data":[]}')
        assert await hot_answers(kie) - before > 5


async def test_another_project_is_another_list(shared_engine: EngineProcess, kie: Kie) -> None:
    """One line, one project: what was learned of one says nothing of another."""
    await kie.create("k", "one", LABELS)
    async with connect(shared_engine.port) as connection:
        for _ in range(3):
            assert b'"total":1' in (await connection.exchange(request("GET", f"{kie.path}/kv"))).body
        other = await connection.exchange(request("GET", f"/v1/{kie.project}2/kie/kv"))
        assert b'"total":0' in other.body


async def _polling(connection: RawConnection, kie: Kie, revision: int, wait: str = "20s") -> None:
    connection.writer.write(request("GET", java_line(kie.project, LABELS, revision, wait), **JAVA_HEADERS))
    await connection.writer.drain()


async def test_polls_that_the_hot_path_holds_end_as_all_do(shared_engine: EngineProcess, kie: Kie) -> None:
    """With the new list after a change, with 304 when the time is over; and the connection goes on."""
    created = await kie.create("k", "one", LABELS)
    _, revision = await kie.listed()
    async with connect(shared_engine.port) as connection:
        await connection.exchange(request("GET", java_line(kie.project, LABELS, -1, "20s"), **JAVA_HEADERS))
        await connection.exchange(request("GET", java_line(kie.project, LABELS, -1, "100ms"), **JAVA_HEADERS))
        before = await hot_answers(kie, "config-poll")
        await _polling(connection, kie, revision)
        await kie.update(created["id"], "two")
        answer = await connection.read()
        assert (answer.status, b'"value":"two"' in answer.body) == (200, True)
        revision = int(answer.header("X-Kie-Revision") or 0)
        await _polling(connection, kie, revision, "100ms")
        over = await connection.read()
        assert (over.status, over.body, over.header("X-Kie-Revision")) == (304, b"", None)
        assert await hot_answers(kie, "config-poll") - before == 2
        assert (await connection.exchange(request("GET", f"{kie.path}/kv"))).status == 200


async def test_what_arrives_while_a_poll_waits_is_answered_after_it(shared_engine: EngineProcess, kie: Kie) -> None:
    """Pipelined requests keep their order, a large body among them."""
    created = await kie.create("k", "one", LABELS)
    _, revision = await kie.listed()
    big = request("POST", f"{kie.path}/kv", b'{"key":"big","value":"%s"}' % (b"x" * 120_000), Content_Type=JSON_TYPE)
    async with connect(shared_engine.port) as connection:
        await connection.exchange(request("GET", java_line(kie.project, LABELS, -1, "20s"), **JAVA_HEADERS))
        await _polling(connection, kie, revision)
        connection.writer.write(big + request("GET", f"{kie.path}/kv?key=big") + request("GET", f"{kie.path}/kv/nope"))
        await eventually(lambda: _open_polls(kie, 1))
        await kie.update(created["id"], "two")
        assert b'"value":"two"' in (await connection.read()).body
        assert b'"key":"big"' in (await connection.read()).body
        assert b'"total":1' in (await connection.read()).body
        assert (await connection.read()).status == 404


async def _open_polls(kie: Kie, count: int) -> bool:
    async with kie.session.get(f"{kie.url.partition('/v1/')[0]}/metrics") as response:
        found = re.search(r"^waggle_config_polls (\S+)$", await response.text(), re.MULTILINE)
    assert found is not None
    return float(found[1]) == count


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_requests_in_pieces_and_in_rows_are_answered_in_order(
    size: int, shared_engine: EngineProcess, kie: Kie
) -> None:
    """However the bytes arrive."""
    await kie.create("k", "one", LABELS)
    java = request("GET", java_line(kie.project, LABELS, -1), **JAVA_HEADERS)
    rows = [java, request("GET", f"{kie.path}/kv"), java]
    async with connect(shared_engine.port) as connection:
        alone = [_undated((await connection.exchange(row)).raw) for row in rows]
        stream = b"".join(rows)
        for start in range(0, len(stream), size):
            connection.writer.write(stream[start : start + size])
            await connection.writer.drain()
        assert [_undated((await connection.read()).raw) for _ in rows] == alone


async def test_the_author_and_sessions_take_the_long_way(shared_engine: EngineProcess, kie: Kie) -> None:
    """A header that means something is never passed over: a tracked list is tracked after the line was learned."""
    await kie.create("k", "one", LABELS)
    async with connect(shared_engine.port) as connection:
        for _ in range(3):
            await connection.exchange(request("GET", f"{kie.path}/kv"))
        await connection.exchange(request("GET", f"{kie.path}/kv", X_Session_Id="s1"))
    tracked = await kie.ok("GET", "/track?sessionId=s1")
    assert tracked["total"] == 1


async def test_many_polls_of_many_lines_stay_within_the_memory_that_is_set(tmp_path: Path) -> None:
    """A full memory starts anew, and everything is still answered."""
    async with (
        running_engine(tmp_path / "data", hot_path_entries=20) as engine,
        connect(engine.port) as connection,
        aiohttp.ClientSession() as session,
    ):
        for number in range(60):
            answer = await connection.exchange(request("GET", f"/v1/default/kie/kv?label=app:a{number}"))
            assert (answer.status, answer.body) == (200, b'{"total":0,"data":[]}')
        async with session.get(f"{engine.url}/metrics") as response:
            found = re.search(r"^waggle_hot_path_entries (\S+)$", await response.text(), re.MULTILINE)
        assert found is not None
        assert 0 < float(found[1]) <= 21


async def test_lists_under_a_stream_of_writes_show_only_what_is_stored(shared_engine: EngineProcess, kie: Kie) -> None:
    """Every list shows at least what was acknowledged before it was asked for, in revisions that never go back."""
    created = await kie.create("k", "0", LABELS)
    acknowledged, ended = 0, asyncio.Event()

    async def write() -> None:
        nonlocal acknowledged
        for number in range(1, 150):
            await kie.update(created["id"], str(number))
            acknowledged = number
        ended.set()

    async def read() -> int:
        seen, asked = 0, 0
        async with connect(shared_engine.port) as connection:
            while not ended.is_set():
                least = acknowledged
                answer = await connection.exchange(request("GET", f"{kie.path}/kv?label=app:mall"))
                found = re.search(rb'"value":"(\d+)"', answer.body)
                revision = int(answer.header("X-Kie-Revision") or 0)
                assert found is not None
                assert int(found[1]) >= least
                assert revision >= seen
                seen, asked = revision, asked + 1
        return asked

    asked = await asyncio.gather(write(), read(), read())
    assert min(asked[1:]) > 5


async def test_whoever_creates_is_named_on_every_way(shared_engine: EngineProcess, kie: Kie) -> None:
    """The audit log knows the address of who created what, and the name where one is given."""
    async with connect(shared_engine.port) as connection:
        for number in range(4):
            named = {"X_Waggle_Author": "ann"} if number == 3 else {}
            body = b'{"key":"k%d"}' % number
            row = request("POST", f"{kie.path}/kv", body, Content_Type=JSON_TYPE, **named)
            assert (await connection.exchange(row)).status == 200
    origin = kie.url.partition("/v1/")[0]
    async with kie.session.get(f"{origin}/waggle/v1/audit?project={kie.project}&kind=config") as response:
        changes = (await response.json())["changes"]
    assert [change["author"] for change in changes] == ["ann@127.0.0.1", *["127.0.0.1"] * 3]
