"""An engine that is started again while pages are open: they say so, keep what is being typed, and come back by themselves."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from tests.console.looking import settled
from tests.e2e.browser import open_page
from tests.engine import running_engine

_LOST = ("net::ERR_", "htmx:")


@pytest.mark.asyncio
async def test_pages_come_back_by_themselves_and_keep_a_form_in_progress(tmp_path: Path) -> None:
    async with (
        running_engine(tmp_path / "data") as engine,
        open_page(f"{engine.url}/console/services", expected=_LOST) as services,
        open_page(f"{engine.url}/console/configuration/new", expected=_LOST) as form,
        aiohttp.ClientSession() as session,
    ):
        await settled(services)
        await settled(form)
        await form.get_by_label("Key", exact=True).fill("half.typed")
        await engine.kill()
        await expect(services.locator("[data-live=lost]")).to_be_visible()
        await expect(form.locator("[data-live=lost]")).to_be_visible()
        await services.get_by_role("searchbox").fill("late")
        notice = services.locator(".notice", has_text="The engine does not answer")
        await expect(notice).to_have_count(1)
        await engine.start()
        body = {"service": {"appId": "shop", "serviceName": "latecomer", "version": "1.0.0"}}
        async with session.post(f"{engine.url}/v4/default/registry/microservices", json=body) as answer:
            assert answer.status == 200
        await expect(services.get_by_role("link", name="latecomer")).to_be_visible()
        await expect(notice).to_have_count(0)
        await settled(form)
        await expect(form.get_by_label("Key", exact=True)).to_have_value("half.typed")
