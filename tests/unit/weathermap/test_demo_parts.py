"""The demo's plan, its processes and its table."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from governance.samples.weathermap import processes
from governance.samples.weathermap.plan import Plan
from governance.samples.weathermap.processes import Fleet, Member
from governance.samples.weathermap.table import Overview, Row, table_of
from tests.engine import eventually

_SAYS_READY_AND_WAITS = "import signal; print('ready', flush=True); signal.pause()"
_IGNORES_SIGTERM = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
)


def plan(*, beta: bool = False, port: int = 30100) -> Plan:
    return Plan(port, 3010, 3000, 13090, beta, Path("/somewhere"))


def test_the_ports_are_those_of_the_original() -> None:
    assert plan(beta=True).ports() == {
        30100: "engine",
        30110: "engine",
        30103: "engine",
        30109: "engine",
        13090: "weather",
        13094: "weather-2",
        13091: "forecast",
        13092: "fusionweather",
        13093: "weather-beta",
        3010: "edge-service",
        3000: "weathermapweb",
    }
    assert 13093 not in plan().ports()
    assert {30110, 30103, 30109}.isdisjoint(plan(port=4000).ports()), "another engine port: only that one"


def test_the_processes_start_behind_the_engine() -> None:
    members = plan(beta=True).members()
    assert [member.name for member in members] == [
        "engine",
        "weather",
        "weather-2",
        "forecast",
        "fusionweather",
        "weather-beta",
        "edge-service",
        "weathermapweb",
    ]
    assert members[-1].environment == {"SERVICE_ADDR": "127.0.0.1:3010"}
    assert (plan().expected, plan(beta=True).expected) == (5, 6)


def member(name: str, code: str) -> Member:
    return Member(name, [sys.executable, "-c", code], {"ADDED": "yes it's"})


async def _said(folder: Path, name: str) -> None:
    async def so() -> bool:
        return "ready" in (folder / f"{name}.log").read_text()

    await eventually(so)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_fleet_ends_with_its_block_also_who_does_not_want_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 0.5)
    members = [member("willing", _SAYS_READY_AND_WAITS), member("stubborn", _IGNORES_SIGTERM)]
    async with Fleet(tmp_path, members, lambda _: None) as fleet:
        for name in ("willing", "stubborn"):
            await _said(tmp_path, name)
        pids = [process.pid for process in fleet._running.values()]
        assert all(map(alive, pids))
    assert not any(map(alive, pids))


def _modes(folder: Path) -> set[int]:
    return {log.stat().st_mode & 0o777 for log in folder.glob("*.log")}


async def test_a_fleet_tells_who_ends_by_itself_and_how_to_start_it_again(tmp_path: Path) -> None:
    ended: asyncio.Queue[str] = asyncio.Queue()
    ends = member("ends", "import os, sys; print(os.environ['ADDED']); sys.exit(3)")
    async with Fleet(tmp_path, [member("stays", _SAYS_READY_AND_WAITS), ends], ended.put_nowait) as fleet:
        async with asyncio.timeout(20):
            assert await ended.get() == "ends"
        assert fleet.obituary("ends") == f"ends has ended with status 3; the end of {tmp_path}/ends.log:\nyes it's"
        # The engine's log has root's password.
        assert _modes(tmp_path) == {0o600}
        assert fleet.revival("ends").startswith(f"env ADDED='yes it'\"'\"'s' {sys.executable} -c ")


async def test_a_member_that_cannot_start_ends_the_others(tmp_path: Path) -> None:
    missing = Member("missing", [str(tmp_path / "nowhere")])
    fleet = Fleet(tmp_path, [member("stays", _SAYS_READY_AND_WAITS), missing], lambda _: None)
    with pytest.raises(FileNotFoundError):
        await fleet.__aenter__()
    assert not alive(fleet._running["stays"].pid)


def test_the_table() -> None:
    rows = (
        Row("weathermap", "weather", "0.0.2", 2, ("rest://127.0.0.1:13090", "rest://127.0.0.1:13094")),
        Row("weathermap", "weather", "0.0.3", 0, ()),
    )
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table_of(Overview(rows)))
    cells = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in console.export_text().splitlines() if "│" in line
    ]
    assert cells == [
        ["weathermap", "weather", "0.0.2", "2", "rest://127.0.0.1:13090"],
        ["", "", "", "", "rest://127.0.0.1:13094"],
        ["weathermap", "weather", "0.0.3", "0", ""],
    ]
    assert Overview(rows).instances == 2
