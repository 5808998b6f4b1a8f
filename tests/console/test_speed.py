"""How much the first page loads, what it does not, and when it is there."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest

from tests.console.looking import settled
from tests.e2e.browser import open_page
from tests.engine import running_engine

pytestmark = pytest.mark.asyncio
KILOBYTE = 1024
PATIENCE_MS = 10_000
_FIRST = re.compile(r'(?:src|href)="(/console/static/[^"]+)"')
_IMPORTED = re.compile(rb'(?:from|import)\s*"\./([\w.-]+\.js)"')


async def _loaded(session: aiohttp.ClientSession, path: str) -> tuple[int, bytes]:
    """The bytes that come over the wire, and what they unpack to."""
    async with session.get(path, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status == 200, path
        return int(answer.headers["Content-Length"]), await answer.read()


async def test_the_first_page_is_small_and_has_no_charts_and_no_editor(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data") as engine, aiohttp.ClientSession(engine.url) as session:
        size, page = await _loaded(session, "/console")
        waiting, seen = _FIRST.findall(page.decode()), set()
        assert len(waiting) >= 3, "a script, styles and the icon"
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen.add(path)
                more, body = await _loaded(session, path)
                size += more
                waiting += [f"/console/static/{name.decode()}" for name in _IMPORTED.findall(body)]
    assert size < 300 * KILOBYTE
    assert not [path for path in seen if re.search("/(charts|graph|editor|diff)-", path)]


async def test_the_first_page_is_there_at_once(tmp_path: Path) -> None:
    """The promise is a second; a busy machine has more."""
    async with running_engine(tmp_path / "data") as engine, open_page(f"{engine.url}/console") as page:
        await settled(page)
        shown = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        assert 0 < shown < PATIENCE_MS
