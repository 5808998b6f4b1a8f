"""Chapter 4 of the guide by clicks: requests go through the edge, and the dashboard and the topology show them while one looks."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.console.looking import look_at, settled
from tests.e2e.browser import open_page
from tests.e2e.demo import Demo, ready
from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE = 60_000
"""Milliseconds that new data may take on a busy machine; it is there after two seconds as a rule."""
CALLS_ARE_TOLD = re.compile(r"^([1-9]|0\.0*[1-9])")
FORECAST = {"name": re.compile(r"^fusionweather → forecast: ([1-9]|0\.)")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    """The weathermap, whose services tell what they measure every second."""
    async with ready("--beta", environ={"SERVICECOMB_MONITOR_CLIENT_INTERVAL": "1000"}) as started:
        yield started


@contextlib.asynccontextmanager
async def traffic(demo: Demo) -> AsyncIterator[None]:
    """Requests through the edge, one after the other, for as long as somebody looks."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{demo.edge}/fusionweather/show?city=Berlin") as answer:
                    await answer.read()
                await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask())
    try:
        yield
    finally:
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking


async def stays_loaded(page: Page) -> None:
    """Note that this is the page that was opened first."""
    await page.evaluate("window.notReloaded = true")


async def test_the_last_five_minutes_of_a_service_appear_without_loading_the_page_again(demo: Demo) -> None:
    address = f"{demo.engine}/console/dashboard?app=weathermap&environment=&service=fusionweather"
    async with open_page(address) as page:
        await settled(page)
        await stays_loaded(page)
        async with traffic(demo):
            await expect(page.locator("[data-number=rate]")).to_have_text(CALLS_ARE_TOLD, timeout=PATIENCE)
            await expect(page.locator("[data-chart] canvas")).to_have_count(7, timeout=PATIENCE)
            await page.get_by_text("The numbers of the charts").click()
            rates = page.locator("#points tbody td:nth-child(2)")
            await expect(rates.filter(has_text=CALLS_ARE_TOLD).first).to_be_visible(timeout=PATIENCE)
            await page.get_by_role("link", name="Interfaces").click()
            served = page.get_by_role("link", name="Provider.fusionweather.fusionweather.show").first
            await expect(served).to_be_visible(timeout=PATIENCE)
        assert await page.evaluate("window.notReloaded") is True


async def test_one_goes_down_from_everything_to_one_interface_by_the_keyboard(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console") as page, traffic(demo):
        await settled(page)
        for key in ("g", "d"):
            await page.keyboard.press(key)
        for name in ("weather", "0.0.2"):
            await page.get_by_role("row").get_by_role("link", name=name, exact=True).focus()
            await page.keyboard.press("Enter")
            await expect(page.locator(".crumbs [aria-current]")).to_have_text(name)
        await page.locator("#rows tbody a").first.focus()
        await page.keyboard.press("Enter")
        served = "Provider.weather.weather.showCurrentWeather"
        called = page.get_by_role("row").get_by_role("link", name=served)
        await expect(called).to_be_visible(timeout=PATIENCE)
        await called.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".crumbs [aria-current]")).to_have_text(served)
        await expect(page.get_by_role("img", name="Latency in ms")).to_be_visible()
        await expect(page.locator("[data-chart] canvas")).to_have_count(4)
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)


