"""The file of the SQLite journal: made, checked and brought to the current format before the journal uses it.

A file that is not right is refused without a byte of it being changed: it is looked at through a connection that cannot write. A new one is
made beside its place and moved there when it is whole, so that a crash or a full disk in the midst leaves nothing that a later start would
have to refuse. Everything here blocks; call it on a thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from registry.storage.port import JournalError
from registry.storage.wal import unreachable_commits

APPLICATION_ID = 0x57414747
"""`WAGG`: marks the file as the engine's own."""

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE event (
        revision INTEGER PRIMARY KEY,
        replaces INTEGER NOT NULL,
        key TEXT NOT NULL,
        body BLOB,
        at INTEGER NOT NULL
    );
    CREATE TABLE compaction (through INTEGER NOT NULL);
    INSERT INTO compaction VALUES (0);
    """,
    """
    ALTER TABLE event ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE event SET checksum = event_checksum(revision, replaces, key, body, at);
    """,
    """
    ALTER TABLE event ADD COLUMN author TEXT NOT NULL DEFAULT '';
    CREATE INDEX history ON event (key, revision) WHERE key GLOB 'config/*' OR key GLOB 'release/*';
    """,
    """
    DROP INDEX history;
    CREATE INDEX history ON event (key, revision)
    WHERE key GLOB 'config/*' OR key GLOB 'release/*' OR key GLOB 'alarm-rule/*';
    """,
)
"""Step n brings a file from version n to n + 1; `user_version` says how many it has had. Steps are only ever added."""

RESTORE = "restore a backup of the whole data folder, or move its files away to start empty"

_MAGIC = b"SQLite format 3\0"
_CHECKED_WHOLE = 64 * 2**20


def event_checksum(revision: int, replaces: int, key: str, body: bytes | None, at: int, author: str = "") -> int:
    """What is stored beside an event to tell a flipped bit in it, which SQLite would not see."""
    facts = f"{revision} {replaces} {at} {'-' if body is None else len(body)} {key}" + (f"\n{author}" if author else "")
    return zlib.crc32(body or b"", zlib.crc32(facts.encode()))


def make_ready(file: Path) -> None:
    """Check and migrate the file, or make it where there is none. Raises `JournalError`, `sqlite3.Error`, `OSError`."""
    log = file.with_name(file.name + "-wal")
    unclean = log.exists() and log.stat().st_size > 0
    if not file.exists():
        if unclean:
            raise JournalError(f"{file} is missing but its log {log.name} is there; {RESTORE}")
        _create(file)
        return
    _check_head(file)
    with _opened(file, "mode=ro" if unclean else "mode=ro&immutable=1") as database:
        _check_owner(file, database)
        # The whole file is read through only where that is quick, or where a crash makes a torn page likely.
        if unclean or file.stat().st_size <= _CHECKED_WHOLE:
            _check_pages(file, database)
        if unclean:
            _check_log(file, log)
    with _opened(file, "mode=rw") as database:
        _migrate(database)


def _create(file: Path) -> None:
    new = file.with_name(file.name + ".new")
    for leftover in (new, new.with_name(new.name + "-journal")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with _opened(new, "mode=rw") as database:
        _migrate(database)
    new.rename(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_head(file: Path) -> None:
    """SQLite would make a new database of an empty file."""
    with file.open("rb") as opened:
        head = opened.read(len(_MAGIC))
    if head != _MAGIC:
        what = "is empty" if head == b"" else "is no SQLite file"
        raise JournalError(f"{file} {what}; nothing was changed: {RESTORE}")


def _check_owner(file: Path, database: sqlite3.Connection) -> None:
    if _value(database, "PRAGMA application_id") != APPLICATION_ID:
        raise JournalError(f"{file} was not written by waggle; nothing was changed: give --data-dir another folder")
    version = _value(database, "PRAGMA user_version")
    if version > len(MIGRATIONS):
        raise JournalError(
            f"{file} has format {version}, this waggle knows {len(MIGRATIONS)}: it was written by a newer version; "
            "nothing was changed: run that version, or restore a backup made by this one"
        )


def _check_pages(file: Path, database: sqlite3.Connection) -> None:
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise JournalError(f"{file} is corrupt ({found}); nothing was changed: {RESTORE}")


def _check_log(file: Path, log: Path) -> None:
    lost = unreachable_commits(log, file.with_name(file.name + "-shm"))
    if lost:
        raise JournalError(
            f"{log} is damaged: {lost} commits in it can no longer be read; nothing was changed: {RESTORE}, "
            f"or give them up by: sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'"
        )


def _migrate(database: sqlite3.Connection) -> None:
    database.create_function("event_checksum", 5, event_checksum, deterministic=True)
    version = _value(database, "PRAGMA user_version")
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        stamp = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number};"
        database.executescript(f"BEGIN IMMEDIATE; {step} {stamp} COMMIT;")


def _value(database: sqlite3.Connection, pragma: str) -> int:
    value: int = database.execute(pragma).fetchone()[0]
    return value


@contextlib.contextmanager
def _opened(file: Path, mode: str) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(f"file:{quote(str(file))}?{mode}", uri=True, isolation_level=None)
    try:
        yield database
    finally:
        database.close()
