"""The hot path answers exactly as the long way does, byte for byte, and never with what no longer holds."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.engine import Client, EngineProcess, client_of, running_engine
from tests.raw import RawConnection, connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = "/v4/default/registry"
IDS = ("provider-id", "consumer-id", "foreign-id")


@pytest_asyncio.fixture(loop_scope="module")
async def client(shared_engine: EngineProcess) -> AsyncIterator[Client]:
    """A client in the domain of requests that name none; each test leaves nothing there."""
    async with client_of(shared_engine.url) as made:
        yield made
        for service_id in IDS:
            await made.call("DELETE", f"/microservices/{service_id}?force=1")
        left = [(await made.call("GET", f"/microservices/{service_id}"))[0] for service_id in IDS]
        assert left == [400] * len(IDS)


def _undated(raw: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]+", b"Date: -", raw)


async def hot_answers(client: Client) -> float:
    """How many requests the hot path has answered."""
    async with client.session.get(f"{client.url}/metrics") as response:
        text = await response.text()
    return sum(
        float(number) for number in re.findall(r"^waggle_hot_path_requests_total\{.*\} (\S+)$", text, re.MULTILINE)
    )


class World:
    """One service with two instances, one consumer, in an engine with or without the hot path."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def build(self) -> None:
        """Register everything under fixed ids, so that two engines hold the same."""
        self.provider = await self.client.service("provider", serviceId="provider-id")
        self.consumer = await self.client.service("consumer", serviceId="consumer-id")
        self.foreign = await self.client.service("foreign", serviceId="foreign-id", appId="other")
        for number in (1, 2):
            await self.client.instance(self.provider, instanceId=f"i{number}", endpoints=[f"rest://h:{number}"])


def _requests(revision: str) -> dict[str, bytes]:
    find = f"{ROOT}/instances?appId=default&serviceName=provider&version=0%2B"
    beats = (
        b'{"instances":[{"serviceId":"provider-id","instanceId":"i1"},{"serviceId":"provider-id","instanceId":"i2"}]}'
    )
    again = b'{"instance":{"instanceId":"i1","hostName":"host","endpoints":["rest://h:1"]}}'
    post = f"{ROOT}/microservices/provider-id/instances"
    return {
        "heartbeat": request(
            "PUT", f"{ROOT}/microservices/provider-id/instances/i1/heartbeat", X_Domain_Name="default"
        ),
        "heartbeat without domain": request("PUT", f"{ROOT}/microservices/provider-id/instances/i2/heartbeat"),
        "batch": request("PUT", f"{ROOT}/heartbeats", beats),
        "find": request("GET", find, X_ConsumerId="consumer-id"),
        "find by nobody": request("GET", find),
        "find by another application": request("GET", find, X_ConsumerId="foreign-id"),
        "find with the revision": request("GET", f"{find}&rev={revision}", X_ConsumerId="consumer-id"),
        "find with an old revision": request("GET", f"{find}&rev=old", X_ConsumerId="consumer-id"),
        "find with the revision, not cached": request("GET", f"{find}&rev={revision}&noCache=1"),
        "find compressed": request("GET", find, X_ConsumerId="consumer-id", Accept_Encoding="gzip,deflate"),
        "register again": request("POST", post, again, Content_Type="application/json"),
        "register badly": request("POST", post, b'{"instance":{"endpoints":["rest://h:1"]}}'),
        "register rubbish": request("POST", post, b"{nope"),
    }


async def _revision(connection: RawConnection) -> str:
    answer = await connection.exchange(_requests("")["find by nobody"])
    return answer.header("X-Resource-Revision") or ""


async def _paced(connection: RawConnection, client: Client, data: bytes) -> bytes:
    """The answer to a request; another one is answered after it, so that the engine is done with the first and idle."""
    answer = await connection.exchange(data)
    await hot_answers(client)
    return answer.raw


async def test_both_ways_answer_byte_for_byte_alike(tmp_path: Path) -> None:
    """Every hot request, twice on one connection, on an engine with and one without the hot path."""
    answers: dict[bool, dict[str, list[bytes]]] = {}
    for hot in (True, False):
        async with running_engine(tmp_path / f"data-{hot}", hot_path=hot) as engine, client_of(engine.url) as client:
            await World(client).build()
            async with connect(engine.port) as connection:
                revision = await _revision(connection)
                before = await hot_answers(client)
                answers[hot] = {
                    name: [await _paced(connection, client, data) for _ in range(4)]
                    for name, data in _requests(revision).items()
                }
                used = await hot_answers(client) - before
            assert (used > 0) == hot
            assert not hot or used >= 2 * (len(answers[hot]) - 1)
    for name, rows in answers[True].items():
        stable = [re.sub(rb'"(mod)?[tT]imestamp":"\d+"', b"", _undated(raw)) for raw in (*rows, *answers[False][name])]
        stable = [re.sub(rb"X-Resource-Revision: \w+", b"", raw) for raw in stable]
        if name == "find compressed":
            stable = [raw.split(b"\r\n\r\n")[0] for raw in stable]
        assert len(set(stable)) == 1, (name, set(stable))


async def test_large_answers_are_compressed_alike(tmp_path: Path) -> None:
    """Past 1,400 bytes, for those who take gzip: the same compressed bytes both ways."""
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
        provider = await client.service("provider")
        for number in range(20):
            await client.instance(provider, instanceId=f"i{number}")
        find = f"{ROOT}/instances?appId=default&serviceName=provider"
        async with connect(engine.port) as connection:
            plain = [await connection.exchange(request("GET", find, Accept_Encoding="gzip")) for _ in range(3)]
        assert plain[0].header("Content-Encoding") == "gzip"
        assert len({_undated(answer.raw) for answer in plain}) == 1


