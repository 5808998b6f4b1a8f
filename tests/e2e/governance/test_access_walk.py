"""Chapter 3 of the best-practice guide with the weathermap: access control is turned on while the page is in use, and off again.

Each service gets its credentials by a restart, one at a time: some while access is off, the others while it is observed. The engine says
who would be refused, then refuses; one whose password is wrong goes offline by its lease. Not one request fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tests.api.access import ROOT_PASSWORD, SWITCH, signed_in
from tests.e2e.governance.load import Load, load_on
from tests.e2e.governance.world import Member, World, a_world
from tests.e2e.test_access_cli import Shell
from tests.engine import Client, client_of, eventually

_PASSWORD = "Weather-2-go"
_LEASE = 5
_FAST = {"servicecomb_service_registry_instance_healthCheck_interval": "1"}
_RIGHT = {
    **_FAST,
    "servicecomb_credentials_account_name": "weathermap",
    "servicecomb_credentials_account_password": _PASSWORD,
}
_WRONG = {**_RIGHT, "servicecomb_credentials_account_password": "Weather-2-come"}
_SERVICES = ("weather", "forecast", "fusionweather", "edge-service")


class Walk:
    """An operator at work. `users` are those of the page, whose every answer counts; `shell` is signed in where that has happened."""

    def __init__(self, world: World, shell: Shell, client: Client) -> None:
        self.world = world
        self.shell = shell
        self.token = ""
        self.users: list[Load] = []
        self._client = client
        self._leaving = asyncio.Event()

    @contextlib.asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """The page is in use while the block lasts."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self._users_come()
            yield
            await self.goes_on()
            self._leaving.set()

    async def _users_come(self) -> None:
        """Users come to the edge that was started last, and leave the one where they were."""
        before, self._leaving = self._leaving, asyncio.Event()
        come: asyncio.Future[Load] = asyncio.get_running_loop().create_future()
        self._group.create_task(_use(self.world.of("edge-service")[-1].url, come, self._leaving))
        self.users.append(await come)
        before.set()

    async def goes_on(self) -> None:
        """Users get answers now, and every answer so far was a good one."""
        await self.users[-1].from_now(5)
        assert [load.troubles for load in self.users if load.troubles] == []
        assert all(answer.has_forecast for load in self.users for answer in load.answers)

    async def restarted(self, name: str) -> None:
        """A service is replaced by one with credentials: the new one comes, then the old one goes; users move to a new edge."""
        (old,) = self.world.of(name)
        new = self.world.start(name, **_RIGHT)
        await self.world.up(new)
        if name == "edge-service":
            await self._users_come()
        await self.online(name, old, new)
        assert old.end() == 0, old.said()
        await self.online(name, new)
        await self.goes_on()

    async def online(self, service: str, *members: Member) -> None:
        """Wait until exactly these are the instances of a service."""
        wanted = {member.url.replace("http", "rest") for member in members}

        async def are_these() -> bool:
            authorization = {"Authorization": self.token} if self.token else {}
            path = f"/instances?appId=weathermap&serviceName={service}&version=0%2B"
            status, body, _ = await self._client.call("GET", path, None, None, **authorization)
            assert status in (200, 400), body
            found = body.get("instances", []) if isinstance(body, dict) else []
            return {instance["endpoints"][0] for instance in found} == wanted

        await eventually(are_these, 120)

    async def sign_in(self) -> None:
        """Root signs in, and makes the account that the services have."""
        await self.shell.waggle("login", typed=ROOT_PASSWORD + "\n")
        await self.shell.waggle("account", "create", "weathermap", "--role", "developer", typed=_PASSWORD + "\n")
        self.token = await signed_in(self._client)

    async def would_break(self) -> Sequence[str]:
        """The services of which enforcing would refuse an instance."""
        _, shown, _ = await self._client.call("GET", f"{SWITCH}/readiness", None, 200, Authorization=self.token)
        assert isinstance(shown, dict)
        found = {
            row["service"] for row in (*shown["instances"], *shown["others"]) if row["breaks"] and "serviceId" in row
        }
        assert shown["ready"] is not bool(found), shown
        return sorted(found)


async def _use(edge: str, come: asyncio.Future[Load], leaving: asyncio.Event) -> None:
    async with load_on(edge, 10) as load:
        come.set_result(load)
        await leaving.wait()


@contextlib.asynccontextmanager
async def an_operator(folder: Path) -> AsyncIterator[Walk]:
    """A whole weathermap without credentials, before an engine whose access control is off."""
    leases = ("--instance-ttl", str(_LEASE))
    with a_world(folder, *leases, SC_INIT_ROOT_PASSWORD=ROOT_PASSWORD) as world:
        await world.up(*world.of("engine"))
        await world.up(*[world.start(name, **_FAST) for name in _SERVICES])
        async with client_of(world.engine) as client:
            yield Walk(world, Shell(folder / "home", world.engine), client)


async def test_access_control_is_turned_on_and_off_while_the_page_is_in_use(tmp_path: Path) -> None:
    async with an_operator(tmp_path) as walk, walk.in_use():
        for name in _SERVICES[:2]:
            await walk.restarted(name)
        assert await walk.shell.waggle("access", "observe", typed=ROOT_PASSWORD + "\n") == "access: observe\n"
        await walk.sign_in()
        for name in _SERVICES[2:]:
            assert name in await walk.would_break()
            await walk.restarted(name)
            assert name not in await walk.would_break()
        await eventually(lambda: _is_ready(walk), 120)
        await walk.goes_on()

        wrong = walk.world.start("weather", **_WRONG)
        await walk.world.up(wrong)
        await eventually(lambda: _breaks(walk, "weather"))
        assert "confirm" in await walk.shell.waggle("access", "enforce", expect=1)
        await walk.goes_on()
        assert await walk.shell.waggle("access", "enforce", "--confirm") == "access: enforce\n"
        await _only_the_wrong_one_goes(walk, wrong)

        assert await walk.shell.waggle("access", "off", typed=ROOT_PASSWORD + "\n") == "access: off\n"
        walk.token = ""
        await walk.online("weather", *walk.world.of("weather"))
        await walk.goes_on()


async def _only_the_wrong_one_goes(walk: Walk, wrong: Member) -> None:
    right = [member for member in walk.world.services() if member is not wrong]
    begun = {member: len(member.said()) for member in right}
    await walk.online("weather", *(member for member in right if member.service == "weather"))
    await walk.goes_on()
    for name in _SERVICES:
        await walk.online(name, *(member for member in right if member.service == name))
    assert wrong.running, "it is offline, but it runs"
    assert wrong.said().count("event='account.refused'") <= 2, "told while it was observed, and when it was enforced"
    for member in right:
        assert " WARNING " not in member.said()[begun[member] :], member.said()[begun[member] :]
    assert not [member.name for member in walk.world.members if _PASSWORD in member.said()]


async def _is_ready(walk: Walk) -> bool:
    return await walk.would_break() == []


async def _breaks(walk: Walk, service: str) -> bool:
    return await walk.would_break() == [service]
