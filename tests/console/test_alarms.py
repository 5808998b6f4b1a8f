"""What is wrong and what happened: alarms that somebody deals with, their rules and webhooks, and the one stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import expect

from tests.console.looking import look_at, settled
from tests.console.working import agree, undo
from tests.e2e.browser import open_page
from tests.e2e.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="module")
_REFUSED = "status of 422"
"""What the browser's console says of a form that the engine refused."""


async def call(demo: Demo, method: str, path: str, body: object = None) -> Any:
    """A request of somebody else."""
    headers = {"X-Waggle-Author": "somebody"}
    async with (
        aiohttp.ClientSession(demo.engine, headers=headers) as session,
        session.request(method, path, json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.json() if await answer.read() else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wrong(demo: Demo) -> AsyncIterator[str]:
    """The id of an alarm that is raised: the weathermap has an instance of forecast too many for a rule."""
    rule = {
        "name": "crowded",
        "metric": "instances-up",
        "condition": "above",
        "raise": 0,
        "service": "forecast",
        "severity": "minor",
    }
    await call(demo, "PUT", "/waggle/v1/alarms/rules", rule)
    yield "crowded//weathermap/forecast"
    await call(demo, "DELETE", "/waggle/v1/alarms/rules?name=crowded")


async def test_an_alarm_is_seen_acknowledged_and_silenced(demo: Demo, wrong: str) -> None:
    async with open_page(f"{demo.engine}/console/alarms?service=forecast", expected=_REFUSED) as page:
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="crowded"))
        await expect(row).to_contain_text("instances-up of weathermap/forecast is 1, above 0", timeout=30_000)
        await expect(row).to_contain_text("minor")
        await settled(page)
        await page.get_by_role("button", name=f"Acknowledge {wrong}").click()
        await expect(row).to_contain_text("acknowledged by")
        (alarm,) = (await call(demo, "GET", "/waggle/v1/alarms?rule=crowded"))["alarms"]
        assert alarm["silenced"]["acknowledged"]
        assert not alarm["told"]
        await undo(page, f"You know of {wrong}")
        await expect(row).not_to_contain_text("acknowledged by")

        await page.get_by_text("Silence alarms for a while").click()
        await page.get_by_label("Alarms like").fill("crowded/[")
        await page.get_by_role("button", name="Silence", exact=True).click()
        await expect(page.get_by_label("Alarms like")).to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Alarms like").fill("crowded/*")
        await page.get_by_label("How long").select_option("24 h")
        await page.get_by_label("Note").fill("known")
        await page.get_by_role("button", name="Silence", exact=True).click()
        await expect(row).to_contain_text("silenced by")
        await look_at(page, "alarms")
        await page.get_by_role("button", name="End it crowded/*").click()
        await expect(row).not_to_contain_text("silenced by")


async def test_a_rule_is_written_by_a_form_switched_off_and_taken_back(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/alarms/rules", expected=_REFUSED) as page:
        await settled(page)
        await page.get_by_role("link", name="New alarm rule").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("New alarm rule")
        await page.get_by_label("Name").fill("slow-weather")
        await page.get_by_label("Threshold (ms)").fill("500")
        await page.get_by_label("From this number on").fill("600")
        await page.get_by_label("Service", exact=True).fill("weather")
        await page.get_by_role("button", name="Save the rule").click()
        await expect(page.get_by_label("From this number on")).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_text("at most 500, which is what raises")).to_be_visible()
        await page.get_by_label("From this number on").fill("400")
        await page.get_by_role("button", name="Save the rule").click()
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="slow-weather"))
        await expect(row).to_contain_text("p99 above 500 ms")
        await expect(row).to_contain_text("service=weather")
        await page.get_by_role("button", name="Switch off slow-weather").click()
        await expect(row.get_by_role("button", name="Switch on")).to_be_visible()
        await undo(page, "slow-weather is off.")
        await expect(row.get_by_role("button", name="Switch off")).to_be_visible()
        await look_at(page, "alarm-rules")
        await page.get_by_role("link", name="slow-weather").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("slow-weather")
        await expect(page.get_by_role("heading", name="History")).to_be_visible()
        await look_at(page, "alarm-rule")
        await page.get_by_role("button", name="Delete the rule").click()
        await agree(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Alarm rules")
        await expect(row).to_have_count(0)


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[tuple[str, list[str]]]:
    """A receiver of webhooks, and what it was told."""
    told: list[str] = []

    async def take(request: web.Request) -> web.Response:
        told.append((await request.json())["event"])
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/secret-path", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/secret-path", told
    await runner.cleanup()


async def test_a_webhook_is_added_tested_and_deleted(demo: Demo, receiver: tuple[str, list[str]]) -> None:
    url, told = receiver
    async with open_page(f"{demo.engine}/console/alarms/webhooks", expected=_REFUSED) as page:
        await settled(page)
        await page.get_by_label("Name").fill("office")
        await page.get_by_label("Address").fill("ftp://nowhere")
        await page.get_by_role("button", name="Save the webhook").click()
        await expect(page.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Address").fill(url)
        await page.get_by_label("Secret").fill("s3cret-word")
        await page.get_by_role("button", name="Save the webhook").click()
        await page.get_by_role("button", name="Test office").click()
        await expect(page.get_by_text("office took the test message.")).to_be_visible()
        assert told == ["test"]
        assert "secret-path" not in await page.content()
        assert "s3cret-word" not in await page.content()
        await look_at(page, "alarm-webhooks")
        await page.get_by_role("button", name="Delete office").click()
        assert "office" in await agree(page)
        await expect(page.get_by_text("there is no webhook")).to_be_visible()


async def test_events_are_searched_followed_and_say_what_changed(demo: Demo) -> None:
    item = {"key": "greeting", "labels": {"app": "weathermap", "environment": "", "service": "forecast"}}
    await call(demo, "PUT", "/waggle/v1/config/items", {**item, "value": "good morning"})
    async with open_page(f"{demo.engine}/console/events?q=greeting") as page:
        await settled(page)
        await expect(page.locator("tbody tr")).to_have_count(1)
        await call(demo, "PUT", "/waggle/v1/config/items", {**item, "value": "good evening"})
        newest = page.locator("tbody tr").first
        await expect(page.locator("tbody tr")).to_have_count(2)
        await expect(newest).to_contain_text("changed config")
        await newest.locator("summary").click()
        await expect(newest.locator("del")).to_have_text("-good morning")
        await expect(newest.locator("ins")).to_have_text("+good evening")
        await look_at(page, "events")
        await newest.get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("greeting")


async def test_events_are_narrowed_and_paged_back_in_time(demo: Demo) -> None:
    for number in range(101):
        await call(
            demo,
            "PUT",
            "/waggle/v1/config/items",
            {"key": f"many.{number:03}", "value": "x", "labels": {"app": "many"}},
        )
    async with open_page(f"{demo.engine}/console/events?q=many.") as page:
        await settled(page)
        rows = page.locator("tbody tr")
        await expect(rows).to_have_count(100)
        await expect(rows.first).to_contain_text("many.100")
        await page.get_by_role("link", name="Older").click()
        await expect(rows).to_have_count(1)
        await expect(rows.first).to_contain_text("many.000")
        await page.get_by_role("link", name="To the newest").click()
        await expect(rows).to_have_count(100)
        await page.get_by_label("Kind").select_option("alarm-rule")
        await expect(page.get_by_text("Nothing of this kind happened.")).to_be_visible()
        await page.get_by_label("Kind").select_option("config")
        await expect(rows).to_have_count(100)
        await page.get_by_text("Author, service, time").click()
        await page.get_by_label("Author", exact=True).fill("nobody-at-all")
        await expect(page.get_by_text("Nothing of this kind happened.")).to_be_visible()