async def test_a_registration_is_seen_by_the_next_repeated_find(shared_engine: EngineProcess, client: Client) -> None:
    """The remembered answer goes stale with the change itself; so does it with a status, and with a deletion."""
    world = World(client)
    await world.build()
    find = _requests("")["find"]
    path = "/microservices/provider-id/instances"
    async with connect(shared_engine.port) as connection:
        for _ in range(4):
            assert (await connection.exchange(find)).body.count(b"instanceId") == 2
        await client.instance(world.provider, instanceId="i3")
        assert (await connection.exchange(find)).body.count(b"instanceId") == 3
        await client.call("PUT", f"{path}/i3/status?value=DOWN", None, 200)
        assert b'"status":"DOWN"' in (await connection.exchange(find)).body
        await client.call("DELETE", f"{path}/i3", None, 200)
        assert (await connection.exchange(find)).body.count(b"instanceId") == 2


async def test_what_is_gone_is_refused_on_the_hot_path_too(shared_engine: EngineProcess, client: Client) -> None:
    """A heartbeat after unregistering, a find by a consumer that was deleted, a batch with a lost member."""
    await World(client).build()
    hot = _requests("")
    async with connect(shared_engine.port) as connection:
        for _ in range(4):
            for name in ("heartbeat", "batch", "find"):
                assert (await connection.exchange(hot[name])).status == 200
        await client.call("DELETE", "/microservices/provider-id/instances/i1", None, 200)
        refused = await connection.exchange(hot["heartbeat"])
        assert (refused.status, b'"errorCode":"400017"' in refused.body) == (400, True)
        assert b"errMessage" in (await connection.exchange(hot["batch"])).body
        await client.call("DELETE", "/microservices/consumer-id?force=1", None, 200)
        gone = await connection.exchange(hot["find"])
        assert (gone.status, b'"errorCode":"400012"' in gone.body) == (400, True)


async def test_clients_that_ask_the_same_in_other_bytes_are_all_answered(
    shared_engine: EngineProcess, client: Client
) -> None:
    """Each header block is learned for itself, and none is answered by what no longer holds."""
    await World(client).build()
    hot = _requests("")
    clients = [f"client-{number}" for number in range(3)]
    before = await hot_answers(client)
    async with connect(shared_engine.port) as connection:
        for _ in range(4):
            for name in clients:
                agent = b"Host: engine\r\nUser-Agent: " + name.encode() + b"\r\n"
                for kind in ("heartbeat", "batch", "find"):
                    answer = await connection.exchange(hot[kind].replace(b"Host: engine\r\n", agent))
                    assert (answer.status, b"errMessage" in answer.body) == (200, False), (kind, name)
        assert await hot_answers(client) >= before + 2 * 3 * len(clients)
        await client.call("DELETE", "/microservices/provider-id/instances/i1", None, 200)
        for name in clients:
            agent = b"Host: engine\r\nUser-Agent: " + name.encode() + b"\r\n"
            told = {
                kind: await connection.exchange(hot[kind].replace(b"Host: engine\r\n", agent))
                for kind in ("heartbeat", "batch", "find")
            }
            assert told["heartbeat"].status == 400
            assert b"errMessage" in told["batch"].body
            assert told["find"].body.count(b"instanceId") == 1


async def test_another_domain_is_another_answer(shared_engine: EngineProcess, client: Client) -> None:
    """The same line from another tenant finds nothing of this one."""
    await World(client).build()
    async with connect(shared_engine.port) as connection:
        own = _requests("")["find by nobody"]
        assert (await connection.exchange(own)).status == 200
        assert (await connection.exchange(own)).status == 200
        other = own.replace(b"Host: engine\r\n", b"Host: engine\r\nX-Domain-Name: elsewhere\r\n")
        assert (await connection.exchange(other)).status == 400


@pytest.mark.parametrize("size", [1, 7, 40, 200])
async def test_requests_in_pieces_and_in_rows_are_answered_in_order(
    size: int, shared_engine: EngineProcess, client: Client
) -> None:
    """However the bytes arrive: in pieces of any size, or many requests at once."""
    await World(client).build()
    hot = _requests("")
    names = ["heartbeat", "find", "batch", "register again", "find by nobody", "register badly", "heartbeat"]
    async with connect(shared_engine.port) as connection:
        alone = [_undated((await connection.exchange(hot[name])).raw) for name in names]
        stream = b"".join(hot[name] for name in names)
        for start in range(0, len(stream), size):
            connection.writer.write(stream[start : start + size])
            await connection.writer.drain()
        assert [_undated((await connection.read()).raw) for _ in names] == alone


async def test_new_registrations_in_a_row_keep_their_order(shared_engine: EngineProcess, client: Client) -> None:
    """Answers that wait for the journal come in the order of their requests, with heartbeats between them."""
    await World(client).build()
    post = f"{ROOT}/microservices/provider-id/instances"
    new = [b'{"instance":{"instanceId":"n%d","hostName":"host"}}' % number for number in range(30)]
    beat = _requests("")["heartbeat"]
    async with connect(shared_engine.port) as connection:
        await connection.exchange(request("POST", post, b'{"instance":{"hostName":"host"}}'))
        for body in new:
            connection.writer.write(request("POST", post, body) + beat)
        for number in range(30):
            assert (await connection.read()).body == b'{"instanceId":"n%d"}' % number
            assert (await connection.read()).status == 200
