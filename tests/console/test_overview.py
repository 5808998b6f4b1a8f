"""The first page and the settings: what there is at a glance, live, and how the engine and the pages are set."""

from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.console.looking import look_at, settled
from tests.e2e.browser import open_page
from tests.e2e.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="module")


def tile(page: Page, name: str) -> str:
    """The selector of a number of the first page."""
    return f".tiles > div:has(dt:text-is('{name}')) dd"


async def test_the_first_page_counts_what_comes(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console") as page, aiohttp.ClientSession() as session:
        await settled(page)
        await expect(page.locator(tile(page, "Instances up"))).to_have_text("6 of 6")
        await expect(page.locator(tile(page, "Access control"))).to_have_text("off")
        await expect(page.locator(tile(page, "Services"))).to_contain_text("4")
        service = {"service": {"appId": "shop", "serviceName": "newcomer", "version": "1.0.0"}}
        async with session.post(f"{demo.engine}/v4/default/registry/microservices", json=service) as answer:
            assert answer.status == 200
        await expect(page.locator(tile(page, "Services"))).to_contain_text("5")
        await expect(page.locator(tile(page, "Applications"))).to_have_text("2")
        await expect(page.locator(".events")).to_contain_text("newcomer")
        await page.get_by_role("link", name="weathermap").click()
        await expect(page.locator("tbody tr")).to_have_count(5)


async def test_calls_of_the_last_minutes_are_a_number_and_a_curve(demo: Demo) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(5):
            async with session.get(f"{demo.edge}/fusionweather/show?city=Berlin") as answer:
                assert answer.status == 200
    async with open_page(f"{demo.engine}/console") as page:
        await expect(page.locator(tile(page, "Calls per second"))).not_to_have_text("0/s", timeout=30_000)
        await expect(page.get_by_role("row", name="weathermap").locator("svg polyline")).to_have_count(
            1, timeout=30_000
        )


async def test_settings_are_shown_with_their_sources_and_searched(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/settings") as page:
        await expect(page.locator(".card", has_text="The engine").first).to_contain_text(demo.engine)
        await look_at(page, "settings")
        row = page.get_by_role("row", name="monitor_seconds")
        await expect(row).to_contain_text("300")
        await expect(row).to_contain_text("default")
        await page.get_by_role("searchbox").fill("journal_")
        await expect(page.locator("tbody tr")).to_have_count(3)
        await page.get_by_role("searchbox").fill("")
        await page.get_by_role("checkbox", name="only those that are set").check()
        await expect(page.get_by_role("row", name="data_dir")).to_contain_text("flag")
        await expect(row).to_have_count(0)


async def test_another_project_is_looked_at(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/settings") as page:
        await page.get_by_role("combobox", name="Domain and project").fill("default/other")
        await page.get_by_role("button", name="Choose", exact=True).click()
        await expect(page.get_by_role("combobox", name="Domain and project")).to_have_value("default/other")
        await page.goto(f"{demo.engine}/console/services")
        await expect(page.get_by_text("No service is registered yet.")).to_be_visible()
        await page.goto(f"{demo.engine}/console")
        await expect(page.locator(tile(page, "Instances up"))).to_have_text("0 of 0")
        await look_at(page, "overview-empty")
