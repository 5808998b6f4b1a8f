"""Lanes as a person works with them: groups drawn as lanes, made and changed by clicks, refusals with their reason."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from registry.console.view import TENANT
from tests.api.lanes import BASE, GRAY, UNITS, LaneClient
from tests.console.looking import look_at, settled
from tests.console.working import agree, undo
from tests.e2e.browser import open_page
from tests.engine import EngineProcess, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
GROUP = {"name": "lane-test", "app": "mall", "environment": ""}
ENTRY: dict[str, Any] = {"gateway": "edge", "target": "controller", "lanes": [BASE, GRAY]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """The engine of the module; each test has a project of its own."""
    async with running_engine(tmp_path_factory.mktemp("engine") / "data") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def lanes(engine: EngineProcess) -> AsyncIterator[LaneClient]:
    """Where the three services of the baseline run, and two new ones."""
    async with aiohttp.ClientSession() as session:
        api = LaneClient(session, engine.url, "lane-groups", GROUP)
        for service in UNITS:
            await api.runs(service, "base")
        for service in ("controller", "provider"):
            await api.runs(service, "gray", f"{service}-gray")
        yield api


@contextlib.asynccontextmanager
async def opened(api: LaneClient, path: str = "", *, refused: int = 0) -> AsyncIterator[Page]:
    """The page of lanes in the project of the test; the browser complains of an answer that is `refused`."""
    home = f"{api.registry.partition('/v4/')[0]}/console"
    async with open_page(home, expected=f"status of {refused}" if refused else "") as page:
        cookie = {"name": TENANT, "value": quote(f"default/{api.project}", safe=""), "url": home}
        await page.context.add_cookies([cookie])  # type: ignore[list-item]
        await page.goto(f"{home}/lanes{path}")
        await settled(page)
        yield page


async def kept(api: LaneClient) -> Any:
    """The group as the engine has it."""
    return (await api.ok("GET", "/one"))["object"]


def cell(page: Page, lane: str, service: str) -> Any:
    """What a lane has of a service."""
    row = page.locator("table.lanes tbody tr", has=page.get_by_role("rowheader", name=lane))
    return row.locator(f"td[data-label={service}]")


async def test_a_group_is_made_by_clicks_drawn_as_lanes_turned_on_and_taken_back(lanes: LaneClient) -> None:
    async with opened(lanes) as page:
        await expect(page.get_by_text("There is no lane group yet.")).to_be_visible()
        await page.get_by_role("link", name="New lane group").click()
        for label, text in {"Name": "lane-test", "Gateway": "edge", "Service behind it": "controller"}.items():
            await page.get_by_label(label, exact=True).fill(text)
        await expect(page.get_by_label("Application", exact=True)).to_have_value("mall")
        await page.get_by_label("Components of the baseline").fill("controller consumer provider")
        await page.get_by_role("button", name="Create").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Lanes of lane-test")
        await page.get_by_role("link", name="Add a lane").click()
        await page.get_by_label("Label", exact=True).fill("gray")
        await page.get_by_label("Others").fill("controller-gray provider-gray")
        rule = page.get_by_role("group", name="Rule 1", exact=True)
        await rule.get_by_label("Header").fill("Type")
        await rule.get_by_label("Condition").select_option(label="begins with")
        await rule.get_by_label("Value").fill("gray")
        await page.get_by_role("button", name="Add the lane").click()
        await expect(page.locator("table.lanes").get_by_text("type ^= gray")).to_be_visible()
        assert await page.locator("table.lanes thead th").count() == 4
        await expect(cell(page, "gray", "controller")).to_contain_text("controller-gray")
        await expect(cell(page, "gray", "controller")).to_contain_text("UP")
        await expect(cell(page, "gray", "consumer")).to_have_text("↑ base")
        await expect(cell(page, "base", "consumer")).to_contain_text("UP")
        await page.get_by_role("button", name="Turn on").click()
        await expect(page.locator("#group").get_by_text("on", exact=True)).to_be_visible()
        await settled(page)
        assert (await kept(lanes))["on"] is True
        await look_at(page, "lanes-group")
        await undo(page, "The lanes of lane-test are on.")
        await expect(page.get_by_role("button", name="Turn on")).to_be_visible()
        assert (await kept(lanes))["on"] is False


async def test_what_is_wrong_with_a_lane_is_said_at_its_field_and_nothing_is_changed(lanes: LaneClient) -> None:
    await lanes.put(**ENTRY)
    async with opened(lanes, "/lane?name=lane-test&app=mall&environment=", refused=400) as page:
        await page.get_by_label("Label", exact=True).fill("Not A Label")
        await page.get_by_label("Others").fill("store-gray")
        await page.get_by_role("button", name="Add the lane").click()
        label = page.get_by_label("Label", exact=True)
        await expect(label).to_have_attribute("aria-invalid", "true")
        await expect(label).to_have_value("Not A Label")
        await expect(page.locator("#label-about")).to_contain_text("write small letters, digits")
        await expect(page.get_by_label("store-gray", exact=True)).to_be_checked()
        await look_at(page, "lanes-refused")
        assert len((await kept(lanes))["lanes"]) == 2


async def test_a_form_that_is_older_than_the_group_overwrites_nothing_unless_one_insists(lanes: LaneClient) -> None:
    await lanes.put(**ENTRY)
    async with opened(lanes, "/edit?name=lane-test&app=mall&environment=", refused=409) as page:
        await lanes.put(description="of somebody else")
        await page.get_by_label("Description").fill("mine")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        assert (await kept(lanes))["description"] == "of somebody else"
        await page.get_by_label("Save it all the same").check()
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Lanes of lane-test")
        await expect(page.locator("#group").get_by_text("mine")).to_be_visible()


async def test_shares_must_make_a_hundred(lanes: LaneClient) -> None:
    await lanes.put(**ENTRY)
    async with opened(lanes, "/group?name=lane-test&app=mall&environment=", refused=400) as page:
        await page.get_by_role("link", name="Headers or shares").click()
        await page.get_by_label("Shares, whatever its headers are").check()
        await page.get_by_label("base", exact=True).fill("80")
        await page.get_by_label("gray", exact=True).fill("30")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_contain_text("add up to 110")
        assert (await kept(lanes))["routing"] == "content"
        await page.get_by_label("gray", exact=True).fill("20")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#group").get_by_text("by share")).to_be_visible()
        await expect(page.locator("table.lanes").get_by_text("20 %")).to_be_visible()


async def test_the_end_of_a_group_names_what_it_hits_says_why_not_and_can_be_undone(lanes: LaneClient) -> None:
    await lanes.put(**ENTRY)
    async with opened(lanes, "/group?name=lane-test&app=mall&environment=", refused=409) as page:
        await page.get_by_role("button", name="Delete", exact=True).click()
        hit = await agree(page)
        assert (
            hit == "Delete group lane-test with its 2 lanes? 5 instances of controller, consumer, provider are in them."
        )
        await expect(page.get_by_role("alert")).to_contain_text("end the gray instances first")
        assert (await kept(lanes))["name"] == "lane-test"
        await page.get_by_role("button", name="Do it all the same").click()
        assert "end the gray instances first" in await agree(page)
        await expect(page.get_by_text("The group is deleted. Its history is kept.")).to_be_visible()
        await undo(page, "The group lane-test is deleted.")
        await expect(page.locator("table.lanes tbody tr")).to_have_count(2)


async def test_a_lane_is_changed_and_removed_and_old_lanes_come_back_from_the_history(lanes: LaneClient) -> None:
    revision = (await lanes.put(**ENTRY))["revision"]
    async with opened(lanes, "/group?name=lane-test&app=mall&environment=") as page:
        await page.get_by_role("link", name="Change gray").click()
        await page.get_by_label("provider-gray", exact=True).uncheck()
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("Lane gray is saved.")).to_be_visible()
        assert (await kept(lanes))["lanes"][1]["components"] == ["controller-gray"]
        assert (await kept(lanes))["lanes"][1]["rules"] == GRAY["rules"]
        await page.get_by_role("button", name="Remove gray").click()
        assert await agree(page) == "Remove lane gray of lane-test? Its 2 instances get no requests until they end."
        await expect(page.locator("table.lanes tbody tr")).to_have_count(1)
        await page.get_by_role("button", name=f"Roll back to this {revision}").click()
        await agree(page)
        await expect(page.locator("table.lanes tbody tr")).to_have_count(2)
        assert (await kept(lanes))["lanes"][1]["components"] == GRAY["components"]


async def test_the_list_is_live_searched_and_worked_by_the_keyboard_alone(lanes: LaneClient) -> None:
    await lanes.put(**ENTRY)
    async with opened(lanes) as page:
        await expect(cell(page, "gray", "provider").locator(".resident")).to_have_count(1)
        await lanes.runs("provider", "gray", "provider-gray")
        await expect(cell(page, "gray", "provider").locator(".resident")).to_have_count(2)
        await look_at(page, "lanes")
        await page.keyboard.press("/")
        await page.keyboard.type("nowhere")
        await expect(page.get_by_text("No group matches.")).to_be_visible()
        await page.keyboard.press("Control+a")
        await page.keyboard.type("gray")
        await expect(page.get_by_role("button", name="Turn on lane-test")).to_be_visible()
        await settled(page)
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Turn off lane-test")).to_be_visible()
        await page.keyboard.press("n")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Lanes of lane-test")
