"""Two ways to run an engine out of room: a small file system, or a bound on the size of its files."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

from tests.engine import EngineProcess, running_engine


class Disk(Protocol):
    """Where an engine keeps its data. It fills up and gets room again on demand."""

    def engine(self, **settings: object) -> contextlib.AbstractAsyncContextManager[EngineProcess]:
        """A started engine on the disk."""

    def fill(self, engine: EngineProcess) -> None:
        """Leave no room."""

    def empty(self, engine: EngineProcess) -> None:
        """Give room again."""


class SmallFileSystem:
    """A tmpfs of two megabytes, which a file beside the data fills. The engine's log is on it as well, as it often is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.asynccontextmanager
    async def engine(self, **settings: object) -> AsyncIterator[EngineProcess]:
        """A started engine on the disk."""
        async with running_engine(self._folder / "data", **settings) as engine:
            yield engine

    def fill(self, engine: EngineProcess) -> None:
        """Write until there is no more room."""
        filler = os.open(self._folder / "filler", os.O_CREAT | os.O_WRONLY)
        try:
            for size in (65536, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(filler, bytes(size))
        finally:
            os.close(filler)

    def empty(self, engine: EngineProcess) -> None:
        """Remove what filled it."""
        (self._folder / "filler").unlink()


class BoundedFiles:
    """RLIMIT_FSIZE of the engine's process: a write beyond it fails, as it does where there is no room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.asynccontextmanager
    async def engine(self, **settings: object) -> AsyncIterator[EngineProcess]:
        """A started engine."""
        async with running_engine(self._folder / "data", **settings) as engine:
            yield engine

    def fill(self, engine: EngineProcess) -> None:
        """Let files grow no further than the journal's log has."""
        size = (engine.data_dir / "waggle.db-wal").stat().st_size
        resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def empty(self, engine: EngineProcess) -> None:
        """Let files grow."""
        resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextlib.contextmanager
def small_file_system(folder: Path) -> Iterator[SmallFileSystem | None]:
    """Mount one for the block; nothing where this user may not."""
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    folder.mkdir()
    if mount is None or unmount is None:
        yield None
        return
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=2m", "waggle-test", str(folder)], capture_output=True, check=False
    )
    try:
        yield SmallFileSystem(folder) if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run([unmount, "--lazy", str(folder)], check=True)
