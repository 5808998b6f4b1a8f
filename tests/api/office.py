"""An engine with access control on, and root's hands."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.api.access import PASSWORD, ROOT_PASSWORD, SWITCH, guarded_engine, signed_in
from tests.engine import Client, EngineProcess

READINESS = f"{SWITCH}/readiness"
Perms = Sequence[Mapping[str, object]]


def permission(resource: str, *verbs: str, **labels: str) -> Mapping[str, object]:
    """A permission on one resource; on all that have these labels, where there are some."""
    given: dict[str, object] = {"type": resource, **({"labels": labels} if labels else {})}
    return {"resources": [given], "verbs": list(verbs or ("*",))}


class Office:
    """Root's hands: it makes accounts and turns the switch."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.root: Mapping[str, str] = {}

    async def open(self) -> None:
        """Sign in as root."""
        self.root = await self.sign_in("root", ROOT_PASSWORD)

    async def sign_in(self, name: str, password: str = PASSWORD) -> Mapping[str, str]:
        """The header that an account is known by."""
        return {"Authorization": await signed_in(self.client, name, password)}

    async def account(self, name: str, perms: Perms | None = None) -> Mapping[str, str]:
        """Make an account with a role of these permissions, or with `developer`, and sign in."""
        if perms is not None:
            await self.client.call("POST", "/v4/roles", {"name": name, "perms": perms}, 200, **self.root)
        given = {"name": name, "password": PASSWORD, "roles": ["developer" if perms is None else name]}
        await self.client.call("POST", "/v4/accounts", given, 200, **self.root)
        return await self.sign_in(name)

    async def switch(self, mode: str, expect: int = 200, **more: object) -> Mapping[str, object]:
        """Turn the switch with root's password, whoever would break."""
        given = {"mode": mode, "password": ROOT_PASSWORD, "confirm": True, **more}
        _, body, _ = await self.client.call("PUT", SWITCH, given, expect)
        assert isinstance(body, dict)
        return body


@contextlib.asynccontextmanager
async def guarded(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, mode: str = "observe", **settings: object
) -> AsyncIterator[tuple[EngineProcess, Client, Office]]:
    """An engine with access control on, a client without credentials, and root's office."""
    async with guarded_engine(data_dir, mode, monkeypatch, **settings) as (engine, client):
        office = Office(client)
        if mode != "off":
            await office.open()
        yield engine, client, office
