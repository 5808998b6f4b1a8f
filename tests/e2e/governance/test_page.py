"""What a browser shows of a gray release and of a degradation, from the command to the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.e2e.browser import open_page
from tests.e2e.governance.commands import beta_is_up, degrade, finish, gray, roll_back
from tests.e2e.governance.world import World

pytestmark = pytest.mark.usefixtures("rules")


@pytest.fixture(scope="module")
def address(world: World) -> Iterator[str]:
    """The address of the page, which asks for Berlin."""
    server = world.start_page()
    yield f"{server.url}/?city=Berlin"
    server.end()


async def test_half_of_the_reloads_show_the_uv_index_after_the_command(
    world: World, address: str, tmp_path: Path
) -> None:
    await world.up(*world.of("weathermapweb"))
    await gray(world)
    beta = await beta_is_up(world)
    async with open_page(address) as page:
        await page.get_by_label("Ask again").uncheck()
        assert await _with_uv(page, 6) == 0
        await gray(world, "--share", "50")
        assert await _with_uv(page, 20) == 10
        await page.screenshot(path=tmp_path / "uv.png")
        await roll_back(world)
        assert await _with_uv(page, 6) == 0
    beta.end()
    await finish(world)


async def _with_uv(page: Page, number: int) -> int:
    """How many of so many reloads show the UV index."""
    found = 0
    for _ in range(number):
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator("#current .by")).to_contain_text("weather 0.0.")
        found += await page.locator("#current .uv").count()
    return found


async def test_a_degraded_forecast_leaves_a_quiet_panel_and_comes_back(
    world: World, address: str, tmp_path: Path
) -> None:
    await world.up(*world.of("weathermapweb"))
    async with open_page(address) as page:
        days, panel = page.locator("#forecast li"), page.locator("#forecast")
        await expect(days).to_have_count(5)
        await page.evaluate("window.notReloaded = true")
        await degrade(world, "on")
        await expect(days).to_have_count(0)
        await expect(panel).to_contain_text("No forecast at the moment")
        await expect(panel.locator(".by")).to_be_empty()
        await expect(page.locator("#current .place")).to_have_text("Berlin, DE")
        await expect(page.locator("#status")).to_be_empty()
        await page.screenshot(path=tmp_path / "degraded.png")
        await degrade(world, "off")
        await expect(days).to_have_count(5)
        assert await page.evaluate("window.notReloaded") is True
