"""Runs wrk, the load generator that the reference figures were measured with, and refuses what it should not count.

A load is a file of requests that are sent in turn over a few connections by one thread of wrk (`load.lua`). wrk itself counts the
answers of status 400 and above and the failures of its sockets. That a redirect or the like is no answer either is seen by a first,
short run that counts every status; from then on an answer of another size than in that run gives it away.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from benchmarks.sample import LoadFailedError, Sample

CONNECTIONS = 10
NUMBER = b"@@@@@@@@"
"""What stands in a request where a growing number is to be written, of as many digits."""

_SCRIPT = Path(__file__).with_name("load.lua")
_GRACE_SECONDS = 30.0
_SOCKET_FAILURES = ("connect", "read", "write", "timeout")


def missing() -> str:
    """Why there can be no load: wrk is not installed; empty where it is."""
    if shutil.which("wrk"):
        return ""
    return "wrk is not installed, and nothing else here loads a server as the reference was: apt-get install wrk"


async def version() -> str:
    """The version as wrk prints it."""
    text, _ = await _run("wrk", "-v")
    return text.split()[1]


async def check(url: str, requests: Sequence[bytes], seconds: int, connections: int = CONNECTIONS) -> Sample:
    """Run a load and look at the status of every answer. Raises `LoadFailedError`."""
    sample = await _load(url, requests, seconds, connections, "counted")
    bad = {status: times for status, times in sample.statuses.items() if not (status[0] == "2" or status == "304")}
    if bad:
        seen = ", ".join(f"{times} of {status}" for status, times in bad.items())
        raise LoadFailedError(f"answers that are neither 2xx nor 304: {seen}", sum(bad.values()))
    return sample


async def measure(
    url: str, requests: Sequence[bytes], seconds: int, checked: Sample, connections: int = CONNECTIONS
) -> Sample:
    """Run a load that was checked. Raises `LoadFailedError`, also where the answers are no longer of the size they were."""
    sample = await _load(url, requests, seconds, connections)
    unfinished = connections / min(sample.count, checked.count)
    if abs(sample.size / checked.size - 1) > 0.01 + unfinished:
        raise LoadFailedError(f"answers of {sample.size:.0f} bytes, where {checked.size:.0f} are right")
    return sample


async def _load(url: str, requests: Sequence[bytes], seconds: int, connections: int, *how: str) -> Sample:
    with tempfile.TemporaryDirectory(prefix="waggle-benchmark-") as folder:
        file = Path(folder, "requests")
        _write(file, requests)
        command = ("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(_SCRIPT), url)
        async with asyncio.timeout(seconds + _GRACE_SECONDS):
            text, status = await _run(*command, "--", str(file), NUMBER.decode(), *how)
    line = text.rstrip().rpartition("\n")[2]
    if status or not line.startswith("{"):
        raise LoadFailedError(f"wrk ended with status {status}: {text.strip()[-500:] or 'no output'}")
    return _sample(orjson.loads(line))


def _write(file: Path, requests: Sequence[bytes]) -> None:
    file.write_bytes(b"".join(b"%d\n%s" % (len(request), request) for request in requests))


def _sample(told: Mapping[str, int]) -> Sample:
    failures = {name: told[name] for name in (*_SOCKET_FAILURES, "refused") if told[name]}
    if failures:
        seen = ", ".join(f"{times} of {_failure(name)}" for name, times in failures.items())
        raise LoadFailedError(f"{seen}, among {told['count']} answers", sum(failures.values()))
    if not told["count"]:
        raise LoadFailedError("not one answer")
    facts = {name: told[name] for name in ("count", "seconds", "p50_ms", "p99_ms", "statuses")}
    return Sample(**facts, size=told["bytes"] / told["count"])  # type: ignore[arg-type]


def _failure(name: str) -> str:
    return "status 400 or above" if name == "refused" else f"socket failure ({name})"


async def _run(*command: str) -> tuple[str, int]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode(errors="replace"), process.returncode or 0
