"""Governance as a person works with it: rules as forms and as texts, gray release and degradation by clicks on the running weathermap."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from playwright.async_api import Page, Route, expect

from tests.console.looking import look_at, settled
from tests.console.working import agree, undo, write
from tests.e2e.browser import open_page
from tests.e2e.demo import Demo
from tests.engine import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
ALL = (("label", "app:weathermap"), ("label", "environment:"))
GROUP = "matches:\n  - apiPath: { prefix: / }\n    method: [GET]\n"


def at(demo: Demo, page: str = "") -> str:
    """The address of a page."""
    return f"{demo.engine}/console/governance{page}"


def rule_at(demo: Demo, key: str) -> str:
    """The address of a rule of the whole application."""
    return at(demo, f"/rule?{urlencode([('key', key), *ALL])}")


async def put(demo: Demo, key: str, value: str) -> None:
    """A rule of the whole application that is there."""
    item = {"key": key, "value": value, "labels": {"app": "weathermap", "environment": ""}, "status": "enabled"}
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{demo.engine}/waggle/v1/config/items", json=item) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def stored(demo: Demo, key: str) -> dict[str, Any] | None:
    """The item as it is stored, none where it is not there."""
    url = f"{demo.engine}/waggle/v1/config/items/one?{urlencode([('key', key), *ALL])}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return dict(await answer.json()) if answer.status == 200 else None


async def told(demo: Demo, times: int) -> Sequence[dict[str, Any]]:
    """What the edge tells of a city, asked so many times, one after the other."""
    url, found = f"{demo.edge}/fusionweather/show", []
    async with aiohttp.ClientSession() as session:
        for _ in range(times):
            async with session.get(url, params={"city": "Berlin"}) as answer:
                assert answer.status == 200, await answer.text()
                found.append(await answer.json())
    return found


async def with_index(demo: Demo, times: int = 8) -> int:
    """In how many of these answers the UV index is, which weather-beta alone knows."""
    return sum("uviValue" in one["currentWeather"] for one in await told(demo, times))


async def becomes(demo: Demo, count: int) -> None:
    """Wait until so many of eight answers have the UV index."""

    async def is_so() -> bool:
        return await with_index(demo) == count

    await eventually(is_so)


async def test_a_gray_release_is_begun_moved_rolled_back_and_finished_by_clicks(demo: Demo) -> None:
    async with open_page(at(demo, "/releases"), expected="409") as page:
        await expect(page.get_by_text("No gray release is running.")).to_be_visible()
        await page.get_by_role("link", name="New gray release").click()
        await page.get_by_label("Service", exact=True).fill("weather")
        await page.get_by_label("New version", exact=True).fill("0.0.3")
        await page.get_by_label("Share of the new version").fill("50")
        await expect(page.locator("output")).to_have_text("50 %")
        await page.get_by_role("button", name="Begin").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Gray release of weather")
        await becomes(demo, 4)
        await expect(page.locator("#now").get_by_text("running")).to_be_visible()
        await look_at(page, "governance-release")
        await page.locator("#now").get_by_role("button", name="100 %").click()
        await undo(page, "100 % of the requests go to the new version.")
        await expect(page.locator("#now output")).to_have_text("50 %")
        await page.locator("#now").get_by_role("button", name="100 %").click()
        await becomes(demo, 8)
        await page.locator("#now").get_by_role("button", name="Roll back", exact=True).click()
        assert await agree(page) == (
            "Roll back weather? All requests go to the 2 instances of 0.0.2, and none to the 1 of 0.0.3."
        )
        await expect(page.locator("#now").get_by_text("rolled back", exact=True).first).to_be_visible()
        await becomes(demo, 0)
        await page.get_by_role("button", name="Finish", exact=True).click()
        assert "requests go to whatever is up: 0.0.2, 0.0.3" in await agree(page)
        await expect(page.locator(".notice.bad")).to_contain_text("requests would go to all of them")
        await page.get_by_role("button", name="Finish all the same").click()
        await agree(page)
        await expect(page.get_by_text("No gray release is running.")).to_be_visible()
    assert await stored(demo, "servicecomb.routeRule.weather") is None


async def test_a_release_by_content_has_bounds_and_what_is_wrong_is_said(demo: Demo) -> None:
    async with open_page(at(demo, "/release?service=forecast&app=weathermap&environment="), expected="400") as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("New gray release")
        await page.get_by_label("New version", exact=True).fill("0.0.9")
        await page.get_by_label("those with all of these headers").check()
        await page.get_by_label("Header 1: Name").fill("type")
        await page.get_by_label("Header 1: Value").fill("gray")
        await page.get_by_label("maxErrorRate").fill("500")
        await page.get_by_role("button", name="Begin").click()
        await expect(page.get_by_role("alert")).to_contain_text("maxErrorRate is 500")
        await expect(page.get_by_label("Header 1: Value")).to_have_value("gray")
        await expect(page.get_by_label("New version", exact=True)).to_have_value("0.0.9")


async def test_a_call_is_degraded_by_one_click_and_taken_back_by_another(demo: Demo) -> None:
    async def is_blank() -> bool:
        return not (await told(demo, 1))[0]["forecastWeather"]

    async def is_back() -> bool:
        return not await is_blank()

    async with open_page(at(demo, "/degrades")) as page:
        row = page.get_by_role("row", name="fusionweather forecast")
        await row.get_by_role("button", name="Degrade").click()
        await undo(page, "fusionweather no longer calls forecast.")
        await expect(row).not_to_contain_text("degraded")
        await row.get_by_role("button", name="Degrade").click()
        await expect(row).to_contain_text("degraded")
        await eventually(is_blank)
        async with open_page(demo.page) as weathermap:
            await expect(weathermap.get_by_text("No forecast at the moment.")).to_be_visible()
        await look_at(page, "governance-degrades")
        await row.get_by_role("button", name="Restore").click()
        await expect(row.get_by_role("button", name="Degrade")).to_be_visible()
        await eventually(is_back)
        history = "/degrade?consumer=fusionweather&target=forecast&app=weathermap&environment="
        await page.goto(at(demo, history))
        await expect(page.locator("tbody tr")).to_have_count(4)
        await expect(page.locator("tbody tr").first).to_contain_text("ended")


async def test_a_rule_is_written_as_a_form_with_what_is_wrong_beside_its_field(demo: Demo) -> None:
    async with open_page(at(demo), expected="422") as page:
        await page.get_by_label("Kind").first.select_option("retry")
        await page.get_by_role("button", name="New rule").click()
        await page.get_by_label("Name", exact=True).fill("reads")
        field = page.get_by_label("waitDuration", exact=True)
        await field.fill("500ms")
        await expect(page.locator("#found")).to_contain_text("which is no duration")
        await page.get_by_role("button", name="Save").click()
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_value("500ms")
        assert await stored(demo, "servicecomb.retry.reads") is None
        await field.fill("0.5S")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("servicecomb.retry.reads")
        item = await stored(demo, "servicecomb.retry.reads")
        assert item is not None
        assert (item["value"], item["status"]) == ('waitDuration: "0.5S"\n', "enabled")
        await expect(page.locator("#found")).to_contain_text("servicecomb.matchGroup.reads is missing")
        await expect(page.locator("#found")).to_contain_text("obeys")
        await look_at(page, "governance-rule-form")


async def test_text_and_form_are_the_same_rule_and_a_comment_keeps_it_a_text(demo: Demo) -> None:
    key = "servicecomb.matchGroup.both"
    await put(demo, key, GROUP)
    async with open_page(rule_at(demo, key)) as page:
        await page.locator("summary", has_text="headers").click()
        await page.get_by_role("button", name="+ Add headers").click()
        await page.get_by_label("headers 1: Name").fill("type")
        await page.get_by_label("headers 1: Value").fill("gray")
        await page.get_by_role("button", name="Text", exact=True).click()
        await expect(page.get_by_role("textbox", name="Text", exact=True)).to_contain_text("exact: gray")
        await page.get_by_role("button", name="Form", exact=True).click()
        await expect(page.get_by_label("headers 1: Value")).to_have_value("gray")
        await page.get_by_role("button", name="Text", exact=True).click()
        await write(page, "# for the tests\nmatches:\n- method: [GET]\n", "Text")
        await page.get_by_role("button", name="Form", exact=True).click()
        await expect(page.get_by_text("line 1: it has a comment")).to_be_visible()
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".notice.good")).to_contain_text("is saved")
        await look_at(page, "governance-rule-text")
        item = await stored(demo, key)
        assert item is not None
        assert item["value"] == "# for the tests\nmatches:\n- method: [GET]\n"
        await _taken_back(demo, page, key)


async def _taken_back(demo: Demo, page: Page, key: str) -> None:
    """What it changed is seen; it is rolled back, disabled, deleted, and there again."""
    await page.get_by_role("button", name="What it changed").first.click()
    await expect(page.locator("#difference ins")).to_contain_text(["+# for the tests"])
    await page.get_by_role("button", name="Roll back to this").click()
    await expect(page.get_by_role("textbox", name="method")).to_have_value("GET")
    assert (await stored(demo, key) or {})["value"] == GROUP
    await page.get_by_role("button", name="Disable").click()
    assert "From then on 6 instances of" in await agree(page)
    await page.get_by_role("button", name="Enable").click()
    await expect(page.get_by_role("button", name="Disable")).to_be_visible()
    await page.get_by_role("button", name="Delete").click()
    await agree(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Governance")
    assert await stored(demo, key) is None
    await undo(page, "is deleted")
    await expect(page.get_by_role("heading", level=1)).to_have_text(key)
    assert (await stored(demo, key) or {})["value"] == GROUP


async def test_what_somebody_else_has_saved_is_not_overwritten_unseen(demo: Demo) -> None:
    key = "servicecomb.bulkhead.both"
    await put(demo, key, "maxConcurrentCalls: 1\n")
    async with open_page(rule_at(demo, key), expected="409") as page:
        await page.get_by_label("maxConcurrentCalls").fill("2")
        await put(demo, key, "maxConcurrentCalls: 3\n")
        await page.get_by_role("button", name="Save", exact=True).click()
        change = page.get_by_role("region", name="What would change")
        await expect(change.get_by_role("alert")).to_contain_text("has saved revision")
        await expect(change.locator(".diff-view")).to_contain_text("maxConcurrentCalls: 3")
        await expect(page.get_by_label("maxConcurrentCalls")).to_have_value("2")
        assert (await stored(demo, key) or {})["value"] == "maxConcurrentCalls: 3\n"
        await put(demo, key, "maxConcurrentCalls: 4\n")
        await change.get_by_role("button", name="Save over theirs").click()
        await expect(change.locator(".diff-view")).to_contain_text("maxConcurrentCalls: 4")
        assert (await stored(demo, key) or {})["value"] == "maxConcurrentCalls: 4\n", (
            "of two changes the second is seen, too"
        )
        await page.get_by_role("button", name="Save over theirs").click()
        await expect(page.locator(".notice.good")).to_contain_text("is saved")
        assert (await stored(demo, key) or {})["value"] == "maxConcurrentCalls: 2\n"
        await put(demo, key, "maxConcurrentCalls: 5\n")
        await page.get_by_role("button", name="Delete").click()
        await agree(page)
        await expect(page.locator(".notice.bad")).to_contain_text("it is at revision")
        assert await stored(demo, key) is not None, "what nobody has seen is not deleted"


async def test_a_request_is_explained_with_the_draft_that_is_in_the_editor(demo: Demo) -> None:
    async with open_page(at(demo, "/rule/new?kind=routeRule")) as page:
        await page.get_by_label("Service that is called").fill("weather")
        await page.get_by_role("button", name="Text", exact=True).click()
        await write(page, "- route: [{weight: 100, tags: {version: 0.0.3}}]", "Text")
        await page.get_by_text("Preview of a request with this rule").click()
        await page.get_by_label("From the consumer").fill("fusionweather")
        await page.get_by_label("To the service").fill("weather")
        await page.get_by_role("button", name="Show what becomes of it").click()
        shares = page.locator(".shares li")
        await expect(shares).to_have_count(1)
        await expect(shares).to_contain_text("100 %")
        await expect(shares).to_contain_text("0.0.3")
        await expect(page.locator("#explained")).to_contain_text("draft")
        await look_at(page, "governance-explained")
    assert await stored(demo, "servicecomb.routeRule.weather") is None


async def test_rules_are_found_by_kind_state_and_text_by_the_keyboard_alone(demo: Demo) -> None:
    await put(demo, "servicecomb.timeLimiter.lonely", "timeoutDuration: 1S\n")
    async with open_page(f"{demo.engine}/console") as page:
        await settled(page)
        await page.keyboard.press("g")
        await page.keyboard.press("r")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Governance")
        await page.keyboard.press("/")
        await page.keyboard.type("lonely")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("tbody")).to_contain_text("no Java runtime applies a timeLimiter")
        await look_at(page, "governance-rules")
        await page.get_by_label("State").select_option("error")
        await expect(page.get_by_text("No rule matches.")).to_be_visible()
        await page.get_by_label("State").select_option("warning")
        await page.locator("tbody a").first.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("servicecomb.timeLimiter.lonely")


async def test_a_rule_that_is_written_elsewhere_appears_in_the_open_list(demo: Demo) -> None:
    async with open_page(at(demo, "?q=newcomer")) as page:
        await settled(page)
        await expect(page.locator("tbody tr")).to_have_count(0)
        await put(demo, "servicecomb.rateLimiting.newcomer", "rate: 5\n")
        await expect(page.locator("tbody tr")).to_have_count(1)


async def test_a_refresh_that_comes_late_does_not_replace_what_was_found(demo: Demo) -> None:
    for name in ("late.one", "late.two"):
        await put(demo, f"servicecomb.rateLimiting.{name}", "rate: 5\n")
    late: asyncio.Future[Route] = asyncio.get_running_loop().create_future()

    async def hold(route: Route) -> None:
        """The refresh, until something newer has been found."""
        if late.done() or "q=late.one" in route.request.url:
            await route.continue_()
        else:
            late.set_result(route)

    async with open_page(at(demo, "?q=late")) as page:
        await settled(page)
        await page.route("**/console/governance?*", hold)
        await put(demo, "servicecomb.rateLimiting.late.three", "rate: 5\n")
        held = await late
        await page.get_by_role("searchbox").fill("late.one")
        await expect(page.locator("tbody tr")).to_have_count(1)
        async with page.expect_response(lambda answer: answer.request == held.request):
            await held.continue_()
        await settled(page)
        await expect(page.locator("tbody tr")).to_have_count(1)
