"""docker/Dockerfile: everything that it names is there, and what the image runs works."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import re
import shlex
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from registry.cli.app import app as waggle
from registry.console.assets import BUILT
from registry.settings import PREFIX, Settings
from tests.dockerfile import BUILD, CONSOLE, FINAL, INSTRUCTIONS, copied, free_port, only, run_health
from tests.engine import ROOT, eventually, running_engine

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


async def _run(*command: str | Path, folder: Path | None = None) -> None:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(600):
        _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_image_is_built_in_three_stages_with_the_versions_that_tests_run_with() -> None:
    assert [word for word, _ in INSTRUCTIONS].count("FROM") == 3
    installed = [rest for word, rest in BUILD if word == "RUN" and " install " in rest]
    assert len(installed) == 1
    assert "-c constraints.txt" in installed[0]
    least = re.fullmatch(r">=(\d+)\.(\d+)", PROJECT["project"]["requires-python"])
    arguments = dict(rest.split("=") for word, rest in INSTRUCTIONS if word == "ARG")
    used = re.fullmatch(r"(\d+)\.(\d+)", arguments["PYTHON"])
    assert int(arguments["NODE"]) >= 20
    assert least
    assert used
    assert tuple(map(int, used.groups())) >= tuple(map(int, least.groups()))


def test_constraints_pin_every_dependency() -> None:
    pinned = {_folded(line.partition("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    project = PROJECT["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    assert {_folded(re.split(r"[<>=;\[ ]", line)[0]) for line in wanted} <= pinned


def test_the_console_is_built_as_make_does_it_and_reaches_the_engine() -> None:
    web = ROOT / only("COPY", CONSOLE).split()[0]
    commands = only("RUN", CONSOLE)
    assert "npm ci" in commands
    assert "npm run build" in commands
    assert json.loads((web / "package.json").read_text())["scripts"]["build"]
    (taken,) = [rest for word, rest in BUILD if word == "COPY" and "--from=console" in rest]
    assert taken.split()[-1] == BUILT.relative_to(ROOT).as_posix()
    assert taken.split()[-1] in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["artifacts"]


def test_the_final_stage_builds_nothing_and_runs_as_nobody() -> None:
    for word, rest in FINAL:
        assert not (word == "RUN" and re.search(r"pip install|apt|gcc|make\b", rest)), rest
    user = re.fullmatch(r"(\d+):(\d+)", only("USER"))
    assert user, "Kubernetes' runAsNonRoot looks for numbers"
    assert min(map(int, user.groups())) > 0
    assert f"--uid {user[1]} " in only("RUN")


def test_the_image_starts_the_engine_with_settings_that_exist() -> None:
    (script,) = json.loads(only("ENTRYPOINT"))
    assert script in PROJECT["project"]["scripts"]
    assert json.loads(only("CMD"))[0] in get_command(waggle).commands  # type: ignore[attr-defined]
    environment = dict(pair.partition("=")[::2] for pair in shlex.split(only("ENV").replace("$", "\\$")))
    own = {name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if PREFIX in name}
    Settings.model_validate(own)
    assert own["host"] == "0.0.0.0"  # noqa: S104  what the image says
    assert own["data_dir"] == only("VOLUME")


def test_the_image_exposes_the_default_ports() -> None:
    names = ("port", "kie_port", "config_port", "monitor_port")
    assert [int(port) for port in only("EXPOSE").split()] == [Settings.model_fields[name].default for name in names]


def test_everything_that_is_copied_is_there_and_reaches_the_build() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    assert "*" in rules
    assert len(copied()) > 4
    for source in copied():
        assert (ROOT / source).exists(), source
        above = [source, *map(str, Path(source).parents)]
        assert any(fnmatch.filter(above, rule) for rule in let_in), f".dockerignore keeps {source} out"
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= set(copied(BUILD))
    assert {PROJECT["project"]["readme"], "pyproject.toml", "constraints.txt"} <= set(copied(BUILD))


def test_the_health_check_of_the_image_is_the_file_that_is_copied() -> None:
    options, _, command = only("HEALTHCHECK").partition(" CMD ")
    assert set(re.findall(r"--[a-z-]+", options)) == {"--interval", "--timeout", "--start-period"}
    assert f"docker/health.py {json.loads(command)[1]}" in [rest for word, rest in FINAL if word == "COPY"]


async def test_the_health_check_tells_a_ready_engine_from_one_that_is_gone(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data") as engine:
        port = str(engine.port)
        # A proxy that nobody answers at must not be asked.
        assert await run_health(WAGGLE_PORT=port, http_proxy="http://127.0.0.1:9") == (0, "")
        assert await run_health(engine.url + "/health/ready") == (0, "")
        status, said = await run_health(engine.url + "/nothing")
        assert status == 1
        assert "answers 404" in said
        await engine.stop()
        status, said = await run_health(WAGGLE_PORT=port)
        assert status == 1
        assert "does not answer" in said


async def test_the_health_check_follows_tls(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("OPENSSL IS MISSING: the health check was not tried over TLS")
    certificate, key = tmp_path / "engine.pem", tmp_path / "engine.key"
    make = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 1 -subj /CN=engine.example"
    )
    await _run(*make.split())
    async with running_engine(tmp_path / "data", tls_cert=certificate, tls_key=key) as engine:
        assert engine.url.startswith("https://")
        assert await run_health(WAGGLE_PORT=str(engine.port), WAGGLE_TLS_CERT=str(certificate)) == (0, "")
        assert (await run_health(WAGGLE_PORT=str(engine.port)))[0] == 1


def _copy_sources(place: Path) -> None:
    place.mkdir()
    for name in copied(BUILD):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(ROOT / name, place)


async def _install(environment: Path, sources: Path) -> None:
    """What the build stage does."""
    _copy_sources(sources)
    pip = Path(sys.executable).with_name("pip")
    await _run(sys.executable, "-m", "venv", "--without-pip", environment)
    options = ("--quiet", "--no-cache-dir", "-c", "constraints.txt")
    await _run(pip, "--python", environment / "bin" / "python", "install", *options, ".", folder=sources)


@pytest.mark.heavy
async def test_the_wheel_runs_alone_in_a_fresh_environment(tmp_path: Path) -> None:
    """What the image's commands do, away from the sources."""
    environment, port, page_port = tmp_path / "venv", free_port(), free_port()
    await _install(environment, tmp_path / "source")
    python, script = environment / "bin" / "python", environment / "bin" / json.loads(only("ENTRYPOINT"))[0]
    own = {"PATH": f"{environment / 'bin'}:/usr/bin:/bin", "WAGGLE_PORT": str(port), "PORT": str(page_port)}
    own |= {f"WAGGLE_{name}": "0" for name in ("KIE_PORT", "CONFIG_PORT", "MONITOR_PORT")}
    start = asyncio.create_subprocess_exec
    engine = await start(script, *json.loads(only("CMD")), env=own, cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
    page = await start(python, "-m", "governance.samples.weathermap", "weathermapweb", env=own, cwd=tmp_path)

    async def page_is_there() -> bool:
        return (await run_health(f"http://127.0.0.1:{page_port}/", python=python)) == (0, "")

    try:
        assert engine.stdout is not None
        async with asyncio.timeout(60):
            assert (await engine.stdout.readline()).startswith(b"waggle ready")
        assert await run_health(python=python, WAGGLE_PORT=str(port)) == (0, "")
        assert await run_health(f"http://127.0.0.1:{port}/console", python=python) == (0, "")
        await eventually(page_is_there)
    finally:
        for process in (engine, page):
            process.terminate()
            await process.communicate()
    assert engine.returncode == 0
