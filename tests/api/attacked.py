"""An engine with something to hide, for those who try to get at it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api.office import Office, guarded
from tests.engine import Client, EngineProcess

REGISTRY = "/v4/default/registry"
SECRET = "not-for-everyone"


class Attacked(NamedTuple):
    """The engine, a client without credentials, and root's office."""

    engine: EngineProcess
    client: Client
    office: Office


@contextlib.asynccontextmanager
async def attacked_engine(folder: Path) -> AsyncIterator[Attacked]:
    """Access is enforced; services `orders` and `SECRET` are registered, and an item has `SECRET` for a value."""
    with pytest.MonkeyPatch.context() as patch:
        async with guarded(folder, patch, "enforce", token_rate=100_000) as (engine, client, office):
            for name in ("orders", SECRET):
                given = {"service": {"serviceName": name, "serviceId": f"{name}-id"}}
                await client.call("POST", "/microservices", given, 200, **office.root)
                made = {"hostName": name, "instanceId": f"{name}-1", "endpoints": ["rest://10.0.0.1:1"]}
                path = f"/microservices/{name}-id/instances"
                await client.call("POST", path, {"instance": made}, 200, **office.root)
            item = {"key": "password", "value": SECRET, "labels": {"app": SECRET}, "status": "enabled"}
            await client.call("POST", "/v1/default/kie/kv", item, 200, **office.root)
            yield Attacked(engine, client, office)
