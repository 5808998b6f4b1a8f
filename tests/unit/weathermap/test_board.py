"""The banner and the cities: what the configuration makes of them, and their way to the page."""

from __future__ import annotations

import pytest

from governance.samples.weathermap.board import Board, board_of
from governance.samples.weathermap.web_page import weathermapweb
from governance.sdk.configuration.levels import Value
from governance.sdk.configuration.snapshot import Snapshot
from governance.sdk.references import References
from tests.unit.sdk.servers import nobody
from tests.unit.weathermap.apps import Service, get, running_app
from tests.unit.weathermap.test_edge import edge_before


def configure(service: Service, **values: str) -> None:
    """Let these be the service's keys below `weathermap.`."""
    written = {f"weathermap.{key}": Value(text, key, "app", 0) for key, text in values.items()}
    service.config._snapshot = Snapshot(written, References({"SECRET": "hunter2"}, ()))


async def test_the_page_gets_the_board_from_the_edge() -> None:
    service = Service()
    async with (
        edge_before(None, service=service) as edge,
        running_app(weathermapweb(edge.removeprefix("http://"))) as url,
    ):
        status, first = await get(f"{url}/weathermapweb/ui/board")
        assert (status, first) == (200, {**Board().model_dump(), "cities": list(Board().cities)})
        configure(service, banner="Storm warning", cities="Berlin, New York")
        _, changed = await get(f"{url}/weathermapweb/ui/board")
        assert changed == {"banner": "Storm warning", "cities": ["Berlin", "New York"]}


async def test_an_edge_that_is_not_there_is_told() -> None:
    with nobody() as edge:
        async with running_app(weathermapweb(edge)) as url:
            assert (await get(f"{url}/weathermapweb/ui/board"))[0] == 502


@pytest.mark.parametrize("bad", [{"banner": "x" * 501}, {"cities": ",".join("x" * 51)}, {"cities": "x" * 101}])
def test_what_does_not_fit_leaves_the_last_board(bad: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    service = Service()
    configure(service, **bad)
    assert board_of(service.config) == Board()
    assert "board.refused" in caplog.text
    configure(service, banner="Fine")
    assert board_of(service.config).banner == "Fine"
    configure(service, **bad)
    assert board_of(service.config).banner == "Fine"


def test_no_secret_is_shown_to_everyone() -> None:
    service = Service()
    configure(service, banner="${env:SECRET}")
    assert board_of(service.config).banner == "${env:SECRET}"
