"""The weathermap as processes of its own, each of which a test can start, kill and ask alone."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.demo import DAY
from tests.engine import ROOT, eventually

_ENGINE_ONLY = ("--kie-port", "0", "--config-port", "0", "--monitor-port", "0")
_UNWANTED = ("CAS_INSTANCE_VERSION", "SERVICECOMB_INSTANCE_PROPS", "WEATHERMAP_SEED", "LATENCY", "FAILURES")
_NO_SERVICES = ("engine", "weathermapweb")
_VERSIONS = {"weather-beta": "0.0.3", "edge-service": "0.0.1"}


class Member:
    """One process. It keeps its port and its log when it is started again."""

    def __init__(self, name: str, command: Sequence[str], port: int, folder: Path, environ: Mapping[str, str]) -> None:
        self.name = name
        self.service = name.removesuffix("-beta")
        self.version = _VERSIONS.get(name, "0.0.2")
        self.url = f"http://127.0.0.1:{port}"
        self.command = " ".join(command)
        self.log = folder / f"{name}-{port}.log"
        inherited = {key: value for key, value in os.environ.items() if key not in _UNWANTED}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**inherited, "WEATHERMAP_DATE": DAY, **environ},
            )

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def said(self) -> str:
        """All that it has logged."""
        return self.log.read_text(errors="replace")

    def end(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit status."""
        if self.running:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)
            raise


class World:
    """An engine, and what of the weathermap was started with it. `flags` and `environ` are the engine's."""

    def __init__(self, folder: Path, flags: Sequence[str] = (), environ: Mapping[str, str] = {}) -> None:
        self.folder = folder
        self.members: deque[Member] = deque()
        port = free_port()
        where = ("--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder / "engine"))
        self._take(Member("engine", ["registry.cli", "serve", *where, *_ENGINE_ONLY, *flags], port, folder, environ))
        self.engine = self.members[0].url

    def start(self, name: str, **environ: str) -> Member:
        """Start one of the sample's services by the name of its command."""
        port = free_port()
        command = ["governance.samples.weathermap", name, "--port", str(port), "--engine", self.engine]
        environ = {"WAGGLE_CONFIG_CACHE": "", "WAGGLE_CONFIG_TIMEOUT": "20", **environ}
        return self._take(Member(name, command, port, self.folder, environ))

    def start_page(self) -> Member:
        """Start the page's server, which is no service."""
        port = free_port()
        command = ["governance.samples.weathermap", "weathermapweb", "--port", str(port)]
        environ = {"SERVICE_ADDR": self.edge.removeprefix("http://")}
        return self._take(Member("weathermapweb", command, port, self.folder, environ))

    def _take(self, member: Member) -> Member:
        self.members.appendleft(member)
        return member

    def of(self, name: str) -> list[Member]:
        """The running processes of a name, the one that was started first at the beginning."""
        return [member for member in reversed(self.members) if member.name == name and member.running]

    @property
    def edge(self) -> str:
        """The edge's address."""
        return self.of("edge-service")[0].url

    def serving(self, service: str) -> list[Member]:
        """The running processes that are instances of a service, of whichever version."""
        return [member for member in reversed(self.members) if member.service == service and member.running]

    def services(self) -> list[Member]:
        """The running processes of all services."""
        return [member for member in self.members if member.running and member.name not in _NO_SERVICES]

    async def up(self, *members: Member) -> None:
        """Wait until these are registered and answer."""
        async with aiohttp.ClientSession() as session:

            async def answer() -> bool:
                for member in members:
                    assert member.running, f"{member.name} has ended:\n{member.said()}"
                    if "service.registered" not in member.said() and member.name not in _NO_SERVICES:
                        return False
                    path = "/health" if member.name != "engine" else "/v4/default/registry/health"
                    with contextlib.suppress(aiohttp.ClientError):
                        async with session.get(member.url + path) as found:
                            if found.status == 200:
                                continue
                    return False
                return True

            await eventually(answer, 120)

    @contextlib.asynccontextmanager
    async def change_of(self, service: str, keys: Sequence[str]) -> AsyncIterator[None]:
        """The block changes these keys; afterwards all running processes of the service, or of all services, have read them."""
        readers = self.serving(service) if service else self.services()
        assert readers, f"nobody is there to obey: {service}"
        begun = {each.log: len(each.said()) for each in readers}
        yield

        async def have_read() -> bool:
            return all(repr(key) in _changes(each.said()[begun[each.log] :]) for each in readers for key in keys)

        await eventually(have_read)

    async def instances(self, service: str) -> Mapping[str, dict[str, Any]]:
        """The registered instances of a service of the weathermap, by the address that they are reached at."""
        query = {"appId": "weathermap", "serviceName": service, "version": "0+"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.engine}/v4/default/registry/instances", params=query) as answer,
        ):
            found = (await answer.json()).get("instances", []) if answer.status == 200 else []
        return {each["endpoints"][0].replace("rest://", "http://"): each for each in found}

    async def set_status(self, member: Member, status: str) -> None:
        """Set the status of an instance in the registry, as an operator does, and wait until its callers were told."""
        (caller,) = self.of("fusionweather")
        change = f"event='discovery.changed' service={member.service!r}"
        before = caller.said().count(change)
        one = (await self.instances(member.service))[member.url]
        path = f"{self.engine}/v4/default/registry/microservices/{one['serviceId']}/instances/{one['instanceId']}"
        async with aiohttp.ClientSession() as session, session.put(f"{path}/status?value={status}") as answer:
            assert answer.status == 200

        async def told() -> bool:
            return caller.said().count(change) > before

        await eventually(told)

    def end(self) -> None:
        """End every process, the last started first."""
        for member in self.members:
            if member.running:
                member.process.terminate()
        for member in self.members:
            member.end()


@contextlib.contextmanager
def a_world(folder: Path, *flags: str, **environ: str) -> Iterator[World]:
    """A world that ends with the block; flags and variables are the engine's."""
    world = World(folder, flags, environ)
    try:
        yield world
    finally:
        world.end()


async def whole(world: World) -> None:
    """Start what `waggle demo` starts, without the page's server, and wait until the edge shows both parts."""
    await world.up(*world.of("engine"))
    names = ("weather", "weather", "forecast", "fusionweather", "edge-service")
    await world.up(*[world.start(name) for name in names])
    async with aiohttp.ClientSession() as session:

        async def complete() -> bool:
            async with session.get(f"{world.edge}/fusionweather/show?city=Berlin") as answer:
                shown = await answer.json() if answer.status == 200 else {}
            return bool(shown.get("currentWeather") and shown.get("forecastWeather"))

        await eventually(complete)


def _changes(log: str) -> str:
    return "".join(line for line in log.splitlines() if "event='config.changed'" in line)


def free_port() -> int:
    """A port that nobody listens on, outside of those that outgoing connections get."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
