"""docker/compose.yaml: the whole weathermap, each service started with what its command knows."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from governance.samples.weathermap.__main__ import SAMPLES
from governance.samples.weathermap.__main__ import app as weathermap
from tests.dockerfile import DOCKER, free_port, only, run_health
from tests.engine import ROOT, client_of, eventually, running_engine

COMPOSE = YAML(typ="safe", pure=True).load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Mapping[str, object]] = COMPOSE["services"]
SAMPLE_NAMES = [name for name in SERVICES if name != "engine"]
OWN_PORTS = {name: sample.port for name, sample in SAMPLES.items()} | {"weathermapweb": 3000}
MODULE = "governance.samples.weathermap"


def _words(service: str, member: str) -> list[str]:
    """A member of a service that is a list."""
    value = SERVICES[service].get(member, [])
    assert isinstance(value, list)
    return value


def _program(service: str) -> str:
    return _words(service, "command")[0]


def _environment(service: str) -> dict[str, str]:
    value = SERVICES[service].get("environment", {})
    assert isinstance(value, dict)
    return value


def test_the_whole_weathermap_is_there() -> None:
    usual = sorted(_program(name) for name in SAMPLE_NAMES if not _words(name, "profiles"))
    assert usual == sorted(["weather", "weather", "forecast", "fusionweather", "edge-service", "weathermapweb"])
    assert [_program(name) for name in SAMPLE_NAMES if _words(name, "profiles") == ["beta"]] == ["weather-beta"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_the_image_and_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["image"] == "waggle"
    build = service["build"]
    assert isinstance(build, dict)
    assert (DOCKER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_for_this_machine_only(name: str) -> None:
    own = only("EXPOSE").split() if name == "engine" else [str(OWN_PORTS[_program(name)])]
    for port in _words(name, "ports"):
        host, outside, inside = port.split(":")
        assert host == "127.0.0.1", "there is no access control yet"
        assert outside == inside
        assert inside in own


def test_what_a_person_opens_is_published() -> None:
    published = {port for name in SERVICES for port in _words(name, "ports")}
    assert {f"127.0.0.1:{port}:{port}" for port in (30100, 3010, 3000)} <= published


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_a_sample_is_started_with_what_its_command_knows(name: str) -> None:
    assert _words(name, "entrypoint") == ["python", "-m", MODULE]
    program, *options = _words(name, "command")
    get_command(weathermap).commands[program].make_context(program, options)  # type: ignore[attr-defined]
    assert _words(name, "depends_on") == ["engine"]
    health = SERVICES[name]["healthcheck"]
    assert isinstance(health, dict)
    check = json.loads(only("HEALTHCHECK").partition(" CMD ")[2])
    assert health["test"] == ["CMD", *check, f"http://127.0.0.1:{OWN_PORTS[program]}/health"]


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_a_sample_is_found_under_its_own_name(name: str) -> None:
    environment = _environment(name)
    assert environment["PAAS_CSE_SC_ENDPOINT"] == f"http://engine:{only('EXPOSE').split()[0]}"
    assert environment["HOST"] == "0.0.0.0"  # noqa: S104  what the file says
    if name == "weathermapweb":
        host, _, port = environment["SERVICE_ADDR"].partition(":")
        assert int(port) == OWN_PORTS[_program(host)]
    else:
        assert _words(name, "command")[1:] == ["--advertise", name]


def test_variables_of_the_compose_file_are_read_by_the_code() -> None:
    source = "".join(module.read_text(encoding="utf-8") for module in (ROOT / "governance").rglob("*.py"))
    names = {variable for name in SAMPLE_NAMES for variable in _environment(name)}
    assert len(names) > 2
    assert {variable for variable in names if f'"{variable}"' not in source} == set()


def test_data_outlives_the_engine() -> None:
    assert _words("engine", "volumes") == [f"data:{only('VOLUME')}"]
    assert "data" in COMPOSE["volumes"]


async def test_a_sample_registers_as_it_is_started(tmp_path: Path) -> None:
    """With its own command and variables, but for the addresses of this machine."""
    port = free_port()
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
        here = {
            "PAAS_CSE_SC_ENDPOINT": engine.url,
            "PORT": str(port),
            "HOST": "127.0.0.1",
            "SERVICECOMB_METRICS_PROMETHEUS_ADDRESS": "127.0.0.1:0",
        }
        with (tmp_path / "weather.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *_words("weather-2", "entrypoint")[1:],
                *_words("weather-2", "command"),
                env={**os.environ, **_environment("weather-2"), **here},
                cwd=ROOT,
                stderr=log,
            )

        async def registered() -> bool:
            _, found, _ = await client.call(
                "GET", "/v4/default/govern/microservices?options=instances&appId=weathermap"
            )
            return f"rest://weather-2:{port}" in json.dumps(found)

        try:
            await eventually(registered)
            assert await run_health(f"http://127.0.0.1:{port}/health") == (0, "")
        finally:
            process.terminate()
            await process.communicate()
