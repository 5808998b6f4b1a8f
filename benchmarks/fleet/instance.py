"""One simulated instance: what the clients of all kinds have in common."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import ClassVar

import orjson

from benchmarks.fleet.caller import ROOT, Caller, FailedError, Request
from benchmarks.fleet.configuration import ConfigReader
from benchmarks.fleet.document import document
from benchmarks.fleet.watch import follow
from benchmarks.fleet.wire import UnreachableError
from benchmarks.fleet.world import Service, World

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0


class Instance(Caller, ABC):
    """One process of a service. `live` runs until it is cancelled; `leave` unregisters."""

    beat_seconds: ClassVar[float] = 30.0
    pull_seconds: ClassVar[float] = 30.0
    version_rule: ClassVar[str] = "0.0.0.0%2B"

    def __init__(self, world: World, service: Service, number: int, *, watches: bool) -> None:
        super().__init__(world, service, number)
        self.service_id = ""
        self.instance_id = ""
        self.registered = False
        self._watches = watches
        self._stale = asyncio.Event()
        self._known: dict[str, tuple[str, frozenset[str]]] = {}
        self.config = ConfigReader(self)
        self.host = f"host-{number}"

    async def live(self) -> None:
        """Start as the library does, then do what it does until cancelled."""
        await self.start()
        async with asyncio.TaskGroup() as tasks:
            for duty in self.duties():
                tasks.create_task(duty)

    async def start(self) -> None:
        """What comes before everything else."""

    def duties(self) -> Iterable[Coroutine[None, None, None]]:
        """What runs side by side from then on."""
        yield self.stay_registered()
        yield self.every(self.pull_seconds, self.pull)
        yield self.every(10.0, self.upload)
        yield self.pull_when_told()
        if self._watches:
            yield self.watch()

    @abstractmethod
    async def register(self) -> None:
        """Register, or register again. Raises `FailedError`."""

    @abstractmethod
    async def stay_registered(self) -> None:
        """Register and send heartbeats, and do what the library does where that fails."""

    async def every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        """Do something while registered, again and again; where it fails, the next time will do."""
        while True:
            if self.registered:
                with contextlib.suppress(FailedError):
                    await step()
            await self.world.sleep(seconds)

    async def leave(self) -> None:
        """Unregister, as at the end of a process. Raises `FailedError`."""
        self.service.present.discard(self.instance_id)
        self.registered = False
        await self.registry("unregister", "DELETE", self.own)

    def forget(self) -> None:
        """Be a process that starts, and knows nothing."""
        self.instance_id = ""
        self._known.clear()
        self.config = ConfigReader(self)

    @property
    def own(self) -> str:
        """The path of this instance."""
        return f"/microservices/{self.service_id}/instances/{self.instance_id}"

    async def exists(self) -> bool:
        """Whether the service is there. Raises `FailedError`."""
        name = f"type=microservice&appId={self.service.app.name}&serviceName={self.service.name}&version=1.0.0&env="
        answer = await self.registry("existence", "GET", f"/existence?{name}", good=(200, 400))
        if answer.status == 200:
            self._take_service(orjson.loads(answer.body)["serviceId"])
        return answer.status == 200

    async def create_service(self, **facts: object) -> None:
        """Register the service. Raises `FailedError`."""
        service = {"serviceName": self.service.name, "appId": self.service.app.name, "version": "1.0.0", **facts}
        answer = await self.registry("register service", "POST", "/microservices", {"service": service})
        self._take_service(orjson.loads(answer.body)["serviceId"])

    def _take_service(self, found: str) -> None:
        known = self.service.service_id or found
        if found != known:
            self.wrong(f"the service was {known} and is {found}")
        self.service_id = self.service.service_id = found

    async def upload_schema(self, name: str) -> None:
        """Upload an interface. Raises `FailedError`."""
        text = f"openapi: 3.0.1\ninfo: {{title: {name}, version: 1.0.0}}\n" + "# described in full\n" * 100
        body = {"schema": text, "summary": "0" * 64}
        await self.registry("upload schema", "PUT", f"/microservices/{self.service_id}/schemas/{name}", body)

    async def create_instance(self, **facts: object) -> None:
        """Register this instance, by its old id where it has one. Raises `FailedError`."""
        again = self.instance_id
        instance: dict[str, object] = {
            "serviceId": self.service_id,
            "hostName": self.host,
            "endpoints": [f"rest://10.{self.number >> 16}.{self.number >> 8 & 255}.{self.number & 255}:8080"],
            **facts,
            **({"instanceId": again} if again else {}),
        }
        path = f"/microservices/{self.service_id}/instances"
        answer = await self.registry("register instance", "POST", path, {"instance": instance})
        found = orjson.loads(answer.body)["instanceId"]
        if again and found != again:
            self.wrong(f"the instance was {again} and is {found}")
        self.world.figures.registered_again += bool(again)
        self.instance_id = found
        self.registered = True
        self.service.present.add(found)

    async def beat(self) -> None:
        """Renew the lease. Raises `FailedError`."""
        await self.registry("heartbeat", "PUT", f"{self.own}/heartbeat")

    async def pull(self) -> None:
        """Ask for everybody that is called. Raises `FailedError`."""
        for provider in self.service.providers:
            await self.find(provider)

    async def find(self, provider: Service) -> None:
        """Ask for one service; nobody who is registered may be missing. Raises `FailedError`."""
        wanted = frozenset(provider.present)
        revision, known = self._known.get(provider.name, ("", frozenset()))
        name = f"appId={provider.app.name}&serviceName={provider.name}&global=true&version={self.version_rule}&env="
        answer = await self.registry(
            "find",
            "GET",
            f"/instances?{name}" + (f"&rev={revision}" if revision else ""),
            headers=f"X-ConsumerId: {self.service_id}\r\n",
            good=(200, 304) if provider.service_id else (200, 304, 400),
        )
        if answer.status == 400:
            return
        if answer.status == 200:
            known = frozenset(found["instanceId"] for found in orjson.loads(answer.body).get("instances", ()))
            revision = answer.header(b"X-Resource-Revision")
            if not revision:
                self.wrong("a find without X-Resource-Revision")
        first = provider.name not in self._known
        self._known[provider.name] = (revision, known)
        self.expect(provider, wanted, known)
        if first and provider.service_id:
            await self.registry("read service", "GET", f"/microservices/{provider.service_id}")

    def expect(self, provider: Service, wanted: frozenset[str], known: frozenset[str]) -> None:
        """Those who were registered before the question and still are must be in the answer."""
        if lost := (wanted - known) & provider.present:
            self.wrong(f"{len(lost)} of {len(wanted)} instances of {provider.name} are missing")

    async def pull_when_told(self) -> None:
        """A pull for each event of the watch, or one for several that came together."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            with contextlib.suppress(FailedError):
                await self.pull()

    async def watch(self) -> None:
        """Keep a websocket open; where it cannot be, wait twice as long each time, as go-chassis does."""
        pause = _FIRST_PAUSE
        while True:
            if self.registered:
                address = self.world.address(self.number, self.world.ports.registry)
                try:
                    await follow(address, f"{ROOT}/microservices/{self.service_id}/watcher", self._told)
                    pause = _FIRST_PAUSE
                except UnreachableError as error:
                    self.world.figures.retried("watch", str(error))
                    pause = min(2 * pause, _LONGEST_PAUSE)
            await self.world.sleep(pause)

    def _told(self, frame: bytes) -> None:
        self.world.figures.events += 1
        if b'"action":' not in frame:
            self.wrong(f"the watch tells {frame[:100]!r}")
        self._stale.set()

    async def upload(self) -> None:
        """Tell how one does. Raises `FailedError`."""
        line = self.world.line(self.number, self.world.ports.monitor)
        target = f"/v2/default/csemonitor/metric?service={self.service.name}"
        names = {"appId": self.service.app.name, "name": self.service.name, "version": "1.0.0"}
        ids = {"serviceId": self.service_id, "instanceId": self.instance_id}
        told = document({**names, **ids}, self.host, self.world.figures.now)
        await self.ask(line, Request("upload", "POST", target, told))
