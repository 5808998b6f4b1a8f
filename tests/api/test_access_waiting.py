"""Those who wait for news, when what they were let in by ends: a token's time, its account, what its role allows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import jwt
import pytest

from tests.api.office import Office, guarded, permission
from tests.engine import Client, EngineProcess, eventually
from tests.raw import RawConnection, connect, request

_REGISTRY = "/v4/default/registry"
_ITEMS = "/v1/default/kie/kv"
_UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
Headers = Mapping[str, str]
Waiting = Mapping[str, RawConnection]


def _short_token(engine: EngineProcess, account: str, seconds: int) -> Headers:
    """A token that ends sooner than the engine gives any, signed with its key by whoever has its data folder."""
    with contextlib.closing(sqlite3.connect(engine.data_dir / "waggle.db")) as journal:
        rows = journal.execute("SELECT body FROM event WHERE key LIKE 'signing-key/%' ORDER BY revision").fetchall()
    key = json.loads(rows[-1][0])
    claims = {"account": account, "roles": [account], "exp": int(time.time()) + seconds}
    return {"Authorization": "Bearer " + jwt.encode(claims, key["private"], "RS512", {"kid": key["id"]})}


@contextlib.asynccontextmanager
async def _waiting(engine: EngineProcess, client: Client, owner: str, headers: Headers) -> AsyncIterator[Waiting]:
    """A watcher, a heartbeat socket, an event stream, and two polls of an item: on the fast path and on the slow one."""
    async with contextlib.AsyncExitStack() as stack:
        names = ("watch", "beat", "stream", "poll", "fast poll")
        made = {name: await stack.enter_async_context(connect(engine.port)) for name in names}
        sockets = {"watch": f"{owner}/watcher", "beat": f"{owner}/instances/i1/heartbeat"}
        for name, path in sockets.items():
            made[name].writer.write(request("GET", f"{_REGISTRY}/microservices/{path}", b"", **_UPGRADE, **headers))
            assert (await made[name].reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101"), name
        made["stream"].writer.write(request("GET", "/waggle/v1/events", b"", **headers))
        await made["stream"].reader.readuntil(b": waggle\n\n")
        for name in ("poll", "fast poll"):
            await _begin_poll(made[name], headers, fast=name == "fast poll")

        async def waits() -> bool:
            async with client.session.get(f"{engine.url}/metrics") as response:
                return "\nwaggle_config_polls 2.0" in await response.text()

        await eventually(waits)
        yield made


async def _begin_poll(connection: RawConnection, headers: Headers, *, fast: bool) -> None:
    more = {} if fast else {"X_Other": "keeps it off the fast path"}
    listed = await connection.exchange(request("GET", f"{_ITEMS}?label=app:a", b"", **more, **headers))
    target = f"{_ITEMS}?label=app:a&revision={listed.header('X-Kie-Revision')}&wait="
    for _ in range(3):
        answer = await connection.exchange(request("GET", f"{target}1ms", b"", **more, **headers))
        assert answer.status == 304
    connection.writer.write(request("GET", f"{target}60s", b"", **more, **headers))


async def _world(client: Client, office: Office) -> str:
    made = {"service": {"serviceName": "orders", "serviceId": "orders-id"}}
    await client.call("POST", "/microservices", made, 200, **office.root)
    instance = {"instance": {"hostName": "h", "instanceId": "i1"}}
    await client.call("POST", "/microservices/orders-id/instances", instance, 200, **office.root)
    found = "/instances?appId=default&serviceName=orders"
    await client.call("GET", found, None, 200, X_ConsumerId="orders-id", **office.root)
    await office.account("clerk", [permission("service"), permission("config")])
    return "orders-id"


async def _news(client: Client, office: Office) -> None:
    """Change what each of them waits for."""
    item = {"key": "secret", "value": "secret", "labels": {"app": "a"}}
    await client.call("POST", _ITEMS, item, 200, **office.root)
    secret = {"properties": {"secret": "secret"}}
    await client.call("PUT", "/microservices/orders-id/instances/i1/properties", secret, 200, **office.root)


async def _ended_untold(waiting: Waiting, names: Sequence[str]) -> None:
    for name in names:
        rest = await asyncio.wait_for(waiting[name].reader.read(), 20)
        assert b"secret" not in rest, name
        assert not rest.startswith(b"HTTP/1.1 200"), name


async def _delete(client: Client, office: Office) -> None:
    await client.call("DELETE", "/v4/accounts/clerk", None, 200, **office.root)


async def _take_away(client: Client, office: Office) -> None:
    less = {"perms": [permission("governance", "get")]}
    await client.call("PUT", "/v4/roles/clerk", less, 200, **office.root)


@pytest.mark.parametrize("revoke", [_delete, _take_away], ids=["account", "role"])
async def test_who_waits_is_let_go_with_the_account_or_the_permission(
    revoke: Callable[[Client, Office], Awaitable[None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very next change is told to none of them: not to a socket, not to a stream, not to a poll."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (engine, client, office):
        owner = await _world(client, office)
        headers = await office.sign_in("clerk")
        async with _waiting(engine, client, owner, headers) as waiting:
            await revoke(client, office)
            await _news(client, office)
            await _ended_untold(waiting, tuple(waiting))


async def test_who_waits_is_let_go_with_the_end_of_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within seconds, though nothing changes: a connection is no way to keep what a token gave."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (engine, client, office):
        owner = await _world(client, office)
        headers = _short_token(engine, "clerk", 6)
        async with _waiting(engine, client, owner, headers) as waiting:
            assert (await client.call("GET", "/microservices", None, 200, **headers))[1]
            await _ended_untold(waiting, ("watch", "beat", "stream", "poll"))
            await _news(client, office)
            await _ended_untold(waiting, ("fast poll",))
            assert (await client.call("GET", "/microservices", None, 401, **headers))[1]


async def test_who_may_still_wait_is_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of other accounts and roles, new keys and more permissions cut nobody off: the change is told."""
    async with guarded(tmp_path / "data", monkeypatch, "enforce") as (engine, client, office):
        owner = await _world(client, office)
        headers = await office.sign_in("clerk")
        async with _waiting(engine, client, owner, headers) as waiting:
            await office.account("another")
            await client.call("POST", "/waggle/v1/access/keys/rotate", None, 200, **office.root)
            more = {"perms": [permission("service"), permission("config"), permission("governance")]}
            await client.call("PUT", "/v4/roles/clerk", more, 200, **office.root)
            await _news(client, office)
            for name in ("poll", "fast poll"):
                assert b"secret" in (await waiting[name].read()).body, name
            async with asyncio.timeout(20):
                await waiting["watch"].reader.readuntil(b"secret")
                await waiting["stream"].reader.readuntil(b"orders-id")
