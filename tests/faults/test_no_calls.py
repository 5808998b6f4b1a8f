"""The engine calls nobody, whatever addresses are registered with it: there is nothing to make it call an address for others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine import client_of, eventually, running_engine


@pytest.fixture
async def callers() -> AsyncIterator[tuple[int, list[object]]]:
    """A port, and who has connected to it."""
    seen: list[object] = []

    def called(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername"))
        writer.close()

    async with await asyncio.start_server(called, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1]), seen


async def test_no_registered_address_is_ever_called(tmp_path: Path, callers: tuple[int, list[object]]) -> None:
    """Endpoints, health checks that ask to be pulled, host names, schemas, and values that are addresses: until the lease is over."""
    port, seen = callers
    url = f"http://127.0.0.1:{port}/"
    async with running_engine(tmp_path / "data", instance_ttl=2) as engine, client_of(engine.url) as client:
        service = await client.service("bait", description=url, properties={"url": url})
        instance = await client.instance(
            service,
            hostName=f"127.0.0.1:{port}",
            endpoints=[f"rest://127.0.0.1:{port}", f"highway://localhost:{port}", url],
            healthCheck={"mode": "pull", "url": url, "port": port, "interval": 1, "times": 1},
            properties={"health": url},
        )
        schema = {"schema": f"$ref: {url}"}
        await client.call("PUT", f"/microservices/{service}/schemas/s", schema, 200)
        item = {"key": "rule", "value": f"$ref: {url}\n", "value_type": "yaml", "labels": {"app": "a"}}
        await client.call("POST", "/v1/default/kie/kv", item, 200)
        own = f"/microservices/{service}/instances/{instance}"
        for method, path in (
            ("PUT", f"{own}/heartbeat"),
            ("GET", f"{own}"),
            ("GET", "/instances?appId=default&serviceName=bait"),
            ("GET", "/v4/default/govern/microservices?options=all"),
            ("GET", f"/v4/default/govern/microservices/{service}?options=all"),
            ("GET", "/v4/default/admin/dump?options=all"),
            ("GET", "/v4/default/admin/clusters"),
        ):
            await client.call(
                method, path, None, 200, X_Forwarded_Host=f"127.0.0.1:{port}", X_InstanceIP=f"127.0.0.1:{port}"
            )

        async def gone() -> bool:
            return not await client.find("bait")

        await eventually(gone)
        assert seen == []
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await eventually(lambda: _has(seen))
        writer.close()
        await writer.wait_closed()


async def _has(seen: list[object]) -> bool:
    return len(seen) == 1