async def test_lists_are_sorted_by_any_column_and_searched(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/dashboard?app=weathermap&environment=&list=instances") as page:
        await settled(page)
        await expect(page.locator("#rows tbody tr")).to_have_count(6)
        await page.locator("#rows thead").get_by_role("link", name="Memory").click()
        await expect(page.locator("#rows [aria-sort=descending]")).to_contain_text("Memory")
        await page.locator("#rows thead").get_by_role("link", name="Memory").click()
        await expect(page.locator("#rows [aria-sort=ascending]")).to_contain_text("Memory")
        await page.keyboard.press("/")
        await page.keyboard.type("forecast")
        await expect(page.locator("#rows tbody tr")).to_have_count(1)
        await expect(page.locator("#rows [aria-sort=ascending]")).to_contain_text("Memory")


async def test_the_topology_shows_calls_as_they_begin_and_nothing_moves(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/topology") as page:
        await settled(page)
        await stays_loaded(page)
        boxes = page.locator(".box > rect:first-of-type")
        await expect(boxes).to_have_count(4)
        line = page.get_by_role("link", **FORECAST)  # type: ignore[arg-type]
        async with traffic(demo):
            await expect(line).to_be_visible(timeout=PATIENCE)
            places = await boxes.evaluate_all("all => all.map(one => [one.getAttribute('x'), one.getAttribute('y')])")
            said = await line.get_attribute("aria-label")
            await expect(line).not_to_have_attribute("aria-label", said or "", timeout=PATIENCE)
            assert places == await boxes.evaluate_all(
                "all => all.map(one => [one.getAttribute('x'), one.getAttribute('y')])"
            )
        assert await page.evaluate("window.notReloaded") is True


async def test_a_service_and_its_calls_are_looked_at_by_clicks_or_keys(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/topology?q=fusion") as page, traffic(demo):
        await settled(page)
        await page.get_by_role("link", name=re.compile("^fusionweather 1 version")).focus()
        await page.keyboard.press("Enter")
        detail = page.get_by_role("complementary", name="Detail")
        await expect(detail.get_by_role("heading", level=2)).to_have_text("fusionweather")
        await detail.get_by_role("link", name="weather", exact=True).click()
        await expect(detail.get_by_role("heading", level=2)).to_have_text("fusionweather → weather")
        await expect(detail.get_by_text("0.0.2 → 0.0.3")).to_be_visible(timeout=PATIENCE)
        await expect(page.get_by_label("Search for services")).to_have_value("fusion")
        await detail.get_by_role("link", name="Close").click()
        await expect(detail).to_have_count(0)
        await page.get_by_role("button", name="Larger").click()
        assert float(await page.evaluate("document.documentElement.style.getPropertyValue('--graph-zoom')")) > 1


async def test_lanes_have_colours_and_what_fails_is_marked(demo: Demo) -> None:
    async with aiohttp.ClientSession() as session:
        api = Client(session, demo.engine)
        facts = {"appId": "mall", "serviceName": "cart", "version": "1.0.0"}
        _, made, _ = await api.call("POST", "/v4/default/registry/microservices", {"service": facts}, 200)
        service_id = str(made["serviceId"])  # type: ignore[index]
        instance = {"hostName": "h", "endpoints": ["rest://10.0.0.1:80"], "properties": {"CAS_LANE_TAG": "gray"}}
        path = f"/v4/default/registry/microservices/{service_id}/instances"
        _, made, _ = await api.call("POST", path, {"instance": instance}, 200)
        failing = {
            "name": "Consumer.stock.s.show",
            "qps": 5,
            "latency": 4,
            "failureRate": 0.5,
            "circuitBreakerOpen": True,
        }
        facts = {"appId": "mall", "name": "cart", "version": "1.0.0", "instance": "h", "serviceId": service_id}
        document = {**facts, "instanceId": made["instanceId"], "interfaces": [failing]}  # type: ignore[index]
        async with open_page(f"{demo.engine}/console/topology") as page:
            await settled(page)
            await api.call("POST", "/v2/default/csemonitor/metric", document, 200)
            failed = page.get_by_role("link", name="cart → stock (gray): 5/s · 4 ms 50 % fail")
            await expect(failed).to_be_visible(timeout=PATIENCE)
            await page.get_by_label("Lane").select_option("gray")
            await expect(page.locator(".box")).to_have_count(2)
            await look_at(page, "topology-lanes")
            await page.locator(".curve .reach").click(force=True)
            await expect(page.get_by_role("complementary", name="Detail")).to_contain_text("Lane gray")


async def test_everybody_can_use_both_pages(demo: Demo) -> None:
    async with traffic(demo), open_page(f"{demo.engine}/console/topology?node=weathermap//fusionweather") as page:
        await expect(page.get_by_role("link", **FORECAST)).to_be_visible(timeout=PATIENCE)  # type: ignore[arg-type]
        await look_at(page, "topology")
        await page.goto(f"{demo.engine}/console/dashboard?app=weathermap&environment=&list=instances")
        await expect(page.locator("[data-chart] canvas")).to_have_count(7)
        await look_at(page, "dashboard")
