"""The kinds of clients: when each calls what, and what it does where that fails."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Coroutine, Iterable
from typing import ClassVar

import orjson

from benchmarks.fleet.caller import FailedError
from benchmarks.fleet.configuration import Level
from benchmarks.fleet.instance import Instance

_BACK_OFF = 3.0


class JavaChassis(Instance):
    """Java Chassis 2.7: Config Center every 15 s, everything of the registry every 30 s, on which it also registers again."""

    agent = "cse-serviceregistry-client/1.0.0"

    async def start(self) -> None:
        """Read the configuration; without it, it starts all the same."""
        with contextlib.suppress(FailedError):
            await self.config.poll_center()

    def duties(self) -> Iterable[Coroutine[None, None, None]]:
        """All that others do, and Config Center."""
        yield from super().duties()
        yield self._read_config()

    async def register(self) -> None:
        """The sequence of `MicroserviceRegisterTask` and its followers. Raises `FailedError`."""
        if await self.exists():
            await self.registry("read service", "GET", f"/microservices/{self.service_id}")
        else:
            await self.create_service(level="FRONT", schemas=["main", "health"], registerBy="SDK")
        answer = await self.registry("list schemas", "GET", f"/microservices/{self.service_id}/schemas")
        listed = orjson.loads(answer.body).get("schema") or []
        there = {schema["schemaId"] for schema in listed if schema.get("summary")}
        for name in ("main", "health"):
            if name not in there:
                await self.upload_schema(name)
        check = {"mode": "push", "port": 0, "interval": 30, "times": 3, "ttl": 120}
        await self.create_instance(status="UP", healthCheck=check, properties={"publickey": "M" * 392})

    async def stay_registered(self) -> None:
        """Every 30 s register or send a heartbeat, of which the library tries a second in the same moment, and read the own instance."""
        while True:
            try:
                if not self.registered:
                    await self.register()
                await self._beat()
                await self.registry("read own instance", "GET", f"{self.own}?global=true")
            except FailedError:
                self.registered = False
            await self.world.sleep(self.beat_seconds)

    async def _beat(self) -> None:
        with contextlib.suppress(FailedError):
            await self.beat()
            return
        await self.beat()

    async def leave(self) -> None:
        """First DOWN, then gone. Raises `FailedError`."""
        self.service.present.discard(self.instance_id)
        await self.registry("set status", "PUT", f"{self.own}/status?value=DOWN")
        await super().leave()

    async def _read_config(self) -> None:
        failures = 0
        while True:
            try:
                await self.config.poll_center()
                failures = 0
            except FailedError:
                failures += 1
            await self.world.sleep(_BACK_OFF * failures**2 if failures else 15.0)


class SpringCloud(Instance):
    """Spring Cloud Huawei 1.11: heartbeats and finds every 15 s, four sets of labels of KIE in three long polls."""

    agent = "microservice-client/1.0.0"
    beat_seconds: ClassVar[float] = 15.0
    pull_seconds: ClassVar[float] = 15.0
    version_rule: ClassVar[str] = "0%2B"
    _threads = 3

    async def start(self) -> None:
        """Read all levels; without them it does not start, and is started again."""
        self._levels = deque((*self.config.levels(), Level({"public": ""}, exact=False)))
        line = self.world.line(self.number, self.world.ports.kie)
        for level in self._levels:
            while level.revision == "-1":
                with contextlib.suppress(FailedError):
                    await self.config.poll(level, line)
                    continue
                await self.world.sleep(_BACK_OFF)

    def duties(self) -> Iterable[Coroutine[None, None, None]]:
        """All that others do, and three threads that poll."""
        yield from super().duties()
        for _ in range(self._threads):
            yield self.poll_in_turn()

    async def register(self) -> None:
        """The steps of `ServiceCenterRegistration`. Raises `FailedError`."""
        framework = {"name": "springCloud", "version": "1.11.11-2021.0.x"}
        if await self.exists():
            await self.registry("read service", "GET", f"/microservices/{self.service_id}")
            body = {"properties": {"allowCrossApp": "false"}, "framework": framework}
            await self.registry("set properties", "PUT", f"/microservices/{self.service_id}/properties", body)
        else:
            await self.create_service(framework=framework, schemas=["main"])
            await self.upload_schema("main")
        check = {"mode": "push", "port": 0, "interval": 15, "times": 3}
        await self.create_instance(version="1.0.0", status=None, healthCheck=check, properties={})

    async def stay_registered(self) -> None:
        """A heartbeat every 15 s; after three that failed, 3, 12 and 27 s apart, register again."""
        failures = 0
        while True:
            try:
                if not self.registered:
                    await self.register()
                await self.beat()
                failures = 0
            except FailedError:
                failures += 1
                if failures == 3:
                    self.registered = False
            await self.world.sleep(_BACK_OFF * failures**2 if failures else self.beat_seconds)

    async def poll_in_turn(self) -> None:
        """One thread: the next level, and a second's pause."""
        line, failures = self.world.held(self.number, self.world.ports.kie), 0
        while True:
            level = self._levels.popleft()
            try:
                await self.config.poll(level, line, 10.0)
                failures = 0
            except FailedError:
                failures += 1
            self._levels.append(level)
            await self.world.sleep(_BACK_OFF * failures**2 if failures else 1.0)


