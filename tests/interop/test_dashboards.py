"""The dashboard's client library, unmodified: what it uploads is what the engine shows, also after a restart."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from registry.console.assets import BUILT
from tests.engine import EngineProcess, client_of, running_engine
from tests.interop.programs import JAVA, assert_checked, java, nobody, walk

pytestmark = pytest.mark.interop
LIST, BUY = "Provider.cart.api.list", "Provider.cart.api.buy"


class _Board:
    """What the engine has after each upload; `looked` are the moments at which that was asked."""

    def __init__(self, engine: EngineProcess) -> None:
        self._engine = engine
        self.looked: list[str] = []

    async def _rows(self, what: str) -> list[dict[str, Any]]:
        async with client_of(self._engine.url) as client:
            _, body, _ = await client.call("GET", f"/waggle/v1/monitor/{what}?app=mall&service=cart", None, 200)
        return body[what]  # type: ignore[index, no-any-return]

    async def _rates(self) -> dict[str, float]:
        return {row["interface"]: row["rate"] for row in await self._rows("interfaces")}

    async def _on_its_page(self, *words: str) -> None:
        """The console's page of the service has these; without Node.js it has no pages."""
        if not (BUILT / "manifest.json").is_file():
            assert shutil.which("npm") is None, (
                "run `make console`: the console's pages are not built, and npm is there"
            )
            return
        url = f"{self._engine.url}/console/dashboard?app=mall&environment=&service=cart&list=interfaces"
        async with client_of(self._engine.url) as client, client.session.get(url) as answer:
            page = re.sub(r"\s+<", "<", re.sub(r">\s+", ">", await answer.text()))
        assert [word for word in words if f"{word}<" not in page] == []

    async def shown(self) -> None:
        """Everything of the first document."""
        self.looked.append("shown")
        (instance,) = await self._rows("instances")
        assert (instance["version"], instance["status"], instance["host"]) == ("1.0.0", "UP", "java")
        assert (instance["threads"], instance["cpu"], instance["load"], instance["uptime"]) == (23, 12.5, 1.5, 18_070)
        rows = {row["interface"]: row for row in await self._rows("interfaces")}
        assert set(rows) == {LIST, BUY}
        assert (rows[LIST]["rate"], rows[LIST]["total"], rows[LIST]["latency"], rows[LIST]["p99"]) == (40, 400, 15, 80)
        assert not rows[BUY]["breakerOpen"]
        await self._on_its_page(LIST, BUY, ">40/s", ">15 ms", ">80 ms")

    async def merged(self) -> None:
        """One interface has changed, with a number that is none; the other is what it was."""
        self.looked.append("merged")
        rows = {row["interface"]: row for row in await self._rows("interfaces")}
        assert {name: row["rate"] for name, row in rows.items()} == {LIST: 40, BUY: 2}
        assert (rows[BUY]["breakerOpen"], rows[BUY]["failureRate"]) == (True, 0.0)

    async def again(self) -> None:
        """After a restart: an upload while nobody listens is lost, and the next one is taken."""
        self.looked.append("again")
        assert await self._rates() == {LIST: 7}

    async def elsewhere(self) -> None:
        """One of two addresses does not answer."""
        self.looked.append("elsewhere")
        assert await self._rates() == {LIST: 9}


async def test_java_dashboard_library_uploads_what_the_engine_shows(tmp_path: Path) -> None:
    """dashboard-client 2.8.25: documents of one instance, a restart of the engine, and two addresses of which one fails."""
    command = await java("DashboardCheck")
    async with running_engine(tmp_path / "data") as engine:
        board = _Board(engine)
        looks = {look.__name__: look for look in (board.shown, board.merged, board.again, board.elsewhere)}
        with nobody() as address:
            steps = {**looks, "kill": engine.kill, "start": engine.start}
            outcome = await walk((*command, engine.url, f"http://{address}"), JAVA, 240, steps)
    assert_checked(outcome, {"registered"})
    assert board.looked == list(looks)
