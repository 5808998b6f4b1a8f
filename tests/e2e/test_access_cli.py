"""Access control as an operator meets it: the first start's password, the switch, accounts and logins from a shell."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from tests.api.access import PASSWORD, ROOT_PASSWORD
from tests.engine import EngineProcess, running_engine


class Shell:
    """Runs `waggle` as one user with a config folder of their own, against one engine."""

    def __init__(self, home: Path, url: str) -> None:
        self.file = home / "waggle" / "tokens.json"
        self._environ = {**os.environ, "XDG_CONFIG_HOME": str(home), "WAGGLE_ENGINE": url, "COLUMNS": "200"}
        self._environ.pop("WAGGLE_PASSWORD", None)

    async def waggle(self, *words: str, typed: str = "", expect: int = 0, out: bool = False, **environ: str) -> str:
        """What a command prints when this is its standard input: its complaint where it fails, unless its output is wanted."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "registry.cli",
            *words,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**self._environ, **environ},
        )
        async with asyncio.timeout(120):
            printed, err = await process.communicate(typed.encode())
        process._transport.close()  # type: ignore[attr-defined]
        assert process.returncode == expect, err.decode()
        return printed.decode() if expect == 0 or out else err.decode()


async def _second_line(engine: EngineProcess) -> str:
    assert engine.process is not None
    assert engine.process.stdout is not None
    async with asyncio.timeout(60):
        return (await engine.process.stdout.readline()).decode()


async def test_root_s_password_is_printed_once_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SC_INIT_ROOT_PASSWORD", raising=False)
    async with running_engine(tmp_path / "data") as engine:
        words = (await _second_line(engine)).split()
        assert words[:3] == ["waggle", "root", "password"]
        shell = Shell(tmp_path / "home", engine.url)
        assert await shell.waggle("access", "observe", typed=words[3] + "\n") == "access: observe\n"
        assert "signed in" in await shell.waggle("login", typed=words[3] + "\n")
        await engine.stop()
        written = [engine.log, *(file for file in engine.data_dir.rglob("*") if file.is_file())]
        assert len(written) > 1
        assert not any(words[3].encode() in file.read_bytes() for file in written)
        await engine.start()
        assert await shell.waggle("access", "show") == "access: observe\n"
        await engine.stop()
        assert engine.process is not None
        assert engine.process.stdout is not None
        assert await engine.process.stdout.read() == b"", "there is nothing more to print"


async def test_a_root_password_that_is_none_keeps_the_engine_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SC_INIT_ROOT_PASSWORD", "root")
    engine = EngineProcess(tmp_path / "data")
    with pytest.raises(AssertionError, match="no ready line"):
        await engine.start()
    assert engine.process is not None
    async with asyncio.timeout(30):
        assert await engine.process.wait() == 1
    engine.process._transport.close()  # type: ignore[attr-defined]
    log = engine.log.read_text()
    assert "SC_INIT_ROOT_PASSWORD: a password has 8 to 32 bytes" in log
    assert "Traceback" not in log


