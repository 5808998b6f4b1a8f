"""The heartbeat with a token, while access control is enforced: it may cost a tenth more than one without."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from benchmarks import wrk
from benchmarks.plan import Plan
from benchmarks.sample import LoadFailedError, Sample
from benchmarks.scene import scene_on
from benchmarks.server import ACCESS, ROOT_PASSWORD, Server
from tests.engine import Client, client_of

_SWITCH = "/waggle/v1/access"


@dataclass(frozen=True, slots=True)
class TokenLoad:
    """Heartbeats as the load `heartbeat` sends them, each with a token. The engine enforces access control meanwhile."""

    name: str
    about: str
    api: str = ACCESS

    async def run(self, server: Server, plan: Plan, before: Sample | None) -> Sample:
        """One run; `before` is the run before it. Raises `LoadFailedError`."""
        async with scene_on(server.url) as scene, client_of(server.url) as client:
            owner = await scene.service("provider")
            names = await scene.instances(owner, plan.instances)
            async with _enforced(client) as token:
                beats = [
                    scene.request("PUT", f"/microservices/{owner}/instances/{name}/heartbeat", Authorization=token)
                    for name in names
                ]
                before = before or await wrk.check(server.url, beats, plan.check_seconds)
                if not plan.seconds:
                    return before
                spent = server.cpu_seconds()
                return server.with_cpu(await wrk.measure(server.url, beats, plan.seconds, before), spent)


@contextlib.asynccontextmanager
async def _enforced(client: Client) -> AsyncIterator[str]:
    """Access control is on; the Authorization header of root."""
    await _switch(client, "enforce")
    try:
        status, body, _ = await client.call("POST", "/v4/token", {"name": "root", "password": ROOT_PASSWORD})
        if status != 200 or not isinstance(body, dict):
            raise LoadFailedError(f"root cannot sign in: {status} {body}")
        yield f"Bearer {body['token']}"
    finally:
        await _switch(client, "off")


async def _switch(client: Client, mode: str) -> None:
    status, body, _ = await client.call("PUT", _SWITCH, {"mode": mode, "password": ROOT_PASSWORD, "confirm": True})
    if status != 200:
        raise LoadFailedError(f"access control cannot be switched: {status} {body}")


TOKEN_LOAD = TokenLoad("heartbeat-token", "the same with a token, access control enforced")
