"""The three services of the guide with gray copies of two: gray → base → gray through the gateway, and base for all others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from governance.samples.lanes.plan import GROUP, PARTS, group_of_lanes
from governance.samples.lanes.unit import APP, BEHIND
from tests.e2e.demo import Demo, free_ports
from tests.engine import ROOT, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
GRAY_CHAIN, BASE_CHAIN = ("gray", "base", "gray"), ("base", "base", "base")
_INHERITED_NOT = ("COLUMNS", "CAS_INSTANCE_VERSION", "CAS_COMPONENT_NAME", "SERVICECOMB_INSTANCE_PROPS")


class Units:
    """The sample, running."""

    def __init__(self, demo: Demo, session: aiohttp.ClientSession) -> None:
        self.demo = demo
        self._session = session

    async def ask(self, **headers: str) -> tuple[int, Any]:
        """Status and answer of a request at the gateway."""
        async with self._session.get(f"{self.demo.edge}/unit-controller/hello", headers=headers) as answer:
            return answer.status, await (answer.json() if answer.status == 200 else answer.text())

    async def chain(self, **headers: str) -> tuple[str, ...]:
        """The lanes of controller, consumer and provider that a request went along."""
        status, said = await self.ask(**headers)
        assert status == 200, said
        return lanes_of(said)

    async def change(self, **members: object) -> Any:
        """Change the group of lanes."""
        body = {"name": GROUP, "app": APP, **members}
        async with self._session.put(f"{self.demo.engine}/waggle/v1/lane-groups/one", json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def goes(self, expected: Sequence[tuple[str, ...]], **headers: str) -> None:
        """Wait until the gateway has heard of a change: requests go along one of these."""
        await eventually(lambda: self._is(expected, headers), 30)

    async def _is(self, expected: Sequence[tuple[str, ...]], headers: dict[str, str]) -> bool:
        return await self.chain(**headers) in expected

    def pid_of(self, component: str) -> int:
        """The process of a component."""
        port = self.demo.ports["base-port"] + [part.component for part in PARTS].index(component)
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                words = (folder / "cmdline").read_text().split("\0") if folder.name.isdigit() else []
                if "governance.samples.lanes" in words and words[words.index("--port") + 1] == str(port):
                    return int(folder.name)
        raise LookupError(component)


def lanes_of(said: Any) -> tuple[str, ...]:
    """The lane of each service of an answer."""
    return tuple(said[name]["SERVICECOMB_INSTANCE_PROPS"].partition(",")[0].partition(":")[2] for name in BEHIND)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def units() -> AsyncIterator[Units]:
    """The sample's demo, for all tests of the module."""
    ports = {name: port for name, port in free_ports().items() if name != "web-port"}
    flags = [word for name, port in ports.items() for word in (f"--{name}", str(port))]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "governance.samples.lanes", "demo", *flags),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in _INHERITED_NOT},
    )
    demo = Demo(process, ports)
    try:
        await demo.until("Ctrl-C ends everything.")
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            yield Units(demo, session)
        assert (await demo.end(signal.SIGINT), "Every process has ended." in demo.output) == (0, True), demo.output
    finally:
        await demo.end(signal.SIGKILL)


async def test_a_gray_request_goes_gray_base_gray_and_all_others_stay_in_the_baseline(units: Units) -> None:
    assert await units.chain(type="gray") == await units.chain(type="grayish") == GRAY_CHAIN
    for headers in ({}, {"type": "red"}):
        assert {await units.chain(**headers) for _ in range(10)} == {BASE_CHAIN}


@pytest.mark.parametrize(
    "headers",
    [
        {"x_cse_canary": "gray"},
        {"X-CSE-Canary": "gray"},
        {"x-cse-context": '{"x_cse_canary":"gray"}', "x-invocation-context": "%7B%22x_cse_canary%22%3A%22gray%22%7D"},
    ],
)
async def test_a_client_cannot_choose_its_lane_itself(units: Units, headers: dict[str, str]) -> None:
    """Vector 21."""
    assert await units.chain(**headers) == BASE_CHAIN


async def test_by_share_a_hundred_requests_are_shared_exactly_and_each_keeps_its_lane(units: Units) -> None:
    """Vector 22."""
    lanes: Any = group_of_lanes()["lanes"]
    await units.change(routing="share", lanes=[{**lane, "weight": 50} for lane in lanes])
    await units.goes([GRAY_CHAIN])
    seen = Counter([await units.chain() for _ in range(100)])
    assert seen == {GRAY_CHAIN: 50, BASE_CHAIN: 50}
    await units.change(routing="content", lanes=lanes)
    await units.goes([GRAY_CHAIN], type="gray")


async def test_lanes_that_are_off_lead_nowhere(units: Units) -> None:
    await units.change(on=False)
    await units.goes([BASE_CHAIN], type="gray")
    await units.change(on=True)
    await units.goes([GRAY_CHAIN], type="gray")


async def test_when_the_gray_provider_is_killed_its_requests_go_to_base_and_none_fails(units: Units) -> None:
    killed = asyncio.Event()
    seen: list[tuple[int, Any]] = []
    after = 0

    async def drive() -> None:
        nonlocal after
        while after < 200:
            seen.append(await units.ask(type="gray"))
            after += killed.is_set()

    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(drive())
        await eventually(lambda: _some(seen), 60)
        os.kill(units.pid_of("unit-provider-gray"), signal.SIGKILL)
        killed.set()
    failed = [one for one in seen if one[0] != 200]
    assert not failed, f"{len(failed)} of {len(seen)} requests failed: {failed[:3]}"
    chains = [lanes_of(said) for _, said in seen]
    assert chains[0] == GRAY_CHAIN
    assert set(chains[-100:]) == {("gray", "base", "base")}
    assert await units.chain() == BASE_CHAIN


async def _some(seen: Sequence[object]) -> bool:
    return len(seen) >= 50