async def test_an_operator_turns_access_on_from_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SC_INIT_ROOT_PASSWORD", ROOT_PASSWORD)
    async with running_engine(tmp_path / "data") as engine:
        shell = Shell(tmp_path / "home", engine.url)
        assert await shell.waggle("access", "show") == "access: off\n"
        for words in (("access", "readiness"), ("access", "rotate"), ("account", "list"), ("role", "list"), ("login",)):
            told = await shell.waggle(*words, typed=ROOT_PASSWORD + "\n", expect=1)
            assert told.endswith("access control is off; `waggle access observe` is the first step\n"), words
        assert "401202" in await shell.waggle("access", "observe", typed="Wrong1!aaa\n", expect=1)
        assert await shell.waggle("access", "observe", WAGGLE_PASSWORD=ROOT_PASSWORD) == "access: observe\n"
        assert "sign in with `waggle login`" in await shell.waggle("account", "list", expect=1)
        await shell.waggle("login", "root", typed=ROOT_PASSWORD + "\n")
        assert stat.S_IMODE(shell.file.stat().st_mode) == 0o600
        assert stat.S_IMODE(shell.file.parent.stat().st_mode) == 0o700
        assert ROOT_PASSWORD not in shell.file.read_text()
        permissions = '[{"resources": [{"type": "service", "labels": {"serviceName": "orders"}}], "verbs": ["get"]}]'
        assert await shell.waggle("role", "set", "reader", "-", typed=permissions) == "role reader: created\n"
        assert await shell.waggle("role", "set", "reader", "-", typed=permissions) == "role reader: changed\n"
        shown = await shell.waggle("role", "show", "reader")
        assert "serviceName=orders" in shown
        await shell.waggle("account", "create", "orders", "--role", "reader", typed=PASSWORD + "\n")
        assert "reader" in await shell.waggle("account", "list")
        await shell.waggle("account", "roles", "orders", "--role", "developer", "--role", "reader")
        assert "developer, reader" in await shell.waggle("account", "list")
        assert "400205" in await shell.waggle("role", "delete", "reader", expect=1)
        await shell.waggle("account", "password", "root", typed=f"{ROOT_PASSWORD}\n{PASSWORD}\n")
        assert "signed with the key" in await shell.waggle("access", "rotate")
        enforced = await shell.waggle("access", "enforce", "--resource", "config", "--app", "shop", "--confirm")
        assert enforced == "access: enforce, only --resource config --app shop\n"
        await shell.waggle("account", "delete", "orders")
        await shell.waggle("role", "delete", "reader")
        assert await shell.waggle("access", "off", typed=PASSWORD + "\n") == "access: off\n"


async def test_a_token_is_sent_to_the_engine_that_it_is_of_and_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SC_INIT_ROOT_PASSWORD", ROOT_PASSWORD)
    async with (
        running_engine(tmp_path / "one", access="observe") as one,
        running_engine(tmp_path / "two", access="observe") as two,
    ):
        shell = Shell(tmp_path / "home", one.url)
        await shell.waggle("login", typed=ROOT_PASSWORD + "\n")
        await shell.waggle("account", "list")
        refused = await shell.waggle("account", "list", "--engine", two.url, expect=1)
        assert "401204" in refused, "a token of elsewhere would be 401201"
        assert await shell.waggle("logout") == "signed out\n"
        assert "401204" in await shell.waggle("account", "list", expect=1)
        assert "nobody was signed in" in await shell.waggle("logout")
        assert "401302" in await shell.waggle("login", "nobody", typed="x\n", expect=1)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"URL": 1}', '{"URL": {"account": "root"}}', '{"URL": {"x": 1}}'])
async def test_a_file_of_tokens_that_is_damaged_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    async with running_engine(tmp_path / "data", access="observe") as engine:
        shell = Shell(tmp_path / "home", engine.url)
        shell.file.parent.mkdir(parents=True)
        shell.file.write_text(content.replace("URL", engine.url))
        assert "401204" in await shell.waggle("account", "list", expect=1)


@pytest.mark.parametrize("content", ["{", '{"perms": 1}', '"x"'])
async def test_a_file_of_permissions_that_is_none_is_a_usage_error(tmp_path: Path, content: str) -> None:
    file = tmp_path / "role.json"
    file.write_text(content)
    said = await Shell(tmp_path / "home", "http://127.0.0.1:9").waggle("role", "set", "x", str(file), expect=2)
    assert str(file) in said


async def test_what_no_request_needs_is_pointed_out_in_a_role(tmp_path: Path) -> None:
    """The engine takes any word, as the original does: a slip of the pen would be found out by those who are refused."""
    file = tmp_path / "role.json"
    resources = '[{"type": "servicce"}, {"type": "service/schema"}, {"type": "account"}, {}]'
    file.write_text(f'[{{"resources": {resources}, "verbs": ["get", "GET", "*"]}}, {{"verbs": 1}}, 7]')
    said = await Shell(tmp_path / "home", "http://127.0.0.1:9").waggle("role", "set", "x", str(file), expect=3)
    lines = [line for line in said.splitlines() if "there is no" in line]
    assert [line.split("there is no ")[1] for line in lines] == [
        f"{unknown}; the role allows nothing by it" for unknown in ("resource ''", "resource 'servicce'", "verb 'GET'")
    ]
