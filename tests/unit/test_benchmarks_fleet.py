"""A small fleet in fast motion: no client sees anything but an engine that is away for a moment. How fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.fleet.figures import Timing
from tests.engine import ROOT

CALLS = {
    "Config Center poll",
    "KIE list",
    "KIE long poll's end",
    "batch find",
    "change item",
    "change told to a long poll",
    "existence",
    "find",
    "heartbeat",
    "list instances",
    "register instance",
    "register service",
    "unregister",
    "upload",
    "upload schema",
}


def test_a_fleet_notices_nothing_of_two_restarts_but_retries(tmp_path: Path) -> None:
    """200 instances, 20 times as fast as real ones: their ids stay, nobody is missing in a find, and no call has a wrong answer."""
    file = tmp_path / "figures.json"
    options = {"instances": 200, "seconds": 120, "pace": 20, "share": 1, "patience": 60, "json": file}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks.fleet", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(file.read_bytes())
    assert (figures["errors"], figures["first_errors"]) == (0, [])
    assert set(figures["calls"]) >= CALLS
    assert all(figures["calls"][call]["count"] for call in CALLS)
    assert figures["calls"]["register instance"]["count"] >= 200
    assert figures["calls"]["unregister"]["count"] >= 200, "all of them leave at the end"
    assert figures["events"] > 0, "the watches told of deployments"
    assert [one["how"] for one in figures["restarts"]] == ["stop", "kill"]
    assert figures["registered_again"] > 0, "Java Chassis registers again after an outage, by its old id"
    assert all(one["last_retry"] > 0 for one in figures["restarts"]), "the engine was away"
    assert figures["moments"], "it was looked at"
    for call in CALLS:
        assert call in done.stdout


def test_shares_of_timings_are_within_two_in_a_hundred() -> None:
    timing = Timing()
    for number in range(1, 1001):
        timing.add(number / 10)
    for share in (0.5, 0.99, 1.0):
        assert share * 100 <= timing.share(share) <= share * 102
    assert timing.most == 100.0
