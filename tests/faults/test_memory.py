"""What clients can make the engine remember is bounded in bytes, not only in number."""

from __future__ import annotations

import resource
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.engine import Client, EngineProcess, client_of, running_engine
from tests.raw import RawConnection, connect, request

ROOT = "/v4/default/registry"
FIND = f"{ROOT}/instances?appId=default&serviceName=provider"
MEGABYTE = 2**20


def _memory(engine: EngineProcess) -> int:
    """Bytes that the engine's process holds."""
    pages = Path(f"/proc/{engine.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


async def _growth(engine: EngineProcess, act: Callable[[int], Awaitable[None]], times: int) -> int:
    """Bytes by which the engine grows by so many acts, a few having gone before so that it has what it needs anyway."""
    for number in range(20):
        await act(-1 - number)
    before = _memory(engine)
    for number in range(times):
        await act(number)
    return _memory(engine) - before


async def _provider(client: Client) -> int:
    """A provider whose answer is large; how large."""
    service = await client.service("provider", serviceId="provider-id")
    for number in range(100):
        await client.instance(service, instanceId=f"i{number}", properties={"filler": "x" * 3000})
    async with connect(int(client.url.rsplit(":", 1)[1])) as connection:
        size = len((await connection.exchange(request("GET", FIND))).body)
    assert size > 300_000
    return size


async def _twice(connection: RawConnection, data: bytes) -> None:
    """Ask so often that the hot path has it."""
    for _ in range(2):
        assert (await connection.exchange(data)).status == 200


async def test_stale_answers_are_not_kept_by_those_who_asked_for_them(tmp_path: Path) -> None:
    """Every consumer asks with the revision that it has: each change is another question, which is never asked again."""
    async with (
        running_engine(tmp_path / "data") as engine,
        client_of(engine.url) as client,
        connect(engine.port) as other,
    ):
        size = await _provider(client)

        async def change_and_find(number: int) -> None:
            body = {"properties": {"filler": "y" * 2900, "number": str(number)}}
            await client.call("PUT", "/microservices/provider-id/instances/i0/properties", body, 200)
            await _twice(other, request("GET", f"{FIND}&rev=of{number}"))

        assert await _growth(engine, change_and_find, 200) < 50 * size


async def test_an_answer_is_kept_once_for_all_who_get_it(tmp_path: Path) -> None:
    async with (
        running_engine(tmp_path / "data") as engine,
        client_of(engine.url) as client,
        connect(engine.port) as other,
    ):
        size = await _provider(client)

        async def find_as_another(number: int) -> None:
            consumer = await client.service(f"consumer{number}")
            await _twice(other, request("GET", FIND, X_ConsumerId=consumer))

        assert await _growth(engine, find_as_another, 200) < 50 * size


async def test_large_requests_do_not_fill_the_hot_path(tmp_path: Path) -> None:
    """Batches of heartbeats that differ in their blanks: each would be remembered with all of its megabyte."""
    async with running_engine(tmp_path / "data", hot_path_entries=5000) as engine, client_of(engine.url) as client:
        await client.service("provider", serviceId="provider-id")
        await client.instance("provider-id", instanceId="i")
        batch = b'{"instances":[{"serviceId":"provider-id","instanceId":"i"}]%s}'
        async with connect(engine.port) as other:

            async def beat(number: int) -> None:
                body = batch % (b" " * (MEGABYTE + number))
                assert (await other.exchange(request("PUT", f"{ROOT}/heartbeats", body))).status == 200

            assert await _growth(engine, beat, 100) < 50 * MEGABYTE
