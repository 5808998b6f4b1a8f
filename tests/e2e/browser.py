"""A real browser for tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.asynccontextmanager
async def open_page(url: str, width: int = 1280, height: int = 800, *, expected: str = "") -> AsyncIterator[Page]:
    """The page at an address. An error in it, or on its console, fails the test, unless it contains the `expected` text."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("CHROMIUM IS MISSING: install Debian's package chromium; no page was looked at")
    troubles: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_FLAGS)
        page = await browser.new_page(viewport={"width": width, "height": height})
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        await page.goto(url)
        try:
            yield page
        finally:
            await browser.close()
    unexpected = [trouble for trouble in troubles if not expected or expected not in trouble]
    assert not unexpected, unexpected
