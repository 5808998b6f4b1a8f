"""Building and running the programs on the client libraries, and reading what they print: one line a check, `ok NAME | SAW`."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
JAVA = HERE / "java"
_BUILD_SECONDS = 600


def tool(name: str) -> str:
    """The tool's path, or a skip that says what was not tested."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name.upper()} IS MISSING: its client library was not run against the engine")
    return path


async def java(program: str) -> tuple[str, ...]:
    """The command of one of the Java programs, which are built first where a source has changed."""
    maven, machine = tool("mvn"), tool("java")
    with _alone(JAVA):
        if not _is_built():
            status, output = await run(maven, "-q", "-B", "package", folder=JAVA, seconds=_BUILD_SECONDS)
            assert status == 0, output
    return (machine, "-cp", "target/classes:target/lib/*", f"waggle.{program}")


def _is_built() -> bool:
    """Maven looks for ten seconds before it finds that there is nothing to do."""
    built = JAVA / "target" / "interop-1.jar"
    sources = [JAVA / "pom.xml", *(JAVA / "src").rglob("*.java")]
    return built.exists() and all(source.stat().st_mtime < built.stat().st_mtime for source in sources)


async def go(folder: Path, program: str) -> str:
    """The path of a folder's Go program, which is built first."""
    compiler = tool("go")
    with _alone(folder):
        status, output = await run(
            compiler, "build", "-o", f"bin/{program}", ".", folder=folder, seconds=_BUILD_SECONDS
        )
    assert status == 0, output
    return str(folder / "bin" / program)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Tests in several processes share a folder; one at a time builds in it."""
    # Not a file of it: the compiler locks some itself.
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """A host:port that is taken, and where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


async def run(*command: str, folder: Path, seconds: float) -> tuple[int, str]:
    """Status and output of a program that is ended with the test."""
    return await walk(command, folder, seconds, {})


async def walk(
    command: tuple[str, ...],
    folder: Path,
    seconds: float,
    steps: Mapping[str, Callable[[], Awaitable[object]]],
    environment: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """The same for one that asks by `now WORD` that a step be done, and waits for a line that says it is."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        stdin=PIPE if steps else DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env={**os.environ, **(environment or {})},
    )
    try:
        async with asyncio.timeout(seconds):
            output = await _answered(process, steps)
            return await process.wait(), output
    except BaseException:
        if process.returncode is None:
            process.kill()
        await process.wait()
        raise


async def _answered(process: Process, steps: Mapping[str, Callable[[], Awaitable[object]]]) -> str:
    """All that the program prints, while its wishes are carried out."""
    assert process.stdout is not None
    lines = []
    async for raw in process.stdout:
        line = raw.decode(errors="replace")
        lines.append(line)
        if line.startswith("now "):
            await steps[line.removeprefix("now ").strip()]()
            assert process.stdin is not None
            process.stdin.write(b"done\n")
            await process.stdin.drain()
    return "".join(lines)


def assert_checked(outcome: tuple[int, str], expected: set[str]) -> None:
    """Exactly these checks were made, and all of them passed."""
    status, output = outcome
    lines = [line for line in output.splitlines() if line.startswith(("ok ", "bad "))]
    failed = [line for line in lines if line.startswith("bad ")]
    assert not failed, output
    assert {line.removeprefix("ok ").split(" | ")[0] for line in lines} == expected, output
    assert status == 0, output
