"""The configuration as a person works with it: finds, writes, compares, takes back, releases gradually, moves as files."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from playwright.async_api import expect

from tests.console.looking import look_at, settled
from tests.console.working import agree, write
from tests.e2e.browser import open_page
from tests.e2e.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="module")
FORECAST = {"app": "weathermap", "environment": "", "service": "forecast"}
ALL = {"app": "weathermap", "environment": ""}


def address(demo: Demo, page: str, key: str, labels: dict[str, str] = FORECAST) -> str:
    query = [("key", key), *(("label", f"{name}:{value}") for name, value in labels.items())]
    return f"{demo.engine}/console/configuration{page}?{urlencode(query)}"


async def put(demo: Demo, key: str, value: str, labels: dict[str, str] = FORECAST, **members: object) -> Any:
    """An item that is stored by somebody else."""
    body = {"key": key, "value": value, "labels": labels, **members}
    headers = {"X-Waggle-Author": "somebody"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.put(f"{demo.engine}/waggle/v1/config/items", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return (await answer.json())["item"]


async def value(demo: Demo, key: str, labels: dict[str, str] = FORECAST) -> str | None:
    """The value of an item as it is stored, none where it is not there."""
    query = [("key", key), *(("label", f"{name}:{text}") for name, text in labels.items())]
    url = f"{demo.engine}/waggle/v1/config/items/one"
    async with aiohttp.ClientSession() as session, session.get(url, params=query) as answer:
        return str((await answer.json())["value"]) if answer.status == 200 else None


async def test_items_are_found_by_tree_by_beginning_and_by_search(demo: Demo) -> None:
    await put(demo, "latency", "200")
    await put(demo, "servicecomb.retry.all", "maxAttempts: 2\nmaxAtempts: 3\n", ALL)
    await put(demo, "cart.size", "5", {"app": "shop", "environment": "production", "service": "cart"})
    async with open_page(f"{demo.engine}/console/configuration") as page:
        await look_at(page, "configuration")
        tree = page.get_by_role("complementary", name="Labels")
        await tree.get_by_role("link", name="weathermap").click()
        await tree.get_by_role("link", name="empty environment").click()
        await expect(page.locator("tbody").get_by_role("link", name="cart.size")).to_have_count(0)
        row = page.get_by_role("row", name="servicecomb.retry.all")
        await expect(row).to_contain_text("warning")
        await expect(row).to_contain_text("somebody@127.0.0.1")
        await page.get_by_role("navigation", name="Beginnings of keys").get_by_role("link", name="servicecomb.").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.goto(f"{demo.engine}/console/configuration")
        await settled(page)
        await page.keyboard.press("/")
        await page.keyboard.type("SERVICE=CART")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.get_by_role("row", name="cart.size")).to_contain_text("production")
        await put(demo, "cart.colour", "red", {"app": "shop", "environment": "production", "service": "cart"})
        await expect(page.get_by_role("row", name="cart.colour")).to_be_visible()
        await page.get_by_role("link", name="cart.colour").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("cart.colour")
        await expect(page.get_by_role("textbox", name="Value")).to_have_text("red")
        await expect(page.get_by_role("main")).to_have_count(1)


async def test_a_value_is_checked_as_one_types_reviewed_saved_and_taken_back(demo: Demo) -> None:
    key = "servicecomb.retry.forecast"
    await put(demo, key, "maxAttempts: 2\n")
    async with open_page(address(demo, "/item", key)) as page:
        await settled(page)
        await write(page, "maxAttempts: 3\nretryOnSame: many\n")
        told = page.locator("[data-editor-problems]")
        await expect(told).to_contain_text("line 2, column")
        await expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('.cm-editor') === null"), "Tab leaves the editor"
        await told.get_by_role("button", name="line 2").click()
        await page.get_by_role("button", name="Review the change").click()
        review = page.get_by_role("region", name="What would change")
        await expect(review.locator(".diff-view")).to_contain_text("retryOnSame: many")
        await look_at(page, "configuration-review")
        assert await value(demo, key) == "maxAttempts: 2\n", "a review changes nothing"
        await write(page, "maxAttempts: 3\n")
        await page.get_by_role("button", name="Review the change").click()
        await expect(review).to_contain_text("Instances that read it: 1, of forecast")
        await expect(review.get_by_role("checkbox")).to_have_count(0)
        await review.get_by_role("button", name="Save").click()
        await expect(page.get_by_text(f"{key} is saved")).to_be_visible()
        assert await value(demo, key) == "maxAttempts: 3\n"
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_role("textbox", name="Value")).to_contain_text("maxAttempts: 2")
        assert await value(demo, key) == "maxAttempts: 2\n"


async def test_what_does_not_parse_is_saved_only_if_one_says_so(demo: Demo) -> None:
    await put(demo, "page.json", "{}", value_type="json")
    async with open_page(address(demo, "/item", "page.json")) as page:
        await settled(page)
        await write(page, "{")
        await page.get_by_role("button", name="Review the change").click()
        review = page.get_by_role("region", name="What would change")
        await review.get_by_role("button", name="Save").click()
        assert await value(demo, "page.json") == "{}", "the box is required"
        await review.get_by_role("checkbox").check()
        await review.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("page.json is saved")).to_be_visible()
        assert await value(demo, "page.json") == "{"


async def test_nobody_overwrites_unawares_what_somebody_else_has_saved(demo: Demo) -> None:
    await put(demo, "shared", "one")
    async with open_page(address(demo, "/item", "shared")) as page:
        await settled(page)
        await write(page, "mine")
        await page.get_by_role("button", name="Review the change").click()
        review = page.get_by_role("region", name="What would change")
        await expect(review.get_by_role("button", name="Save")).to_be_visible()
        await put(demo, "shared", "theirs")
        await expect(page.locator("#newer")).to_contain_text("somebody@127.0.0.1 has saved revision")
        await expect(page.get_by_role("textbox", name="Value")).to_have_text("mine")
        await review.get_by_role("button", name="Save").click()
        await expect(review.get_by_role("alert")).to_contain_text("somebody@127.0.0.1 has saved revision")
        await expect(review.locator(".diff-view")).to_contain_text("theirs")
        assert await value(demo, "shared") == "theirs"
        await review.get_by_role("button", name="Save over theirs").click()
        await expect(page.get_by_text("shared is saved")).to_be_visible()
        assert await value(demo, "shared") == "mine"


async def test_versions_are_compared_and_restored(demo: Demo) -> None:
    first = await put(demo, "steps", "a: 1\nb: 1\n", value_type="yaml")
    await put(demo, "steps", "a: 2\nb: 1\n", value_type="yaml")
    await put(demo, "steps", "a: 3\nb: 1\n", status="disabled")
    async with open_page(address(demo, "/history", "steps")) as page:
        await settled(page)
        compared = page.locator("#compared")
        await expect(compared).to_contain_text("enabled → disabled")
        await expect(compared.locator(".cm-deletedChunk, .cm-merge-a .cm-changedLine")).to_contain_text("a: 2")
        await page.get_by_role("radio", name=f"From revision {first['update_revision']}").check()
        await expect(compared.locator(".cm-deletedChunk, .cm-merge-a .cm-changedLine")).to_contain_text("a: 1")
        await look_at(page, "configuration-history")
        await page.get_by_role("button", name=f"Restore {first['update_revision']}").click()
        assert "steps" in await agree(page)
        await expect(page.get_by_text("steps is as it was")).to_be_visible()
        assert await value(demo, "steps") == "a: 1\nb: 1\n"


async def test_disabling_and_deleting_name_whom_they_hit_and_can_be_undone(demo: Demo) -> None:
    await put(demo, "banner", "hello", ALL)
    async with open_page(address(demo, "/item", "banner", ALL)) as page:
        await settled(page)
        await page.get_by_role("button", name="Disable").click()
        asked = await agree(page)
        assert "banner" in asked
        assert "Instances that read it: 6" in asked
        await expect(page.get_by_role("button", name="Enable")).to_be_visible()
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_role("button", name="Disable")).to_be_visible()
        await page.get_by_role("button", name="Delete").click()
        assert "edge-service" in await agree(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Configuration")
        assert await value(demo, "banner", ALL) is None
        await page.locator(".notice", has_text="is deleted").get_by_role("button", name="Undo").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("banner")
        assert await value(demo, "banner", ALL) == "hello"


async def test_a_new_item_says_who_will_read_it_and_whom_it_would_miss(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/configuration/new?label=app:weathermap") as page:
        await settled(page)
        await expect(page.locator("#who")).to_contain_text("Instances that read it: 6")
        await page.get_by_label("Service", exact=True).fill("forecst")
        await page.get_by_label("Version", exact=True).focus()
        await expect(page.locator("#who")).to_contain_text("No registered service asks for exactly these labels")
        await page.get_by_label("Service", exact=True).fill("forecast")
        await page.get_by_label("Version", exact=True).focus()
        await expect(page.locator("#who")).to_contain_text("Instances that read it: 1")
        await page.get_by_label("Key", exact=True).fill("colours")
        await page.get_by_label("Type", exact=True).select_option("yaml")
        await write(page, "a: [red\n")
        await expect(page.locator("[data-editor-problems]")).to_contain_text("error")
        await look_at(page, "configuration-new")
        await write(page, "a: [red]\n")
        await page.get_by_role("button", name="Review the change").click()
        await page.get_by_role("button", name="Create").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("colours")
        assert await value(demo, "colours") == "a: [red]\n"


async def test_a_value_is_given_to_some_instances_first_then_to_all(demo: Demo) -> None:
    await put(demo, "greeting", "hello", ALL)
    async with open_page(address(demo, "/release", "greeting", ALL)) as page:
        await settled(page)
        await write(page, "bonjour", "New value")
        await page.get_by_label("Share in percent").fill("101")
        await page.get_by_role("radio", name="these instances").check()
        await page.get_by_role("button", name="Start the release").click()
        assert await page.locator("#progress").count() == 0, "a share of 101 is refused by the field"
        await page.get_by_label("Share in percent").fill("10")
        await page.get_by_role("button", name="Start the release").click()
        await expect(page.locator("#refusal")).to_contain_text("instances")
        await page.get_by_role("checkbox", name="forecast").check()
        await page.get_by_role("button", name="Start the release").click()
        progress = page.locator("#progress")
        await expect(progress).to_contain_text("1 of 6 instances")
        chosen = progress.get_by_role("row", name="forecast")
        await expect(chosen).to_contain_text("the new value")
        await expect(chosen).to_contain_text("up to date")
        await expect(chosen).not_to_contain_text("cannot be told apart")
        await look_at(page, "configuration-release")
        await page.goto(f"{demo.engine}/console/configuration/releases")
        await expect(page.get_by_role("row", name="greeting")).to_contain_text("1 of 6 instances")
        await page.get_by_role("link", name="greeting").click()
        assert await value(demo, "greeting", ALL) == "hello"
        await page.get_by_role("button", name="Promote to all").click()
        assert "5 more instances get it" in await agree(page)
        await expect(page.get_by_text("All instances get the new value")).to_be_visible()
        assert await value(demo, "greeting", ALL) == "bonjour"


async def test_one_sees_what_a_client_would_have_and_who_listens(demo: Demo) -> None:
    await put(demo, "depth", "10", ALL)
    await put(demo, "depth", "20")
    async with open_page(f"{demo.engine}/console/configuration/preview") as page:
        await settled(page)
        await page.get_by_label("Application").fill("weathermap")
        await page.get_by_label("Service", exact=True).fill("forecast")
        await page.get_by_label("Kind of client").select_option("python")
        row = page.get_by_role("row", name="depth")
        await expect(row).to_contain_text("20")
        await row.get_by_text("hides 1").click()
        await expect(row).to_contain_text("10")
        await look_at(page, "configuration-preview")
        await page.get_by_role("link", name="Who listens").click()
        await expect(page.get_by_role("row", name="forecast 0.0.2")).to_contain_text("service=forecast")
        await page.goto(address(demo, "/readers", "depth"))
        listening = page.locator("#rows").get_by_role("row", name="forecast 0.0.2")
        await expect(listening).to_contain_text("up to date")


async def test_a_file_shows_what_it_would_change_before_it_is_imported(demo: Demo) -> None:
    await put(demo, "there", "old", {"app": "files"})
    file = (
        "items:\n  - {key: there, labels: {app: files}, value: new}\n  - {key: more, labels: {app: files}, value: 1}\n"
    )
    async with open_page(f"{demo.engine}/console/configuration/files") as page:
        await settled(page)
        upload = {"name": "items.yaml", "mimeType": "text/yaml", "buffer": file.replace("value: 1", "valu: 1").encode()}
        await page.get_by_label("A file of this computer").set_input_files([upload])  # type: ignore[list-item]
        await page.get_by_role("button", name="See what would change").click()
        await expect(page.get_by_role("alert")).to_contain_text("line 3")
        await page.get_by_label("A file of this computer").set_input_files([{**upload, "buffer": file.encode()}])  # type: ignore[list-item]
        await page.get_by_role("button", name="See what would change").click()
        review = page.get_by_role("region", name="What would change")
        await expect(review).to_contain_text("1 added")
        await expect(review.locator("del")).to_have_text("-old")
        assert await value(demo, "there", {"app": "files"}) == "old"
        await look_at(page, "configuration-import")
        await review.get_by_role("button", name="Import all of it").click()
        await expect(page.get_by_text("Imported: 1 added, 1 changed, 0 deleted.")).to_be_visible()
        assert await value(demo, "there", {"app": "files"}) == "new"
        async with page.expect_download() as started:
            await page.goto(f"{demo.engine}/console/configuration/files")
            await page.get_by_label("Only items with these labels").fill("app=files")
            await page.get_by_role("button", name="Download").click()
        download = await started.value
        assert download.suggested_filename == "configuration.yaml"
        assert "more" in (await download.path()).read_text()


async def test_without_scripts_an_item_is_written_all_the_same(demo: Demo) -> None:
    item = await put(demo, "plain", "one")
    root = f"{demo.engine}/console/configuration"
    form = [("key", "plain"), *(("label", f"{name}:{text}") for name, text in FORECAST.items())]
    form += [("value", "two\r\nlines"), ("revision", str(item["update_revision"]))]
    async with aiohttp.ClientSession(headers={"Origin": demo.engine}) as session:
        async with session.get(address(demo, "/item", "plain")) as answer:
            shown = await answer.text()
            assert "one</textarea>" in shown
        async with session.post(f"{root}/review", data=form) as answer:
            assert "<ins>+two</ins>" in await answer.text()
        async with session.post(f"{root}/save", data=form, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
    assert await value(demo, "plain") == "two\nlines"
