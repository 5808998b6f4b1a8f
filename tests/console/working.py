"""Working with a page of the console as people do."""

from __future__ import annotations

import time

import aiohttp
from playwright.async_api import Page, expect


async def agree(page: Page) -> str:
    """Go on in the dialog that asks; what it asks."""
    dialog = page.locator("#confirm")
    await expect(dialog).to_be_visible()
    asked = await dialog.locator("[data-question]").inner_text()
    await dialog.get_by_role("button", name="Go on").click()
    return asked


async def write(page: Page, text: str, label: str = "Value") -> None:
    """Replace what is in the editor, by the keyboard."""
    # The field without scripts has the same name, and gives way to the editor.
    await page.locator(f'.cm-content[aria-label="{label}"]').click()
    await page.keyboard.press("Control+a")
    await page.keyboard.insert_text(text)


async def undo(page: Page, said: str) -> None:
    """Take back what a notice says was done."""
    notice = page.locator(".notice", has_text=said)
    await notice.get_by_role("button", name="Undo").click()
    await expect(notice).to_have_count(0)


async def part(session: aiohttp.ClientSession, url: str, **query: str) -> tuple[str, float]:
    """The rows that the page's script is sent, and the seconds that it waited for them."""
    begin = time.perf_counter()
    async with session.get(url, params=query, headers={"HX-Request": "true"}) as answer:
        assert answer.status == 200
        return await answer.text(), time.perf_counter() - begin
