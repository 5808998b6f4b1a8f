"""What the commands of access control share: passwords that stand in no command line, and answers of the access API."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from getpass import getpass

import typer

from registry.cli.client import EngineClient, EngineRefusedError, Target, ask, document, fail

SWITCH = "/waggle/v1/access"
"""The one path that is there while access control is off, too."""

PASSWORD = "WAGGLE_PASSWORD"  # noqa: S105  the variable's name


def password_of(whose: str, *, twice: bool = False) -> str:
    """A password from the terminal, else from `WAGGLE_PASSWORD`, else the first line of standard input."""
    if os.environ.get(PASSWORD):
        return os.environ[PASSWORD]
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass(f"Password of {whose}: ")
    if twice and getpass("Once more: ") != password:
        fail("these are not the same")
        raise typer.Exit(2)
    return password


def call(target: Target, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, object]:
    """The JSON answer to one request of the access API; empty where there is none. Ends the command where the engine refuses."""

    async def work(client: EngineClient) -> bytes:
        try:
            return await client.whole(method, path, None if body is None else json.dumps(body).encode())
        except EngineRefusedError as error:
            if error.status != 404 or path == SWITCH:
                raise
            raise EngineRefusedError(404, "access control is off; `waggle access observe` is the first step") from error

    payload = ask(target, work)
    return document(payload) if payload else {}
