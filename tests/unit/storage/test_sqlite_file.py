"""The SQLite file when something is wrong with it: it says what to do and touches nothing; it never starts empty by itself."""

from __future__ import annotations

import contextlib
import random
import resource
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from registry.storage import open_journal, sqlite_file
from registry.storage.port import Event, JournalError
from registry.storage.sqlite import SqliteJournal
from registry.storage.sqlite_file import APPLICATION_ID, MIGRATIONS
from tests.unit.storage.journals import all_of, history, opened

EVENTS = history(7, 300)


def _content(folder: Path) -> dict[str, bytes]:
    """The files that matter; the lock and the index that SQLite rebuilds are none of them."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock" and "-shm" not in path.name
    }


async def _refusal(folder: Path) -> str:
    """What opening the folder says; its files must stay as they are."""
    before = _content(folder)
    with pytest.raises(JournalError) as refused:
        async with opened(SqliteJournal(folder)) as journal:
            await all_of(journal)
    assert _content(folder) == before
    return str(refused.value)


async def _events(folder: Path) -> list[Event]:
    async with opened(SqliteJournal(folder)) as journal:
        return await all_of(journal)


@pytest.fixture
async def stopped(tmp_path: Path) -> Path:
    """A folder whose engine was stopped in order."""
    folder = tmp_path / "stopped"
    async with opened(SqliteJournal(folder)) as journal:
        await journal.append(EVENTS)
    return folder


@pytest.fixture
async def killed(tmp_path: Path) -> AsyncIterator[Path]:
    """A folder whose engine was killed: ten commits are in the log, the last of which ends it."""
    folder, copy = tmp_path / "running", tmp_path / "killed"
    async with opened(SqliteJournal(folder)) as journal:
        for start in range(0, 300, 30):
            await journal.append(EVENTS[start : start + 30])
        shutil.copytree(folder, copy)
        yield copy


async def test_a_killed_engines_folder_opens_with_everything(killed: Path) -> None:
    assert (killed / "waggle.db-wal").stat().st_size > 50_000
    assert await _events(killed) == EVENTS


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
async def test_an_older_format_is_brought_up_to_date(version: int, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "waggle.db")
    database.create_function("event_checksum", 5, sqlite_file.event_checksum)
    for step in MIGRATIONS[:version]:
        database.executescript(step)
    database.executescript(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={version};")
    columns = ("revision", "replaces", "key", "body", "at", *(("checksum",) if version > 1 else ()))
    for event in EVENTS:
        facts = (event.revision, event.replaces, event.key, event.body, event.at)
        row = (*facts, sqlite_file.event_checksum(*facts))[: len(columns)]
        marks = ",".join("?" * len(row))
        database.execute(f"INSERT INTO event ({','.join(columns)}) VALUES ({marks})", row)  # noqa: S608  constants only
    database.commit()
    database.close()
    assert await _events(tmp_path) == EVENTS
    assert await _events(tmp_path) == EVENTS, "and it is migrated once"


async def test_a_migration_that_breaks_off_changes_nothing(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (*MIGRATIONS, "CREATE TABLE half (x); INSERT INTO event SELECT * FROM nowhere;")
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_file, "MIGRATIONS", broken)
        with pytest.raises(JournalError, match="cannot be opened"):
            async with opened(SqliteJournal(stopped)):
                pass
    assert await _events(stopped) == EVENTS


async def test_a_newer_format_is_refused(stopped: Path) -> None:
    database = sqlite3.connect(stopped / "waggle.db")
    database.executescript(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    database.close()
    text = await _refusal(stopped)
    assert f"has format {len(MIGRATIONS) + 1}, this waggle knows {len(MIGRATIONS)}" in text
    assert "run that version" in text


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
async def test_another_programs_database_is_refused(mode: str, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "waggle.db")
    database.execute(f"PRAGMA journal_mode={mode}")
    database.executescript("CREATE TABLE bookmarks (url); INSERT INTO bookmarks VALUES ('x');")
    database.close()
    text = await _refusal(tmp_path)
    assert "was not written by waggle" in text
    assert "--data-dir" in text


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"SQLite format 3\0", b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 9000]
)
async def test_what_is_no_database_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "waggle.db").write_bytes(content)
    text = await _refusal(tmp_path)
    assert "waggle.db" in text
    assert "backup" in text or "not written by waggle" in text


async def test_a_log_without_its_file_is_refused(killed: Path) -> None:
    (killed / "waggle.db").unlink()
    assert "is missing but its log waggle.db-wal is there" in await _refusal(killed)


async def test_an_emptied_file_beside_its_log_is_refused(killed: Path) -> None:
    (killed / "waggle.db").write_bytes(b"")
    assert "is empty" in await _refusal(killed)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.75, 0.99])
async def test_a_truncated_file_is_refused(share: float, stopped: Path) -> None:
    file = stopped / "waggle.db"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    assert "backup" in await _refusal(stopped)


@pytest.mark.parametrize("seed", range(4))
async def test_no_flipped_bit_changes_what_is_read(seed: int, stopped: Path) -> None:
    """It is refused, or it was in a place that holds nothing."""
    chance = random.Random(seed)
    file = stopped / "waggle.db"
    whole = file.read_bytes()
    refused = 0
    for _ in range(40):
        place, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        file.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        try:
            events = await _events(stopped)
        except JournalError as error:
            refused += 1
            assert "backup" in str(error) or "data-dir" in str(error) or "newer version" in str(error), str(error)
        else:
            assert events == EVENTS, f"seed {seed}: bit {bit} of byte {place}"
    assert refused >= 10, "much of the file holds something"


async def test_no_flipped_type_changes_what_is_read(stopped: Path) -> None:
    """A bit of a row's header makes bytes of a text: an empty one looks the same to a checksum."""
    for column, value in (("author", b""), ("body", ""), ("key", b"k"), ("at", 1.5)):
        database = sqlite3.connect(stopped / "waggle.db")
        database.create_function("event_checksum", -1, sqlite_file.event_checksum)
        revision = EVENTS[3].revision
        before = database.execute("SELECT * FROM event WHERE revision = ?", (revision,)).fetchone()
        database.execute(f"UPDATE event SET {column} = ? WHERE revision = ?", (value, revision))  # noqa: S608  constants only
        database.commit()
        with pytest.raises(JournalError, match="was altered"):
            await _events(stopped)
        marks = ",".join("?" * len(before))
        database.execute(f"REPLACE INTO event VALUES ({marks})", before)  # noqa: S608  constants only
        database.commit()
        database.close()
    assert await _events(stopped) == EVENTS


