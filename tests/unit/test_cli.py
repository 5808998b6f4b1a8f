"""`waggle serve`, `settings`, `demo` and `version`, without an engine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from registry.cli.app import app
from registry.settings import LoadedSettings, Settings

_DEMO = """
import os, signal, sys
def stop(number, _frame):
    # The signal may come while the line below is being printed, and print may not be entered twice.
    os.write(1, f"stopped by {signal.Signals(number).name}\\n".encode())
    sys.exit(7)
signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
print("demo", *sys.argv[1:], flush=True)
if "exit" in sys.argv:
    sys.exit(5)
if "die" in sys.argv:
    signal.raise_signal(signal.SIGKILL)
signal.pause()
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def waggle(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(app, words, env={"COLUMNS": "200", **environ})


def test_settings_are_shown_with_value_and_source(tmp_path: Path) -> None:
    (tmp_path / "waggle.toml").write_text("config_port = 7\n")
    shown = waggle("settings", "--kie-port", "5", "--no-hot-path", WAGGLE_STORAGE="memory")
    assert shown.exit_code == 0
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in shown.stdout.splitlines() if "│" in line]
    assert ["kie_port", "5", "flag"] in rows
    assert ["hot_path", "false", "flag"] in rows
    assert ["storage", "memory", "WAGGLE_STORAGE"] in rows
    assert ["config_port", "7", "waggle.toml:1"] in rows
    assert ["monitor_port", "30109", "default"] in rows
    assert [row[0] for row in rows] == list(Settings.model_fields)


def test_settings_as_json_keep_their_types() -> None:
    shown = waggle("settings", "--json", "--shared-services", "a,b", "--port", "5")
    rows = {row["name"]: (row["value"], row["source"]) for row in json.loads(shown.stdout)}
    assert rows["port"] == (5, "flag")
    assert rows["shared_services"] == (["a", "b"], "flag")
    assert rows["hot_path"] == (True, "default")


def test_a_bad_setting_is_one_line_and_status_2() -> None:
    shown = waggle("settings", "--port", "x", COLUMNS="40")
    assert shown.exit_code == 2
    bounds = "a whole number, at least 0, at most 65535"
    assert shown.stderr == f"waggle: port (from --port): 'x' is not allowed; it must be {bounds}\n"
    assert shown.stdout == ""


def test_a_misspelt_variable_is_a_warning() -> None:
    shown = waggle("settings", WAGGLE_PROT="1")
    assert shown.exit_code == 0
    assert shown.stderr == "waggle: WAGGLE_PROT is no setting; do you mean 'port'?; it is ignored\n"


def test_every_flag_of_serve_has_a_panel() -> None:
    shown = waggle("serve", "--help")
    assert shown.exit_code == 0
    panels = re.findall(r"╭─ (\w+) ─", shown.stdout)
    assert "Configuration" in panels
    assert "More" not in panels, "name the settings' group in registry/cli/serve.py"


def test_serve_runs_the_server_with_the_settings_and_ends_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[LoadedSettings] = []
    logs: list[tuple[str, str]] = []

    def run(loaded: LoadedSettings) -> int:
        served.append(loaded)
        return 4

    monkeypatch.setattr("registry.server.run", run)
    monkeypatch.setattr("registry.cli.serve.configure", lambda level, style: logs.append((level, style)))
    ended = waggle("serve", "--port", "0", "--log-level", "error", WAGGLE_LOG_FORMAT="json")
    assert ended.exit_code == 4
    assert served[0].settings.port == 0
    assert served[0].sources == {"port": "flag", "log_level": "flag", "log_format": "WAGGLE_LOG_FORMAT"}
    assert logs == [("error", "json")]


def test_serve_does_not_start_with_a_bad_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.server.run", lambda _loaded: pytest.fail("it has started"))
    assert waggle("serve", "--config", "missing.toml").exit_code == 2


def test_help_shows_every_setting_with_its_default() -> None:
    shown = waggle("serve", "--help").stdout
    for name in Settings.model_fields:
        assert "--" + name.replace("_", "-") in shown
    assert "memory forgets at the end. [sqlite]" in shown
    assert "sqlite|memory" in shown


def test_version() -> None:
    assert waggle("version").stdout == version("waggle-engine") + "\n"


def test_an_unknown_command_is_status_2() -> None:
    assert waggle("server").exit_code == 2


class Demo:
    """`waggle demo` with a stand-in for the sample, so that only the command itself is tested."""

    def __init__(self, folder: Path) -> None:
        package = folder / "governance" / "samples" / "weathermap"
        package.mkdir(parents=True)
        for parent in (package, *list(package.parents)[:2]):
            (parent / "__init__.py").touch()
        (package / "__main__.py").write_text(_DEMO)
        self._environ = {**os.environ, "PYTHONPATH": str(folder)}

    async def run(self, *words: str, stop_with: signal.Signals | None = None) -> tuple[int, list[str]]:
        """Exit status and lines; with a signal, it goes to the command alone, once the sample runs."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "registry.cli",
            "demo",
            *words,
            stdout=asyncio.subprocess.PIPE,
            env=self._environ,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(30):
                lines = [(await process.stdout.readline()).decode().rstrip()]
                if stop_with is not None:
                    process.send_signal(stop_with)
                lines += (await process.stdout.read()).decode().splitlines()
                return await process.wait(), lines
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            process._transport.close()  # type: ignore[attr-defined]


async def test_demo_passes_its_arguments_on_and_ends_with_the_samples_status(tmp_path: Path) -> None:
    assert await Demo(tmp_path).run("--port", "5", "--help", "exit") == (5, ["demo demo --port 5 --help exit"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_demo_passes_signals_on_and_waits_for_the_sample(tmp_path: Path, number: signal.Signals) -> None:
    assert await Demo(tmp_path).run(stop_with=number) == (7, ["demo demo", f"stopped by {number.name}"])


async def test_demo_and_the_sample_are_one_process(tmp_path: Path) -> None:
    assert await Demo(tmp_path).run("die") == (-signal.SIGKILL, ["demo demo die"])


def test_a_command_starts_without_the_modules_of_others() -> None:
    asked = "from typer.testing import CliRunner; from registry.cli.app import app; import sys"
    told = "print(CliRunner().invoke(app, ['services', '--help']).exit_code, *sys.modules)"
    status, *modules = subprocess.check_output([sys.executable, "-c", f"{asked}; {told}"], text=True).split()
    assert status == "0"
    assert "registry.cli.show" in modules
    assert not {"registry.cli.serve", "registry.cli.access", "registry.settings", "cryptography"} & set(modules)


def test_a_word_that_is_no_command_is_told_the_nearest() -> None:
    refused = waggle("servces")
    assert refused.exit_code == 2
    assert "Did you mean 'services'" in refused.stderr
