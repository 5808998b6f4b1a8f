"""Stores of the journal: SQLite in the data folder, or memory for tests. The port is `registry.storage.port`."""

from collections.abc import Callable, Mapping
from pathlib import Path

from registry.storage.memory import MemoryJournal
from registry.storage.port import Journal, JournalError
from registry.storage.sqlite import SqliteJournal

ADAPTERS: Mapping[str, Callable[[Path], Journal]] = {
    "sqlite": SqliteJournal,
    "memory": lambda _data_dir: MemoryJournal(),
}


def open_journal(storage: str, data_dir: Path) -> Journal:
    """The journal of an adapter's name, not yet opened. Raises `JournalError` for a name that is none."""
    if storage not in ADAPTERS:
        raise JournalError(f"storage {storage!r} is unknown; write one of {', '.join(sorted(ADAPTERS))}")
    return ADAPTERS[storage](data_dir)
