"""The people beside the fleet: they change an item of each application, and look whether everybody is there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import orjson

from benchmarks.fleet.caller import Caller, FailedError, Request
from benchmarks.fleet.configuration import ITEM
from benchmarks.fleet.world import App, Service
from benchmarks.sample import LoadFailedError

_AGAIN_SECONDS = 0.5


class Operator(Caller):
    """Changes and checks, over a connection of its own."""

    agent = "operator"

    async def create(self, app: App) -> None:
        """The application's changing item. Raises `LoadFailedError`."""
        labels = {"app": app.name, "environment": ""}
        item = {"key": ITEM, "value": "1", "value_type": "text", "status": "enabled", "labels": labels}
        try:
            answer = await self.kie("create item", "POST", "/kv", item)
        except FailedError as error:
            raise LoadFailedError("an item could not be created") from error
        app.key_id, app.number = orjson.loads(answer)["id"], 1

    async def change(self, app: App) -> None:
        """The next number; again, until it is known to be stored."""
        number = app.number + 1
        while app.number < number:
            app.sent_at = time.perf_counter()
            with contextlib.suppress(FailedError):
                await self.kie("change item", "PUT", f"/kv/{app.key_id}", {"value": str(number)})
                app.number = number
                return
            await self.world.sleep(_AGAIN_SECONDS)

    async def kie(self, call: str, method: str, path: str, body: object) -> bytes:
        """A call of KIE; the body of its answer. Raises `FailedError`."""
        line = self.world.line(self.number, self.world.ports.kie)
        return (await self.ask(line, Request(call, method, f"/v1/default/kie{path}", body))).body

    async def check(self, services: Iterable[Service]) -> None:
        """The engine must know exactly those who are registered. Raises `FailedError`."""
        for service in services:
            if service.service_id:
                answer = await self.registry("list instances", "GET", f"/microservices/{service.service_id}/instances")
                found = {one["instanceId"] for one in orjson.loads(answer.body).get("instances", ())}
                if found != service.present:
                    self.wrong(f"{service.name} has {len(found)} instances, and {len(service.present)} are registered")
