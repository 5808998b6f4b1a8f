"""The journal in one SQLite file, `waggle.db` in the data folder. See docs/decisions/001-journal.md.

WAL with `synchronous=FULL`: a commit is on the disk when it returns. An append is one INSERT of many rows, which is one transaction and one
trip to aiosqlite's thread. The file is migrated by the numbered steps of `MIGRATIONS`; `user_version` says how many it has had.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import chain
from pathlib import Path

import aiosqlite

from registry.storage.lock import FolderLock
from registry.storage.port import Event, JournalError

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
)
"""Step n brings a file from version n to n + 1. Steps are only ever added."""

_MAGIC = b"SQLite format 3\0"
_ROWS_A_STATEMENT = 2000
_ROWS_A_READ = 5000
_CHECKED_WHOLE = 64 * 2**20
_RESTORE = "restore a backup of the data folder, or move the file away to start empty"


class SqliteJournal:
    """The embedded store. Every failure of SQLite or the file system comes out as `JournalError`."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = Path(data_dir)
        self._file = self._folder / "waggle.db"
        self._lock = FolderLock(self._folder / "waggle.lock")
        self._database: aiosqlite.Connection | None = None

    async def open(self) -> None:
        """Take the folder, check the file, migrate it."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.take()
        except OSError as error:
            raise JournalError(f"the data folder {self._folder} cannot be used: {error}") from error
        try:
            unclean = self._inspect()
            await self._connect()
            await self._check(unclean=unclean)
            await self._migrate()
        except BaseException as error:
            await self.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise JournalError(f"{self._file} cannot be opened: {error}; {_RESTORE}") from error
            raise

    def _inspect(self) -> bool:
        """Look at the file before SQLite does, which would make a new one of nothing. Return whether it was left uncleanly."""
        log = self._file.with_name("waggle.db-wal")
        if not self._file.exists():
            if log.exists() and log.stat().st_size:
                raise JournalError(f"{self._file} is missing but its log {log.name} is there; {_RESTORE}")
            os.close(os.open(self._file, os.O_CREAT | os.O_WRONLY, 0o600))
            return False
        unclean = log.exists() and log.stat().st_size > 0
        with self._file.open("rb") as file:
            head = file.read(len(_MAGIC))
        if head != _MAGIC and not (head == b"" and unclean):
            what = "is empty" if head == b"" else "is no SQLite file"
            raise JournalError(f"{self._file} {what}; nothing was changed: {_RESTORE}")
        return unclean

    async def _connect(self) -> None:
        self._database = await aiosqlite.connect(self._file, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=1000", "cache_size=-16000"):
            await self._fetch(f"PRAGMA {pragma}")

    async def _check(self, *, unclean: bool) -> None:
        version = (await self._fetch("PRAGMA user_version"))[0][0]
        application = (await self._fetch("PRAGMA application_id"))[0][0]
        tables = (await self._fetch("SELECT count(*) FROM sqlite_schema"))[0][0]
        if application != APPLICATION_ID and (tables or version or application):
            raise JournalError(f"{self._file} was not written by waggle; give --data-dir another folder")
        if version > len(MIGRATIONS):
            raise JournalError(
                f"{self._file} has format {version}, this waggle knows {len(MIGRATIONS)}: it was written by a newer version; "
                "run that version, or restore a backup made by this one"
            )
        # The whole file is read through only where that is quick, or where a crash makes a torn page likely.
        if unclean or self._file.stat().st_size <= _CHECKED_WHOLE:
            found = (await self._fetch("PRAGMA quick_check(1)"))[0][0]
            if found != "ok":
                raise JournalError(f"{self._file} is corrupt ({found}); nothing was changed: {_RESTORE}")

    async def _migrate(self) -> None:
        version = (await self._fetch("PRAGMA user_version"))[0][0]
        for number, step in enumerate(MIGRATIONS[version:], version + 1):
            stamp = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number};"
            await self._use().executescript(f"BEGIN IMMEDIATE; {step} {stamp} COMMIT;")

    async def read(self, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """Yield the events newer than a revision, some thousands at a time."""
        sql = "SELECT revision, replaces, key, body, at FROM event WHERE revision > ? ORDER BY revision LIMIT ?"
        while True:
            try:
                rows = await self._fetch(sql, (after, _ROWS_A_READ))
            except sqlite3.Error as error:
                raise JournalError(f"{self._file} cannot be read: {error}; {_RESTORE}") from error
            if not rows:
                return
            yield [Event(*row) for row in rows]
            after = rows[-1][0]

    async def append(self, events: Sequence[Event]) -> None:
        """Store the events in one transaction."""
        try:
            if len(events) <= _ROWS_A_STATEMENT:
                await self._insert(events)
            else:
                await self._insert_many(events)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{self._file} cannot be written: {error}") from error

    async def _insert(self, events: Sequence[Event]) -> None:
        rows = ",".join(["(?,?,?,?,?)"] * len(events))
        values = chain.from_iterable((e.revision, e.replaces, e.key, e.body, e.at) for e in events)
        await self._fetch(f"INSERT INTO event VALUES {rows}", tuple(values))  # noqa: S608  question marks only

    async def _insert_many(self, events: Sequence[Event]) -> None:
        await self._fetch("BEGIN IMMEDIATE")
        try:
            for start in range(0, len(events), _ROWS_A_STATEMENT):
                await self._insert(events[start : start + _ROWS_A_STATEMENT])
            await self._fetch("COMMIT")
        except BaseException:
            if self._use().in_transaction:
                await self._fetch("ROLLBACK")
            raise

    async def compact(self, through: int) -> int:
        """Drop what is superseded up to a revision. Work grows with what was appended since the last time, not with the file."""
        try:
            done = (await self._fetch("SELECT through FROM compaction"))[0][0]
            if through <= done:
                return 0
            spent = "SELECT replaces FROM event WHERE revision > :done AND revision <= :through"
            gone = "revision > :done AND revision <= :through AND body IS NULL"
            deleted = await self._use().execute(
                f"DELETE FROM event WHERE revision IN ({spent}) OR ({gone})",  # noqa: S608  constants only
                {"done": done, "through": through},
            )
            await self._fetch("UPDATE compaction SET through = ?", (through,))
        except sqlite3.Error as error:
            raise JournalError(f"{self._file} cannot be compacted: {error}") from error
        return deleted.rowcount

    async def size(self) -> int:
        """Bytes of the file and its log."""
        return sum(path.stat().st_size for path in _files(self._file) if path.exists())

    async def close(self) -> None:
        """Close the file and let go of the folder."""
        database, self._database = self._database, None
        try:
            if database is not None:
                await database.close()
        except sqlite3.Error as error:
            raise JournalError(f"{self._file} could not be closed: {error}") from error
        finally:
            self._lock.release()

    async def _fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[sqlite3.Row]:
        return list(await self._use().execute_fetchall(sql, parameters))

    def _use(self) -> aiosqlite.Connection:
        if self._database is None:
            raise JournalError(f"{self._file} is closed")
        return self._database


def _files(file: Path) -> Iterable[Path]:
    return file, file.with_name("waggle.db-wal")
