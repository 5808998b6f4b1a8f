"""The journal in one SQLite file, `waggle.db` in the data folder. See docs/decisions/001-journal.md.

WAL with `synchronous=FULL`: a commit is on the disk when it returns. An append is one INSERT of many rows, which is one transaction and one
trip to aiosqlite's thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import aiosqlite

from registry.storage.lock import FolderLock
from registry.storage.port import HISTORY_KEPT, Event, JournalError
from registry.storage.sqlite_file import RESTORE, event_checksum, make_ready

_ROWS_A_STATEMENT = 2000
_ROWS_A_READ = 5000
_COLUMNS = "revision, replaces, key, body, at, author, checksum"
_TYPES = frozenset((int, int, str, body, int, str) for body in (bytes, type(None)))
_IS_HISTORIC = "(key GLOB 'config/*' OR key GLOB 'release/*' OR key GLOB 'alarm-rule/*')"
"""Word for word the condition of the index `history`, without which SQLite would not use it."""
_COMPACT = f"""
DELETE FROM event WHERE NOT {_IS_HISTORIC} AND (
    revision IN (SELECT replaces FROM event WHERE revision > :done AND revision <= :through)
    OR (revision > :done AND revision <= :through AND body IS NULL)
)
"""  # noqa: S608  constants only
_OF_THE_KEY = (
    f"FROM (SELECT key, revision, body FROM event WHERE {_IS_HISTORIC}) AS newer "  # noqa: S608  constants only
    "WHERE newer.key = event.key ORDER BY newer.revision DESC LIMIT 1"
)
_TRIM = f"""
DELETE FROM event WHERE {_IS_HISTORIC} AND revision <= :through
AND key IN (SELECT key FROM event WHERE revision > :done AND revision <= :through)
AND (
    revision <= coalesce((SELECT newer.revision {_OF_THE_KEY} OFFSET :kept), 0)
    OR (SELECT newer.body IS NULL AND newer.revision <= :through {_OF_THE_KEY})
)
"""  # noqa: S608  constants only
"""Of the keys that were written since the last time: all but the newest events, and all of a key that was deleted."""
_OUTSIDE_THE_FILE = frozenset(
    (
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    )
)
_PROBE = """
BEGIN IMMEDIATE;
DROP TABLE IF EXISTS probe;
CREATE TABLE probe AS SELECT zeroblob(65536) AS room;
COMMIT;
DROP TABLE probe;
"""
"""Takes more room than a usual commit does, so that a store which has little is not called well again and again."""


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
            await asyncio.to_thread(make_ready, self._file)
            self._database = await aiosqlite.connect(self._file, isolation_level=None)
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=1000", "cache_size=-16000"):
                await self._fetch(f"PRAGMA {pragma}")
        except BaseException as error:
            await self.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise JournalError(f"{self._file} cannot be opened: {error}; {_advice(error)}") from error
            raise

    async def read(self, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """Yield the events newer than a revision, some thousands at a time."""
        sql = f"SELECT {_COLUMNS} FROM event WHERE revision > ? ORDER BY revision LIMIT ?"  # noqa: S608  constants only
        while True:
            events = await self._select(sql, (after, _ROWS_A_READ))
            if not events:
                return
            yield events
            after = events[-1].revision

    async def history(self, key: str, most: int) -> Sequence[Event]:
        """The newest events of one key."""
        sql = f"SELECT {_COLUMNS} FROM event WHERE {_IS_HISTORIC} AND key = ? ORDER BY revision DESC LIMIT ?"  # noqa: S608
        return await self._select(sql, (key, most))

    async def recent(self, before: int, most: int) -> Sequence[Event]:
        """The newest events below a revision."""
        sql = f"SELECT {_COLUMNS} FROM event WHERE revision < ? ORDER BY revision DESC LIMIT ?"  # noqa: S608
        return await self._select(sql, (before, most))

    async def _select(self, sql: str, parameters: Sequence[object]) -> Sequence[Event]:
        try:
            rows = await self._fetch(sql, parameters)
        except sqlite3.Error as error:
            raise JournalError(f"{self._file} cannot be read: {error}; {_advice(error)}") from error
        return [self._event(row) for row in rows]

    def _event(self, row: sqlite3.Row) -> Event:
        *facts, stored = row
        if not _is_as_stored(facts, stored):
            raise JournalError(f"{self._file} is corrupt (event {row[0]} of {row[2]!r} was altered); {RESTORE}")
        return Event(*facts)

    async def append(self, events: Sequence[Event]) -> None:
        """Store the events in one transaction."""
        try:
            await self._leave_transaction()
            if len(events) <= _ROWS_A_STATEMENT:
                await self._insert(events)
            else:
                await self._insert_many(events)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{self._file} cannot be written: {error}") from error

    async def _insert(self, events: Sequence[Event]) -> None:
        rows = ",".join(["(?,?,?,?,?,?,?)"] * len(events))
        values = chain.from_iterable(_row(event) for event in events)
        await self._fetch(f"INSERT INTO event ({_COLUMNS}) VALUES {rows}", tuple(values))  # noqa: S608  constants only

    async def _insert_many(self, events: Sequence[Event]) -> None:
        await self._fetch("BEGIN IMMEDIATE")
        try:
            for start in range(0, len(events), _ROWS_A_STATEMENT):
                await self._insert(events[start : start + _ROWS_A_STATEMENT])
            await self._fetch("COMMIT")
        except BaseException:
            await self._leave_transaction()
            raise

    async def _leave_transaction(self) -> None:
        """One that failed may be open still; what is written next must not become part of it."""
        if self._use().in_transaction:
            await self._fetch("ROLLBACK")

    async def probe(self) -> None:
        """Write something of a usual commit's size and take it out again."""
        try:
            await self._leave_transaction()
            await self._use().executescript(_PROBE)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{self._file} cannot be written: {error}") from error

    async def compact(self, through: int) -> int:
        """Drop what is superseded up to a revision. Work grows with what was appended since the last time, not with the file."""
        try:
            done = (await self._fetch("SELECT through FROM compaction"))[0][0]
            if through <= done:
                return 0
            facts = {"done": done, "through": through, "kept": HISTORY_KEPT}
            deleted = [await self._use().execute(sql, facts) for sql in (_COMPACT, _TRIM)]
            await self._fetch("UPDATE compaction SET through = ?", (through,))
        except sqlite3.Error as error:
            raise JournalError(f"{self._file} cannot be compacted: {error}") from error
        return sum(cursor.rowcount for cursor in deleted)

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


def _advice(error: Exception) -> str:
    if isinstance(error, OSError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _OUTSIDE_THE_FILE:
        return "see whether the disk has room and this user may write to the data folder"
    return RESTORE


def _is_as_stored(facts: list[Any], checksum: int) -> bool:
    """Whether nothing was altered, the types included: a flipped bit can make a number or bytes of a text."""
    return tuple(map(type, facts)) in _TYPES and event_checksum(*facts) == checksum


def _row(event: Event) -> tuple[object, ...]:
    facts = (event.revision, event.replaces, event.key, event.body, event.at, event.author)
    return *facts, event_checksum(*facts)


def _files(file: Path) -> Iterable[Path]:
    return file, file.with_name("waggle.db-wal")
