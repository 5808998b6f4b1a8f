"""The gateway's benchmark measures every proxy, and leaves no process behind. How fast anything is, no test asks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

import benchmarks.gateway
from benchmarks.gateway import main, missing
from tests.engine import ROOT


def test_a_short_run_has_every_figure(tmp_path: Path) -> None:
    if missing():
        pytest.skip(f"THE GATEWAY'S BENCHMARK WAS NOT TESTED: {missing()}")
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks.gateway", "--rounds", "1", "--seconds", "1", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_bytes())["per_core"]
    assert len(figures) == 6
    for name, rounds in figures.items():
        assert len(rounds) == 1
        assert rounds[0] > 0
        assert name in done.stdout


def test_without_nginx_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks.gateway, "_PATH", "/nowhere")
    assert "apt-get install nginx-light" in missing()
    app = Typer()
    app.command()(main)
    assert CliRunner().invoke(app, []).exit_code == 1
