"""`waggle access readiness` and `enforce`, as an operator meets them: the list, what to set, and the question before it counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.access import ROOT_PASSWORD
from tests.api.office import guarded
from tests.e2e.test_access_cli import Shell


async def test_an_operator_is_told_who_would_break_and_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables go to a terminal as JSON goes to a program; the status says whether all are ready."""
    async with guarded(tmp_path / "data", monkeypatch) as (engine, client, office):
        shell = Shell(tmp_path / "home", engine.url)
        await shell.waggle("login", typed=ROOT_PASSWORD + "\n")
        assert "ready: nobody would break" in await shell.waggle("access", "readiness")
        framework = {"name": "servicecomb-java-chassis", "version": "ServiceComb:2.7.9"}
        owner = await client.service("orders", appId="mall", framework=framework)
        name = await client.instance(owner)
        await client.call("PUT", f"/microservices/{owner}/instances/{name}/heartbeat", None, 200)
        told = json.loads(await _told(shell, "readiness", "--json"))
        assert (told["ready"], told["breaking"]) == (False, 1)
        shown = await _told(shell, "readiness")
        for words in (name, "sends no credentials", "servicecomb_credentials_rbac_enabled=true", "not ready: 1 would"):
            assert words in shown
        assert "nobody would break" in await shell.waggle("access", "readiness", "--resource", "config")
        refused = await shell.waggle("access", "enforce", expect=1)
        assert "409202" in refused
        assert "waggle access readiness" in refused
        assert "enforce" in await shell.waggle("access", "enforce", "--confirm")
        good = await office.account("orders")
        await client.call("PUT", f"/microservices/{owner}/instances/{name}/heartbeat", None, 200, **good)


async def _told(shell: Shell, *words: str) -> str:
    """What a command of status 1 prints to standard output."""
    return await shell.waggle("access", *words, expect=1, out=True)