async def _with_log(killed: Path, log: bytes, tmp_path: Path) -> list[Event] | str:
    """What is read with another log, or what refuses it."""
    folder = tmp_path / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "waggle.db").write_bytes((killed / "waggle.db").read_bytes())
    (folder / "waggle.db-wal").write_bytes(log)
    try:
        return await _events(folder)
    except JournalError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(3))
async def test_a_log_that_ends_early_gives_the_commits_before_it(seed: int, killed: Path, tmp_path: Path) -> None:
    """As after a power cut: a prefix, in whole commits."""
    chance = random.Random(seed)
    log = (killed / "waggle.db-wal").read_bytes()
    for _ in range(15):
        found = await _with_log(killed, log[: chance.randrange(len(log))], tmp_path)
        assert not isinstance(found, str), found
        assert found == EVENTS[: len(found)]
        assert len(found) % 30 == 0


@pytest.mark.parametrize("seed", range(3))
async def test_a_damaged_log_is_refused_where_it_hides_commits(seed: int, killed: Path, tmp_path: Path) -> None:
    """All that a flipped bit can cost without a word is the very last commit, which may not have been on the disk yet."""
    chance = random.Random(seed)
    log = (killed / "waggle.db-wal").read_bytes()
    refused = 0
    for _ in range(25):
        place, bit = chance.randrange(len(log)), 1 << chance.randrange(8)
        found = await _with_log(killed, log[:place] + bytes([log[place] ^ bit]) + log[place + 1 :], tmp_path)
        if isinstance(found, str):
            refused += 1
            assert "wal_checkpoint" in found or "backup" in found
        else:
            assert found in (EVENTS, EVENTS[:270]), f"seed {seed}: bit {bit} of byte {place} of the log"
    assert refused >= 10


