"""`waggle release` and `waggle degrade` against a real engine with two registered versions."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from registry.cli.app import app
from tests.api.objects import ObjectClient
from tests.engine import EngineProcess, eventually, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
OBJECT = "servicecomb.x.gray.weather"
RULE = "servicecomb.routeRule.weather"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """One engine for all tests of the module, which keep apart by their project."""
    async with running_engine(tmp_path_factory.mktemp("engine") / "data") as started:
        yield started


class World:
    """A project of an engine in which weather 1.0.0 is up, and the command in it."""

    def __init__(self, url: str, api: ObjectClient) -> None:
        self.environ = {"COLUMNS": "300", "WAGGLE_ENGINE": url, "TZ": "UTC"}
        self.api = api

    async def run(self, *words: str) -> Result:
        """A finished command; it runs on a thread, with an event loop of its own."""
        arguments = [*words[:2], "--project", self.api.project, *words[2:]]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=self.environ)

    async def out(self, *words: str) -> str:
        """The standard output of a command that must end well and have nothing to complain of."""
        done = await self.run(*words)
        assert (done.exit_code, done.stderr) == (0, ""), f"{words}: {done.exit_code} {done.stderr}"
        return done.stdout

    async def fails(self, status: int, *words: str) -> str:
        """Standard error of a command that must end with this status."""
        done = await self.run(*words)
        assert done.exit_code == status, f"{words}: {done.exit_code} {done.stdout} {done.stderr}"
        return done.stderr

    async def share(self) -> object:
        """What share the release has."""
        return (await self.api.ok("GET", "/one"))["object"]["share"]


@pytest_asyncio.fixture(loop_scope="module")
async def world(engine: EngineProcess) -> AsyncIterator[World]:
    """A project of its own."""
    async with aiohttp.ClientSession() as session:
        names = {"service": "weather", "app": "mall", "environment": ""}
        api = ObjectClient(session, engine.url, "gray-releases", names)
        await api.instance("weather", "1.0.0")
        yield World(engine.url, api)


async def test_a_release_from_before_the_first_instance_to_the_end(world: World) -> None:
    begun = await world.out("release", "gray", "weather", "--version", "2.0.0", "--reason", "spring")
    assert begun.splitlines()[0].startswith(
        "added weather [app=mall environment=]: 0 % to 2.0.0, the rest to 1.0.0; at"
    )
    assert f"+ {RULE} [app=mall environment=]" in begun
    assert "requests: 100 % to 1.0.0 (1 instance)" in begun
    refused = await world.fails(1, "release", "gray", "weather", "--share", "50")
    assert "409003 instances do not allow it: no instance of weather 2.0.0 is up" in refused
    await world.api.instance("weather", "2.0.0")
    half = await world.out("release", "gray", "weather", "--share", "50")
    assert "requests: 50 % to 1.0.0 (1 instance), 50 % to 2.0.0 (1 instance)" in half
    by_content = await world.out("release", "gray", "weather", "--header", "type=gray", "--header", "a:prefix=b")
    assert "type exact gray and a prefix b: 100 % to 2.0.0 (1 instance)" in by_content
    assert "all to 2.0.0 (promoted)" in await world.out("release", "promote", "weather")
    assert "requests would go to all of them" in await world.fails(1, "release", "finish", "weather")
    back = await world.out("release", "rollback", "weather", "--reason", "slow")
    assert "all to 1.0.0 (rolled back)" in back
    listed = await world.out("release", "list")
    assert re.search(r"weather.*mall.*all to 1\.0\.0.*rolled-back.*1\.0\.0: 1, 2\.0\.0: 1.*slow", listed)
    drained = await world.out("release", "drain", "weather")
    assert drained.startswith("weather [app=mall environment=]: 1 instance set out of service\n")
    assert drained.endswith(" of 2.0.0\n")
    assert "- " + RULE in await world.out("release", "finish", "weather")
    assert await world.api.values() == {}


async def test_what_a_release_was_can_be_had_again_after_its_end(world: World) -> None:
    await world.out("release", "gray", "weather", "--version", "2.0.0", "--max-error-rate", "5", "--max-latency", "300")
    revision = (await world.api.ok("GET", "/one"))["revision"]
    await world.out("release", "finish", "weather")
    history = await world.out("release", "history", "weather", "--app", "mall")
    assert re.search(rf"{revision} .*CREATE.*0 % to 2\.0\.0, the rest to 1\.0\.0", history)
    assert "DELETE" in history
    back = await world.out("release", "rollback", "weather", "--to", str(revision), "--app", "mall")
    assert "+ " + OBJECT in back
    shown = json.loads(await world.out("release", "show", "weather", "--json"))
    one = shown["object"]
    assert (one["maxErrorRate"], one["maxLatency"], one["latency"], one["minCalls"]) == (5.0, 300, "p99", 20)


async def test_waiting_begins_at_nothing_and_ends_when_the_version_is_up(world: World) -> None:
    waiting = asyncio.create_task(
        world.run("release", "gray", "weather", "--version", "2.0.0", "--share", "20", "--wait")
    )

    async def rule_is_there() -> bool:
        return RULE in await world.api.values()

    await eventually(rule_is_there)
    assert await world.share() == 0, "nothing goes to a version that is not there"
    await world.api.instance("weather", "2.0.0")
    done = await waiting
    assert (done.exit_code, await world.share()) == (0, 20)
    assert "waiting for an instance of 2.0.0 to be up; until then 0 % to 2.0.0, the rest to 1.0.0" in done.stderr


async def test_waiting_ends_in_time(world: World) -> None:
    words = ("release", "gray", "weather", "--version", "2.0.0", "--share", "20", "--wait", "--timeout", "0.01")
    assert "after 0.01 seconds no instance of 2.0.0 is up; the rule stays as it is" in await world.fails(1, *words)
    assert await world.share() == 0


async def test_steps_are_gone_through_and_resumed(world: World) -> None:
    await world.api.instance("weather", "2.0.0")
    steps = ("release", "gray", "weather", "--version", "2.0.0", "--interval", "0", "--steps")
    shown = await world.out(*steps, "1,20,50")
    assert re.findall(r"(\d+) % to 2\.0\.0, the rest", shown) == ["1", "20", "50"]
    shown = await world.out(*steps, "1,20,50,80,100")
    assert re.findall(r"(\d+) % to 2\.0\.0, the rest", shown) == ["80", "100"], "it goes on from 50"
    history = (await world.api.ok("GET", "/history"))["versions"]
    assert [row["object"]["share"] for row in history] == [100, 80, 50, 20, 1, 0]
    await world.out("release", "rollback", "weather")
    shown = await world.out(*steps, "5,100")
    assert re.findall(r"(\d+) % to 2\.0\.0, the rest", shown) == ["5", "100"], "after a rollback it begins anew"


async def test_steps_end_when_somebody_else_changes_the_release(world: World) -> None:
    """Whoever rolls it back, a person or a judge, is not overruled by the next step."""
    await world.api.instance("weather", "2.0.0")
    words = ("release", "gray", "weather", "--version", "2.0.0", "--steps", "10,100", "--interval", "60")
    stepping = asyncio.create_task(world.run(*words))

    async def first_step() -> bool:
        return RULE in await world.api.values() and await world.share() == 10

    await eventually(first_step)
    await world.api.put(state="rolled-back", reason="too many errors")
    done = await stepping
    assert done.exit_code == 1
    said = (
        "somebody else changed the release, so the steps end at 10 %: now all to 1.0.0 (rolled back): too many errors"
    )
    assert said in done.stderr
    assert (await world.api.ok("GET", "/one"))["object"]["state"] == "rolled-back"


async def test_finishing_waits_until_the_old_instances_are_drained(world: World) -> None:
    await world.api.instance("weather", "1.0.0")
    await world.api.instance("weather", "2.0.0")
    await world.out("release", "gray", "weather", "--version", "2.0.0", "--share", "100")
    assert "409003" in await world.fails(1, "release", "drain", "weather")
    await world.out("release", "promote", "weather")
    words = ("release", "finish", "weather", "--wait")
    assert "more than one version is up; the rule stays" in await world.fails(1, *words, "--timeout", "0.01")
    finishing = asyncio.create_task(world.run(*words))
    assert len((await world.api.ok("POST", "/drain"))["drained"]) == 2
    done = await finishing
    assert (done.exit_code, await world.api.values()) == (0, {})


async def test_a_drift_is_shown_with_what_differs(world: World) -> None:
    await world.out("release", "gray", "weather", "--version", "2.0.0")
    await world.api.items.put(RULE, "- route: [{weight: 100, tags: {version: 9}}]", {"app": "mall", "environment": ""})
    shown = await world.run("release", "show", "weather")
    assert shown.exit_code == 0
    assert "+- route: [{weight: 100, tags: {version: 9}}]" in shown.stdout
    assert f"{RULE} was changed by hand; --force writes it again" in shown.stderr
    assert "drifted" in await world.out("release", "list")
    refused = await world.fails(1, "release", "gray", "weather", "--reason", "x")
    assert f"409002 somebody else wrote it: {RULE} was changed by hand" in refused
    assert f"~ {RULE}" in await world.out("release", "gray", "weather", "--force")


async def test_a_service_in_several_places_must_be_named_with_its_place(world: World) -> None:
    await world.api.instance("weather", "1.0.0", app="park")
    words = ("release", "gray", "weather", "--version", "2.0.0")
    said = " ".join((await world.fails(2, *words)).replace("│", " ").split())
    assert "weather is in several places, say which" in said
    assert "[app=park environment=]" in await world.out(*words, "--app", "park")
    assert "weather" in await world.out("release", "show", "weather"), "there is one release of this name"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--share", "10", "--header", "a=b"), "contradict each other"),
        (("--share", "0", "--steps", "1,2"), "contradict each other"),
        (("--header", "a"), "is not NAME=VALUE"),
        (("--steps", "5,5"), "each step is more"),
        (("--steps", "0,5"), "is no list of percentages"),
        (("--steps", "5,x"), "is no list of percentages"),
        (("--share", "101"), "--share"),
    ],
)
async def test_a_wrong_command_line_is_refused_before_anything_is_asked(
    world: World, words: tuple[str, ...], said: str
) -> None:
    shown = await world.fails(2, "release", "gray", "weather", "--version", "2.0.0", *words)
    assert said in " ".join(shown.replace("│", " ").split())
    assert await world.api.values() == {}


async def test_a_release_that_is_not_there_is_an_error(world: World) -> None:
    for name in ("show", "finish", "history"):
        assert "404001" in await world.fails(1, "release", name, "weather")
    assert "version is missing" in await world.fails(1, "release", "promote", "weather")
    assert "weather" not in await world.out("release", "list")


async def test_degrading_and_back(world: World) -> None:
    await world.api.instance("fusion", "1.0.0")
    on = await world.out("degrade", "on", "fusion", "weather", "--reason", "night")
    assert on.startswith("added degradation: fusion no longer calls weather (returnnull); at revision ")
    assert "+ servicecomb.fallback.Consumer.weather.force [app=mall service=fusion environment=]" in on
    changed = await world.out("degrade", "on", "fusion", "weather", "--policy", "throwexception", "--error-code", "503")
    assert "~ servicecomb.fallbackpolicy.Consumer.weather.policy" in changed
    assert re.search(r"fusion.*weather.*mall.*throwexception", await world.out("degrade", "list"))
    written = await world.api.values()
    off = await world.out("degrade", "off", "fusion", "weather")
    assert off.startswith("deleted degradation: fusion calls weather again; at revision ")
    assert await world.api.values() == {}
    history = json.loads(await world.out("degrade", "history", "fusion", "weather", "--json"))
    assert [row["action"] for row in history] == ["DELETE", "UPDATE", "CREATE"]
    revision = str(history[1]["revision"])
    assert "+ servicecomb" in await world.out("degrade", "rollback", "fusion", "weather", "--to", revision)
    assert await world.api.values() == written
    assert "throwexception" in await world.out("degrade", "history", "fusion", "weather")


async def test_degrading_an_operation_and_what_is_unknown(world: World) -> None:
    done = await world.run("degrade", "on", "nobody", "weather.s.o", "--path", "/weather", "--app", "mall", "--json")
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert "servicecomb.matchGroup.degrade-weather.s.o" in {one["key"] for one in answer["changes"]}
    assert answer["warnings"] == ["no service nobody is registered in application mall"]
    assert "404001" in await world.fails(1, "degrade", "off", "nobody", "weather")


async def test_the_name_of_the_user_is_the_author(world: World) -> None:
    await world.out("release", "gray", "weather", "--version", "2.0.0")
    (row,) = (await world.api.ok("GET", "/history"))["versions"]
    assert row["author"].endswith("@127.0.0.1")


async def test_help_tells_both_kinds_of_release_apart() -> None:
    def said(*words: str) -> str:
        shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"}).stdout
        return " ".join(shown.replace("│", " ").split())

    assert "lead a part of the requests to a new VERSION of a service" in said("release")
    assert "config release" in said("release")
    assert "Give a new value to some instances first" in said("config", "release")
