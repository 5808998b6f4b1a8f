"""Passwords, tokens, hashes and keys are where they must be and nowhere else, whatever access control was asked."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.api.access import PASSWORD, ROOT_PASSWORD, SWITCH
from tests.api.office import READINESS, Office, guarded
from tests.engine import Client, EngineProcess
from tests.raw import connect, request

_WRONG = "Mistyped7!secret"
_WEAK = "weaksecret"
_CHANGED = "Different8!secret"
_ODD = "0ddPlaced!secret"
_ROOT = "Uppermost6!secret"
_PASSWORDS = (_ROOT, _WRONG, _WEAK, _CHANGED, _ODD)
_PAGES = (
    "/metrics",
    "/openapi.json",
    "/v4/default/admin/dump?options=all",
    "/v4/default/admin/alarms",
    "/v4/default/admin/clusters",
    "/waggle/v1/audit?limit=1000",
    "/waggle/v1/audit?limit=1000&kind=account",
    READINESS,
    SWITCH,
    "/v4/accounts",
    "/v4/accounts/clerk",
    "/v4/roles",
    "/v4/account-locks",
    "/v4/self-perms",
    "/health/ready",
    "/v4/default/registry/version",
)


class Ear:
    """A client that keeps all that it is answered, tokens that it signs in for aside."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.heard: list[bytes] = []

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> None:
        """Send a body, as JSON unless it is bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.client.session.request(method, self.client.url + path, data=data, headers=headers) as answer:
            self.heard += [str(answer.headers).encode(), await answer.read()]


async def _everything(ear: Ear, office: Office) -> list[str]:
    """All that passwords and tokens are used for, rightly and wrongly; the tokens."""
    root = office.root
    clerk = await office.account("clerk")
    await ear.ask("POST", "/v4/accounts/root/password", {"currentPassword": ROOT_PASSWORD, "password": _ROOT}, **root)
    token = {"X-Other": "1", **clerk}
    for name in ("root", "clerk", "nobody"):
        for body in ({"name": name, "password": _WRONG}, {"name": name, "password": [_ODD]}, {"password": {"a": _ODD}}):
            await ear.ask("POST", "/v4/token", body)
        await ear.ask("POST", "/v4/token", f'{{"name":"{name}","password":"{_ODD}"'.encode())
        await ear.ask(
            "POST", f"/v4/token?password={_ODD}", {"name": name, "password": _ODD, "tokenExpirationTime": "x"}
        )
    for given in (
        {"name": "weak", "password": _WEAK, "roles": ["developer"]},
        {"name": "clerk", "password": PASSWORD, "roles": ["developer"]},
        {"name": "norole", "password": PASSWORD, "roles": ["none"]},
        {"name": "odd name", "password": _ODD, "roles": ["developer"]},
        {"name": "odd", "password": {"of": _ODD}, "roles": ["developer"]},
    ):
        await ear.ask("POST", "/v4/accounts", given, **root)
        await ear.ask("POST", "/v4/accounts/batch-create", {"accounts": [given]}, **root)
        await ear.ask("POST", "/v4/accounts", given, **token)
        await ear.ask("PUT", "/v4/accounts/clerk", given, **root)
    for current, new in ((_WRONG, _CHANGED), (PASSWORD, _WEAK), (PASSWORD, PASSWORD), (PASSWORD, _CHANGED)):
        body = {"currentPassword": current, "password": new}
        await ear.ask("POST", "/v4/accounts/clerk/password", body, **clerk)
    for password in (_WRONG, [_ODD], _ROOT):
        await ear.ask("PUT", SWITCH, {"mode": "enforce", "password": password, "confirm": True})
    await ear.ask("POST", f"{SWITCH}/keys/rotate", None, **root)
    tokens = [headers["Authorization"].split()[1] for headers in (root, clerk, await office.sign_in("clerk", _CHANGED))]
    for text in (tokens[0], f"Bearer {tokens[0]}x", f"Bearer {tokens[1]} {tokens[1]}", f"Bearer {tokens[2][:-9]}"):
        await ear.ask("GET", "/v4/default/registry/microservices", None, Authorization=text)
        await ear.ask("GET", "/v1/default/kie/kv", None, Authorization=text)
    return tokens


async def _unreadable(engine: EngineProcess, header: str) -> bytes:
    """What is answered to heads that are none, with a token in them."""
    token, answers = header.split()[1], b""
    lines = [f"Authorization : {header}", f"Authorization: {header}\x00", f"Authorization {header}"]
    heads = [request("GET", "/version")[:-2] + line.encode() + b"\r\n\r\n" for line in lines]
    heads += [
        request("GET", "/version")[:-2] + f"Authorization: {header * 200}\r\n\r\n".encode(),
        f"GET /version?token={token} HTTP/9.9\r\nHost: a\r\n\r\n".encode(),
        f"'{token} /version HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
        f"{token}\r\n\r\n".encode(),
    ]
    for head in heads:
        async with connect(engine.port) as connection:
            connection.writer.write(head)
            answer = await connection.read()
            assert answer.status == 400, head
            answers += answer.raw
    return answers


def _arguments(engine: EngineProcess) -> bytes:
    """The process's arguments, which every user of the machine may read."""
    return Path(f"/proc/{engine.pid}/cmdline").read_bytes()


def _hidden(engine: EngineProcess) -> tuple[str, ...]:
    """Hashes and private keys, as the journal has them."""
    with contextlib.closing(sqlite3.connect(engine.data_dir / "waggle.db")) as journal:
        bodies = journal.execute(
            "SELECT body FROM event WHERE key LIKE 'account/%' OR key LIKE 'signing-key/%'"
        ).fetchall()
    records: list[Mapping[str, str]] = [json.loads(body) for (body,) in bodies if body]
    found = [text for record in records for name, text in record.items() if name in ("secret", "private")]
    assert len(found) >= 4
    return (*found, *(text[40:80] for text in found if "KEY" in text), "PRIVATE KEY", "$2b$")


@pytest.mark.parametrize("mode", ["observe", "enforce"])
async def test_nothing_secret_is_written_anywhere(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in answers, pages, metrics, the audit, the log at its chattiest, or the process's arguments; no password is on the disk."""
    settings = {"log_level": "debug", "token_rate": 100_000, "trusted_proxies": "127.0.0.1"}
    async with guarded(tmp_path / "data", monkeypatch, mode, **settings) as (engine, client, office):
        ear = Ear(client)
        tokens = await _everything(ear, office)
        for path in _PAGES:
            await ear.ask("GET", path, None, **office.root)
        ear.heard.append(await _unreadable(engine, office.root["Authorization"]))
        shown = [_arguments(engine), *ear.heard]
        assert engine.process is not None
        assert engine.process.stdout is not None
        await engine.stop()
        disk = b"".join(file.read_bytes() for file in engine.data_dir.rglob("*") if file.is_file())
        assert b"clerk" in disk
        log = engine.log.read_bytes()
        shown += [log, await engine.process.stdout.read()]
        for word in (
            ROOT_PASSWORD,
            PASSWORD,
            *_PASSWORDS,
            *tokens,
        ):  # the first two are samples of the API's description, too
            assert word.encode() not in disk + log, word
        assert len(ear.heard) > 80
        for word in (*_PASSWORDS, *tokens, *(token.split(".")[2] for token in tokens), *_hidden(engine)):
            assert [text for text in shown if word.encode() in text] == [], word
