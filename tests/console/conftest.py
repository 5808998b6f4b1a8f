"""The weathermap that a module's pages show."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from registry.console.assets import BUILT
from tests.e2e.browser import one_browser
from tests.e2e.demo import Demo, ready


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    """Without the built files there is nothing to look at."""
    if not (BUILT / "manifest.json").is_file():
        assert shutil.which("npm") is None, "run `make console`: the console's pages are not built, and npm is there"
        pytest.skip("NODE.JS IS MISSING: install Node.js 20 with npm; no page of the console was looked at")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    """The whole weathermap, with weather-beta, and one browser for all of the module's pages."""
    async with ready("--beta") as started, one_browser():
        yield started
