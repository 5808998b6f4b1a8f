"""Processes that belong together: started in order, ended together, whatever happens to the one that started them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shlex
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

_GRACE_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Member:
    """One process: its name, command and additions to the environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Fleet:
    """Runs its members for as long as the block lasts. Each logs to `<folder>/<name>.log`, for nobody else's eyes: the engine says root's
    password once. `ended` is told who ends by itself.
    """

    def __init__(self, folder: Path, members: Sequence[Member], ended: Callable[[str], None]) -> None:
        self._folder = folder
        self._members = members
        self._ended = ended
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._waits: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Fleet:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            for member in self._members:
                self._running[member.name] = await self._start(member)
                self._waits[member.name] = asyncio.create_task(self._wait_for(member.name))
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    def obituary(self, name: str) -> str:
        """What to say of a process that ended by itself."""
        log = self._log(name)
        last = "\n".join(log.read_text(errors="replace").splitlines()[-3:]) if log.exists() else ""
        return f"{name} has ended with status {self._running[name].returncode}; the end of {log}:\n{last}"

    def revival(self, name: str) -> str:
        """The command line that starts a process again."""
        member = next(member for member in self._members if member.name == name)
        additions = [f"{key}={shlex.quote(value)}" for key, value in member.environment.items()]
        return " ".join([*(["env", *additions] if additions else []), shlex.join(member.command)])

    async def _wait_for(self, name: str) -> None:
        await self._running[name].wait()
        self._ended(name)

    async def _start(self, member: Member) -> asyncio.subprocess.Process:
        self._log(member.name).touch(mode=0o600)
        with self._log(member.name).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *member.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **member.environment},
                start_new_session=True,
                preexec_fn=_dying_with(os.getpid()),
            )

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    async def _end(self) -> None:
        """Ask all to end, the last started first; whoever does not in time is killed with its children."""
        for process in reversed(self._running.values()):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        if self._waits:
            await asyncio.wait(self._waits.values(), timeout=_GRACE_SECONDS)
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if self._waits:
            await asyncio.wait(self._waits.values())


def _dying_with(parent: int) -> Callable[[], None]:
    """What lets Linux end a child when the demo is killed outright. It runs in the child, before its command."""

    def arrange() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)

    return arrange
