"""What all pages have: the frame, languages, looks, the keyboard, and that they are live."""

from __future__ import annotations

import aiohttp
import pytest
from playwright.async_api import expect

from tests.console.looking import look_at, settled
from tests.e2e.browser import open_page
from tests.e2e.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_everybody_can_use_the_first_page(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console") as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        await look_at(page, "overview")


async def test_an_open_page_shows_what_registers_without_being_loaded_again(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/services?q=newcomer") as page, aiohttp.ClientSession() as session:
        await settled(page)
        await expect(page.get_by_text("No service matches.")).to_be_visible()
        await page.evaluate("window.notReloaded = true")
        service = {"service": {"appId": "shop", "serviceName": "newcomer", "version": "1.0.0"}}
        url = f"{demo.engine}/v4/default/registry/microservices"
        async with session.post(url, json=service) as answer:
            assert answer.status == 200
        await expect(page.get_by_role("link", name="newcomer")).to_be_visible()
        assert await page.evaluate("window.notReloaded") is True


async def test_the_keyboard_alone_goes_everywhere(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console") as page:
        await settled(page)
        await page.keyboard.press("g")
        await page.keyboard.press("s")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Services")
        await page.keyboard.press("/")
        await page.keyboard.type("fusion")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.keyboard.press("Escape")
        await page.keyboard.press("n")
        assert await page.evaluate("document.activeElement.textContent") == "fusionweather"


async def test_a_person_chooses_the_language_and_the_look_for_good(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/services") as page:
        await page.get_by_role("button", name="中文").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("微服务")
        await page.goto(f"{demo.engine}/console")
        await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        await page.get_by_role("button", name="English").click()
        await page.get_by_role("button", name="Dark look").click()
        await expect(page.locator("html")).to_have_attribute("data-look", "dark")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
