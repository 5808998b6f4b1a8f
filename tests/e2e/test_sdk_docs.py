"""The programs of docs/sdk.md run as they are printed there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.engine import ROOT, EngineProcess, client_of, eventually

_PAGE = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")


def _program(name: str, folder: Path, port: int) -> Path:
    found = re.search(rf"^```python\n# {re.escape(name)}\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/sdk.md has no program {name}"
    path = folder / name
    path.write_text(found[1].replace("8080", str(port)), encoding="utf-8")
    return path


@contextlib.asynccontextmanager
async def _running(program: Path, engine: EngineProcess) -> AsyncIterator[asyncio.subprocess.Process]:
    folder = str(program.parent / "configuration")
    engine_and_folder = {"PAAS_CSE_SC_ENDPOINT": engine.url, "WAGGLE_CONFIG_CACHE": folder}
    environ = {**os.environ, **engine_and_folder, "PYTHONPATH": str(ROOT)}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, stdout=pipe, cwd=program.parent, env=environ
    )
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
        process._transport.close()  # type: ignore[attr-defined]


async def test_the_tutorials_services_find_each_other_and_leave(engine: EngineProcess, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    greeter, caller = _program("greeter.py", tmp_path, port), _program("caller.py", tmp_path, port)
    async with client_of(engine.url) as client, _running(greeter, engine) as serving:
        assert serving.stdout is not None
        assert (await serving.stdout.readline()).startswith(b"registered as ")
        async with _running(caller, engine) as calling:
            said, _ = await calling.communicate()
        assert (calling.returncode, said.decode()) == (0, "200 {'hello': 'you'}\n")
        serving.send_signal(signal.SIGTERM)
        assert await serving.wait() == 0
        assert await client.find("greeter", app="tutorial") == []
        async with _running(caller, engine) as calling:
            said, _ = await calling.communicate()
        assert said.decode() == "no instance of greeter: the engine knows none\n"


async def test_a_service_under_uvicorn_answers_until_its_callers_know(engine: EngineProcess, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    program = _program("asgi_greeter.py", tmp_path, port)
    async with client_of(engine.url) as client, _running(program, engine) as serving:
        assert serving.stdout is not None
        assert (await serving.stdout.readline()).startswith(b"registered as ")

        async def hello() -> int:
            async with client.session.get(f"http://127.0.0.1:{port}/hello") as answer:
                return answer.status

        async def down() -> bool:
            return [one["status"] for one in await client.find("greeter", app="tutorial")] == ["DOWN"]

        assert await hello() == 200
        serving.send_signal(signal.SIGTERM)
        await eventually(down)
        assert await hello() == 200, "for those who do not know it yet"
        assert await serving.wait() == 0
        assert await client.find("greeter", app="tutorial") == []


def test_every_event_that_is_logged_is_documented() -> None:
    rooms = ("sdk", "invocation", "routing", "resilience")
    sources = [
        path.read_text(encoding="utf-8") for room in rooms for path in (ROOT / "governance" / room).rglob("*.py")
    ]
    logged = {event for text in sources for event in re.findall(r'log\.\w+\(\s*"([\w.]+)"', text)}
    assert len(logged) > 5
    assert {event for event in logged if f"`{event}`" not in _PAGE} == set()
