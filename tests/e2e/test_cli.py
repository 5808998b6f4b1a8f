"""The command against a real engine: it starts, is looked at, and stops."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine import Client, client_of, eventually, running_engine

_COMMAND = (sys.executable, "-m", "registry.cli")


@contextlib.asynccontextmanager
async def _running(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = await asyncio.create_subprocess_exec(*_COMMAND, *words, stdout=pipe, stderr=pipe, env=environment)
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        process._transport.close()  # type: ignore[attr-defined]


async def _output(*words: str) -> tuple[int, str, str]:
    async with _running(*words) as process:
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


async def _line(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    return (await stream.readline()).decode()


async def test_serve_says_that_it_is_ready_and_stops_on_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SC_INIT_ROOT_PASSWORD", "Complicated1!")
    ports = ("--port", "0", "--kie-port", "0", "--config-port", "0", "--monitor-port", "0")
    async with _running("serve", *ports, "--data-dir", str(tmp_path / "data")) as process:
        ready = (await _line(process.stdout)).split()
        assert ready[:2] == ["waggle", "ready"]
        assert len(ready) == 3, "the extra ports are off"
        async with client_of(ready[2]) as client:
            await client.call("GET", "/health", expect=200)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert await process.stdout.read() == b"", "the ready line is all that standard output gets"
        assert await process.wait() == 0


async def test_serve_says_why_it_cannot_start(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "first") as engine:
        ports = ("--kie-port", "0", "--config-port", "0", "--monitor-port", "0", "--data-dir", str(tmp_path / "second"))
        status, out, err = await _output("serve", "--port", str(engine.port), *ports)
    assert (status, out) == (1, "")
    assert "address already in use" in err
    assert "Traceback" not in err


async def test_services_and_instances_show_what_is_registered(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
        service = await client.service("cart", appId="shop", version="1.2.0")
        other = await client.service("cart", appId="shop", version="1.3.0")
        first = await client.instance(service, properties={"lane": "blue"}, hostName="alpha")
        second = await client.instance(other, endpoints=["rest://10.0.0.9:1"])
        look = ("--engine", engine.url)
        status, out, err = await _output("services", "--json", "--app", "shop", *look)
        assert (status, err) == (0, "")
        found = {row["microService"]["version"]: len(row["instances"]) for row in json.loads(out)}
        assert found == {"1.2.0": 1, "1.3.0": 1}
        status, out, err = await _output("services", *look)
        assert "cart" in out
        assert "SERVICECENTER" in out
        status, out, err = await _output("instances", "cart", *look)
        assert (status, err) == (0, "")
        for shown in (first, second, "1.2.0", "1.3.0", "UP", "lane: blue", "alpha", "rest://10.0.0.9:1"):
            assert shown in out
        status, out, _ = await _output("instances", "cart", "--json", *look)
        assert [row["instanceId"] for row in json.loads(out)] == [first, second]


async def test_another_tenant_sees_nothing(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
        await client.instance(await client.service("cart"))
        assert (await _output("instances", "cart", "--engine", engine.url))[0] == 0
        status, _, err = await _output("instances", "cart", "--domain", "acme", "--engine", engine.url)
        assert status == 1
        assert "no service 'cart' is registered in acme/default" in err


async def test_a_refusal_of_the_engine_is_shown(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data", stream_max=1) as engine, client_of(engine.url) as client:
        async with client.session.get(f"{engine.url}/waggle/v1/events") as first:
            assert first.status == 200, "this stream holds the only place"
            status, _, err = await _output("watch", "--engine", engine.url)
        assert status == 1
        assert "the engine refused: 400100 Not enough quota" in err


async def test_watch_follows_an_engine_over_its_restart(tmp_path: Path) -> None:
    async with (
        running_engine(tmp_path / "data") as engine,
        client_of(engine.url) as client,
        _running("watch", "cart", "--json", "--engine", engine.url) as process,
    ):
        service = await client.service("cart")
        await eventually(lambda: _has_streams(client, 1))
        first = await client.instance(service)
        assert await _told_of(process) == first
        await engine.kill()
        assert "the engine is away" in await _line(process.stderr)
        await engine.start()
        assert "the engine is back" in await _line(process.stderr)
        second = await client.instance(service)
        assert await _told_of(process) == second
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130


async def _has_streams(client: Client, number: int) -> bool:
    async with client.session.get(f"{client.url}/metrics") as answer:
        return f"waggle_event_streams {number}.0" in await answer.text()


async def _told_of(process: asyncio.subprocess.Process) -> str:
    """The instance that the next line on standard output says was created."""
    event = json.loads(await _line(process.stdout))
    while event["kind"] != "instance":
        event = json.loads(await _line(process.stdout))
    assert event["action"] == "CREATE"
    return str(event["instance"]["instanceId"])