async def test_giving_a_damaged_log_up_is_the_operators_choice(killed: Path) -> None:
    """The refusal names the command for it; after that the rest is served."""
    log = killed / "waggle.db-wal"
    whole = log.read_bytes()
    middle = len(whole) // 2
    log.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    text = await _refusal(killed)
    command = text.partition("by: sqlite3 ")[2]
    assert command == f"{killed / 'waggle.db'} 'PRAGMA wal_checkpoint(TRUNCATE)'"
    database = sqlite3.connect(killed / "waggle.db")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    events = await _events(killed)
    assert events
    assert events == EVENTS[: len(events)]


async def test_frames_of_the_log_before_are_no_damage(tmp_path: Path) -> None:
    """The log is written over from its start after a checkpoint; what is left of the old one behind the new is no lost commit."""
    folder = tmp_path / "running"
    async with opened(SqliteJournal(folder)) as journal:
        assert isinstance(journal, SqliteJournal)
        for start in range(0, 240, 30):
            await journal.append(EVENTS[start : start + 30])
        await journal._fetch("PRAGMA wal_checkpoint(PASSIVE)")
        for start in range(240, 300, 30):
            await journal.append(EVENTS[start : start + 30])
        shutil.copytree(folder, tmp_path / "killed")
    assert (tmp_path / "killed" / "waggle.db-wal").stat().st_size > 50_000, "the old frames are there"
    assert await _events(tmp_path / "killed") == EVENTS


async def test_a_creation_that_broke_off_is_begun_anew(tmp_path: Path) -> None:
    """Nothing of it is in the place of the file until it is whole."""
    (tmp_path / "waggle.db.new").write_bytes(b"half of someth")
    (tmp_path / "waggle.db.new-journal").write_bytes(b"x")
    async with opened(SqliteJournal(tmp_path)) as journal:
        await journal.append(EVENTS[:5])
    assert await _events(tmp_path) == EVENTS[:5]
    assert set(_content(tmp_path)) == {"waggle.db"}


@contextlib.contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """As on a disk without room, files of this process cannot grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_start_on_a_full_disk_can_be_repeated_when_there_is_room(tmp_path: Path) -> None:
    with _largest_file(6000), pytest.raises(JournalError, match="see whether the disk has room"):
        async with opened(SqliteJournal(tmp_path)):
            pass
    assert not (tmp_path / "waggle.db").exists()
    assert await _events(tmp_path) == []


@pytest.mark.parametrize("size", [10, 5000])
async def test_nothing_of_what_a_full_disk_refused_is_stored(size: int, tmp_path: Path) -> None:
    """Neither at once nor after a restart; and the journal goes on when there is room."""
    folder, killed = tmp_path / "data", tmp_path / "killed"
    batch = [Event(1000 + number, 0, f"k{number}", b"x" * 2000, 0) for number in range(size)]
    async with opened(SqliteJournal(folder)) as journal:
        await journal.append([Event(1, 0, "a", b"1", 0)])
        with _largest_file((folder / "waggle.db-wal").stat().st_size + 8192):
            with pytest.raises(JournalError, match="cannot be written"):
                await journal.append(batch)
            with pytest.raises(JournalError, match="cannot be written"):
                await journal.probe()
            with pytest.raises(JournalError, match="cannot be written"):
                await journal.append(batch)
        assert [event.revision for event in await all_of(journal)] == [1]
        shutil.copytree(folder, killed)
        await journal.probe()
        await journal.append([Event(7000, 0, "b", b"2", 0)])
    assert [event.revision for event in await _events(killed)] == [1]
    assert [event.revision for event in await _events(folder)] == [1, 7000]


async def test_a_folder_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(JournalError, match=r"the data folder .*data cannot be used"):
        async with opened(SqliteJournal(tmp_path / "data")):
            pass


async def test_a_folder_in_use_is_refused_and_free_again_afterwards(tmp_path: Path) -> None:
    async with opened(SqliteJournal(tmp_path)) as journal:
        await journal.append(EVENTS)
        with pytest.raises(
            JournalError, match=r"is in use by process \d+; stop it, or give this one another --data-dir"
        ):
            async with opened(SqliteJournal(tmp_path)):
                pass
    assert await _events(tmp_path) == EVENTS


def test_a_storage_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="write one of memory, sqlite"):
        open_journal("postgres", tmp_path)


async def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    with pytest.raises(JournalError, match="is closed"):
        await journal.append(EVENTS[:1])
