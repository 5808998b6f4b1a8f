"""One process at a time on a data folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from registry.storage.port import JournalError


class FolderLock:
    """A lock file that holds the pid of its owner. The kernel lets go of it when the process ends, however that happens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock at once, or raise `JournalError` naming the process that has it."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise JournalError(
                f"the data folder {self._path.parent} is in use by process {owner}; "
                "stop it, or give this one another --data-dir"
            ) from error
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Let go of the lock, if it is held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
