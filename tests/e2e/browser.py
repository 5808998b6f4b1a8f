"""A real browser for tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Sequence

import pytest
from playwright.async_api import Browser, Page, async_playwright

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


_shared: list[Browser] = []
"""The browser that pages are opened in as long as a module shares one."""


@contextlib.asynccontextmanager
async def _launched() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("CHROMIUM IS MISSING: install Debian's package chromium; no page was looked at")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def one_browser() -> AsyncIterator[None]:
    """One browser for all pages that are opened meanwhile, in the same event loop: starting one takes seconds."""
    async with _launched() as browser:
        _shared.append(browser)
        try:
            yield
        finally:
            _shared.remove(browser)


@contextlib.asynccontextmanager
async def open_page(
    url: str, width: int = 1280, height: int = 800, *, expected: str | Sequence[str] = ()
) -> AsyncIterator[Page]:
    """The page at an address, without cookies. An error in it or on its console fails the test, unless it has an `expected` text."""
    troubles: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        browser = _shared[-1] if _shared else await stack.enter_async_context(_launched())
        page = await browser.new_page(viewport={"width": width, "height": height})
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
        try:
            await page.goto(url)
            yield page
        finally:
            await page.context.close()
    texts = [expected] if isinstance(expected, str) else expected
    unexpected = [trouble for trouble in troubles if not any(text and text in trouble for text in texts)]
    assert not unexpected, unexpected
