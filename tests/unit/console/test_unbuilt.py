"""Without Node.js the engine runs all the same, and the console says what to install."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from registry import console
from registry.console.assets import load
from registry.server import Server
from registry.settings import Settings
from tests.inside import served


@pytest.mark.asyncio
async def test_what_was_not_built_says_what_to_install_and_the_engine_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = load(tmp_path / "static")
    assert not nothing.built
    monkeypatch.setattr(console, "load", lambda: nothing)
    async with (
        served(Server(Settings(data_dir=tmp_path / "data", port=0))) as url,
        aiohttp.ClientSession(url) as session,
    ):
        for path in ("/console", "/console/lanes"):
            async with session.get(path) as page:
                assert page.status == 503
                assert "Install Node.js 20 or newer with npm" in await page.text()
        async with session.get("/v4/default/registry/health") as health:
            assert health.status == 200