class GoChassis(Instance):
    """go-chassis 2 as it comes: everything every 30 s, finds of all providers in one request, two lists of KIE."""

    agent = "go-client"

    def duties(self) -> Iterable[Coroutine[None, None, None]]:
        """All that others do, and KIE."""
        yield from super().duties()
        yield self._read_config()

    async def register(self) -> None:
        """The steps of its registrator. Raises `FailedError`."""
        if not await self.exists():
            await self.create_service(schemas=["main"], alias=f"{self.service.app.name}:{self.service.name}")
            await self.upload_schema("main")
        await self.create_instance(status="UP", properties={"nodeIP": "10.0.0.1"})
        await self.registry(
            "set instance properties", "PUT", f"{self.own}/properties", {"properties": {"nodeIP": "10.0.0.1"}}
        )

    async def stay_registered(self) -> None:
        """A heartbeat every 30 s; where one fails, look every 10 s whether the service is there, and register again."""
        while True:
            try:
                if not self.registered:
                    await self.register()
                await self.beat()
                pause = self.beat_seconds
            except FailedError:
                self.registered, pause = False, 10.0
            await self.world.sleep(pause)

    async def pull(self) -> None:
        """All providers in one request. Raises `FailedError`."""
        providers = self.service.providers
        wanted = [frozenset(provider.present) for provider in providers]
        asked = [{"service": {"appId": one.app.name, "serviceName": one.name}} for one in providers]
        answer = await self.registry(
            "batch find",
            "POST",
            "/instances/action?type=query&rev=0",
            {"consumerServiceId": self.service_id, "services": asked},
            headers=f"X-ConsumerId: {self.service_id}\r\n",
        )
        found: list[frozenset[str]] = [frozenset() for _ in providers]
        for updated in orjson.loads(answer.body)["services"]["updated"]:
            found[updated["index"]] = frozenset(one["instanceId"] for one in updated.get("instances", ()))
        for provider, those, known in zip(providers, wanted, found, strict=True):
            self.expect(provider, those, known)

    async def _read_config(self) -> None:
        """Both levels at once; the revision of the next question is the lesser of both answers."""
        app, service, _ = self.config.levels()
        line = self.world.line(self.number, self.world.ports.kie)
        while True:
            with contextlib.suppress(FailedError):
                await self.config.poll(app, line)
                await self.config.poll(service, line)
                app.revision = service.revision = min(app.revision, service.revision, key=int)
            await self.world.sleep(30.0)


class PythonService(Instance):
    """This project's own SDK: heartbeats every 30 s, again after 5 s where one failed, the watch, and long polls of each level."""

    agent = "waggle-sdk"

    def duties(self) -> Iterable[Coroutine[None, None, None]]:
        """All that others do, and a long poll a level."""
        yield from super().duties()
        for level in self.config.levels():
            yield self._follow(level)

    async def register(self) -> None:
        """The service, and this instance of it. Raises `FailedError`."""
        await self.create_service(schemas=["main"])
        check = {"mode": "push", "interval": 30, "times": 3}
        await self.create_instance(version="1.0.0", status="UP", healthCheck=check, properties={})

    async def stay_registered(self) -> None:
        """Try every 5 s what fails."""
        while True:
            try:
                if not self.registered:
                    await self.register()
                await self.beat()
                pause = self.beat_seconds
            except FailedError:
                pause = 5.0
            await self.world.sleep(pause)

    async def _follow(self, level: Level) -> None:
        line = self.world.held(self.number, self.world.ports.kie)
        while True:
            try:
                await self.config.poll(level, line, 30.0)
            except FailedError:
                await self.world.sleep(5.0)
