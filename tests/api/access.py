"""An engine whose root password is known, and what signing in at it takes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.engine import Client, EngineProcess, client_of, running_engine

ROOT_PASSWORD = "Complicated1!"
PASSWORD = "Complicated2!"
SWITCH = "/waggle/v1/access"


@contextlib.asynccontextmanager
async def guarded_engine(
    folder: Path, mode: str, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> AsyncIterator[tuple[EngineProcess, Client]]:
    """A fresh engine in a mode of access, whose root has `ROOT_PASSWORD`, and a client that has not signed in."""
    monkeypatch.setenv("SC_INIT_ROOT_PASSWORD", ROOT_PASSWORD)
    async with running_engine(folder, access=mode, **settings) as engine, client_of(engine.url) as client:
        yield engine, client


async def signed_in(client: Client, name: str = "root", password: str = ROOT_PASSWORD) -> str:
    """The Authorization header of somebody who has signed in."""
    _, body, _ = await client.call("POST", "/v4/token", {"name": name, "password": password}, 200)
    return f"Bearer {body['token']}"  # type: ignore[index]


async def account(client: Client, root: str, name: str, *roles: str) -> str:
    """The Authorization header of a new account with these roles and `PASSWORD`."""
    body = {"name": name, "password": PASSWORD, "roles": list(roles) or ["developer"]}
    await client.call("POST", "/v4/accounts", body, 200, Authorization=root)
    return await signed_in(client, name, PASSWORD)


async def code(client: Client, method: str, path: str, body: object = None, **headers: str) -> str:
    """The error code of an answer; empty for a success."""
    _, answer, _ = await client.call(method, path, body, None, **headers)
    return str(answer["errorCode"]) if isinstance(answer, dict) and "errorCode" in answer else ""


async def wrong(client: Client, name: str, **headers: str) -> str:
    """The error code of signing in with a wrong password."""
    return await code(client, "POST", "/v4/token", {"name": name, "password": "Wrong1!aaa"}, **headers)
