"""`waggle serve` on a data folder that it must not use: one line that says what to do, exit status 1, and nothing is touched."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import sys
from pathlib import Path

from tests.engine import ROOT, client_of, running_engine

_PORTS = [word for name in ("", "kie-", "config-", "monitor-") for word in (f"--{name}port", "0")]


async def _refused(folder: Path) -> str:
    """The one line of a start that fails."""
    words = ("-m", "registry.cli", "serve", *_PORTS, "--log-format", "json", "--data-dir", str(folder))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=pipe, stderr=pipe, cwd=ROOT)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    process._transport.close()  # type: ignore[attr-defined]
    assert (process.returncode, out) == (1, b""), err.decode()
    lines = [json.loads(line) for line in err.decode().splitlines()]
    told = [line for line in lines if line["event"] != "server.few_files"]
    assert [line["event"] for line in told] == ["server.cannot_start"], err.decode()
    return str(told[0]["error"])


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.endswith(("-shm", ".lock"))
    }


async def test_a_second_engine_on_the_folder_is_refused(tmp_path: Path) -> None:
    """It names the process that has it, which goes on undisturbed."""
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
        service = await client.service("provider")
        text = await _refused(engine.data_dir)
        assert f"is in use by process {engine.pid}; stop it, or give this one another --data-dir" in text
        await client.instance(service, instanceId="i")
        await engine.kill()
        await engine.start()
        async with client_of(engine.url) as again:
            assert [instance["instanceId"] for instance in await again.find("provider")] == ["i"]


async def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Emptied, truncated, overwritten, foreign, from the future; a start never makes an empty registry of it."""
    async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
        for number in range(50):
            await client.service(f"service{number}")
        assert await engine.stop() == 0
    file = tmp_path / "data" / "waggle.db"
    whole = file.read_bytes()
    for content, said in (
        (b"", "is empty"),
        (whole[:5000], "restore a backup"),
        (b"\0" * len(whole), "is no SQLite file"),
        (whole.replace(b"service7", b"service8"), "was altered"),
    ):
        assert content != whole
        file.write_bytes(content)
        before = _bytes(file.parent)
        assert said in await _refused(file.parent)
        assert _bytes(file.parent) == before
    file.write_bytes(whole)
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version=99")
    database.close()
    before = _bytes(file.parent)
    assert "it was written by a newer version" in await _refused(file.parent)
    assert _bytes(file.parent) == before


async def test_the_data_is_the_owners_alone(tmp_path: Path) -> None:
    """Whatever the umask: nobody else may read what services register."""
    before = os.umask(0)
    try:
        async with running_engine(tmp_path / "data") as engine, client_of(engine.url) as client:
            await client.service("provider")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in engine.data_dir.iterdir()}
            folder = stat.S_IMODE(engine.data_dir.stat().st_mode)
    finally:
        os.umask(before)
    assert folder == 0o700
    assert {"waggle.db", "waggle.db-wal", "waggle.lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def test_it_listens_where_it_is_told_and_nowhere_else(tmp_path: Path) -> None:
    """One port, on loopback: no port for peers, debuggers or metrics comes with it."""
    async with running_engine(tmp_path / "data") as engine:
        assert _listening(engine.pid) == {("127.0.0.1", engine.port)}


def _listening(pid: int) -> set[tuple[str, int]]:
    """Addresses on which a process listens."""
    sockets = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            local, state, inode = (line.split()[column] for column in (1, 3, 9))
            if state == "0A" and f"socket:[{inode}]" in sockets:
                address, _, port = local.partition(":")
                host = ".".join(str(byte) for byte in reversed(bytes.fromhex(address))) if table == "tcp" else address
                found.add((host, int(port, 16)))
    return found
