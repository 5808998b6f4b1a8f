"""`waggle lane` against a real engine, from the creation of a group to its end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from typer.testing import Result

from tests.api.lanes import UNITS, LaneClient
from tests.e2e.test_release_cli import World
from tests.engine import EngineProcess, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Office(World):
    """`waggle lane` in a project of its own, where the three services of the baseline run."""

    api: LaneClient

    async def run(self, *words: str) -> Result:
        """A finished command."""
        return await super().run("lane", *words)

    async def out(self, *words: str) -> str:
        """The standard output of a command that must end well, whatever it warns of."""
        done = await self.run(*words)
        assert done.exit_code == 0, f"{words}: {done.exit_code} {done.stdout} {done.stderr}"
        return done.stdout


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """One engine for all tests of the module, which keep apart by their project."""
    async with running_engine(tmp_path_factory.mktemp("engine") / "data") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def office(engine: EngineProcess) -> AsyncIterator[Office]:
    """A project of its own."""
    async with aiohttp.ClientSession() as session:
        names = {"name": "lane-test", "app": "mall", "environment": ""}
        api = LaneClient(session, engine.url, "lane-groups", names)
        for name in UNITS:
            await api.runs(name)
        yield Office(engine.url, api)


async def test_a_group_from_its_creation_to_its_end(office: Office) -> None:
    words = [word for name in UNITS[:2] for word in ("--component", name)]
    made = await office.out("create", "lane-test", "--gateway", "edge", "--target", "controller", *words)
    assert made.startswith("added lane-test [app=mall environment=]: off: all that edge to controller goes to base")
    assert "is at revision" in await office.fails(1, "create", "lane-test", "--gateway", "e", "--target", "controller")
    await office.out("add-component", "lane-test", "base", "provider")
    gray = await office.api.runs("provider", component="provider-gray")
    await office.out("add", "lane-test", "gray", "--component", "provider-gray", "--component", "mistake")
    await office.out("remove-component", "lane-test", "gray", "mistake")
    await office.out("rules", "lane-test", "gray", "--header", "Type:prefix=gray", "--header", "user=ann")
    on = await office.out("on", "lane-test", "--reason", "try it")
    assert "on: of what edge to controller type prefix gray or user exact ann to gray, the rest to base" in on
    assert await office.api.goes("gray") == ["gray", "base"]
    shown = await office.out("show", "lane-test")
    assert [line for line in shown.splitlines() if "provider-gray" in line and "127.0.0.1" in line]
    assert "try it" in shown
    listed = await office.out("list")
    assert [line for line in listed.splitlines() if "lane-test" in line and "base, gray" in line and " on " in line]
    shares = await office.out("share", "lane-test", "base=80", "gray=20")
    assert "80 % to base, 20 % to gray" in shares
    assert "the weights of the lanes add up to 70" in await office.fails(1, "share", "lane-test", "base=50", "gray=20")
    versions = json.loads(await office.out("history", "lane-test", "--json"))
    assert "try it" in await office.out("history", "lane-test")
    tried = next(row["revision"] for row in versions if row["object"]["reason"] == "try it")
    assert "type prefix gray" in await office.out("rollback", "lane-test", "--to", str(tried))
    assert "off:" in await office.out("off", "lane-test")
    assert "runs in the lanes base and gray" in await office.fails(1, "delete", "lane-test")
    await office.api.gone(gray)
    await office.out("remove", "lane-test", "gray")
    assert (await office.out("delete", "lane-test")).startswith("deleted group lane-test")
    assert await office.api.values() == {}
    assert "404" in await office.fails(1, "show", "lane-test")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add-component", "lane-test", "red", "x"), "there is no lane 'red', only base"),
        (("remove", "lane-test", "red"), "there is no lane 'red', only base"),
        (("remove-component", "lane-test", "base", "x"), "'x' is not in the lane, only"),
        (("rules", "lane-test", "base", "--header", "type"), "is not NAME=VALUE"),
        (("rules", "lane-test", "base", "--header", "type:like=x"), "is not NAME=VALUE"),
        (("share", "lane-test", "base"), "'base' is not LABEL=PERCENT"),
        (("share", "lane-test", "base=many"), "'base=many' is not LABEL=PERCENT"),
        (("share", "lane-test", "red=100"), "there is no lane 'red', only base"),
    ],
)
async def test_what_is_misspelt_is_pointed_out_and_changes_nothing(
    office: Office, words: tuple[str, ...], said: str
) -> None:
    await office.out("create", "lane-test", "--gateway", "edge", "--target", "controller")
    before = await office.api.values()
    error = " ".join((await office.fails(2, *words)).replace("│", " ").split())
    assert said in error
    assert await office.api.values() == before


async def test_warnings_and_refusals_are_told(office: Office) -> None:
    await office.api.runs("provider", component="old", framework=("Go-Chassis", "2.7.1"))
    await office.out("create", "lane-test", "--gateway", "edge", "--target", "controller")
    refused = await office.fails(1, "add-component", "lane-test", "base", "old")
    assert "409004" in refused
    assert "provider cannot follow lanes: Go-Chassis 2.7.1 knows no fallback" in refused
    forced = await office.run("add-component", "lane-test", "base", "old", "nowhere", "--force")
    assert (forced.exit_code, "nowhere of lane base has no instance" in forced.stderr) == (0, True)
