"""How the commands on alarms ask the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping

from registry.cli.client import EngineClient, Target, ask, document
from registry.cli.show import Row


def call(
    target: Target,
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
) -> Row:
    """The JSON answer to one request; empty where there is none. Ends the command where the engine refuses."""

    async def work(client: EngineClient) -> bytes:
        given = None if body is None else json.dumps(body).encode()
        return await client.own(method, f"alarms{path}", list((query or {}).items()), given)

    payload = ask(target, work)
    return document(payload) if payload else {}
