"""Services as a person works with them: finds them, sees who lives, takes them offline and back, labels and deletes them."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.console.looking import look_at, settled
from tests.console.working import agree, undo
from tests.e2e.browser import open_page
from tests.e2e.demo import Demo

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def asked(demo: Demo, method: str, path: str, body: object = None) -> Any:
    """An answer of the engine's API."""
    async with aiohttp.ClientSession() as session, session.request(method, f"{demo.engine}{path}", json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json() if answer.content_type == "application/json" else None


async def registered(demo: Demo, name: str, hosts: int = 0, app: str = "shop") -> str:
    """A service with instances that send no heartbeats; its id."""
    service = {"appId": app, "serviceName": name, "version": "1.0.0"}
    instances = [{"hostName": f"{name}-{number}", "endpoints": ["rest://127.0.0.1:9"]} for number in range(hosts)]
    body = {"service": service, "instances": instances}
    return str((await asked(demo, "POST", "/v4/default/registry/microservices", body))["serviceId"])


async def page_of(demo: Demo, service: str, version: str) -> str:
    found = await asked(demo, "GET", f"/waggle/v1/services?app=weathermap&service={service}&version={version}")
    return f"{demo.engine}/console/services/{found['services'][0]['serviceId']}"


def rows(page: Page) -> Any:
    """The rows of the page's first table."""
    return page.locator("table").first.locator("tbody tr")


async def test_services_are_searched_and_filtered(demo: Demo) -> None:
    await registered(demo, "empty-one")
    async with open_page(f"{demo.engine}/console/services") as page:
        await expect(page.get_by_role("row", name="fusionweather")).to_contain_text("1 / 1")
        await look_at(page, "services")
        await page.get_by_role("searchbox").fill("WEATHER 0.0.2")
        await expect(page.get_by_text("No service matches.")).to_be_visible()
        await page.get_by_role("searchbox").fill("WEATHER")
        await page.get_by_role("combobox", name="Version").select_option("0.0.3")
        await expect(rows(page)).to_have_count(1)
        await expect(page.get_by_role("status").filter(has_text="1 services, 1 versions")).to_be_visible()
        await expect(page).to_have_url(
            f"{demo.engine}/console/services?q=WEATHER&app=&version=0.0.3&framework=&status="
        )
        await page.goto(f"{demo.engine}/console/services?status=NONE")
        await expect(page.get_by_role("row", name="empty-one")).to_contain_text("no instance")
        await expect(page.get_by_role("row", name="fusionweather")).to_have_count(0)
        await page.goto(f"{demo.engine}/console/services?environment=none&app=weathermap")
        await expect(rows(page)).to_have_count(5)


async def test_an_instance_is_taken_offline_and_brought_back(demo: Demo) -> None:
    async with open_page(await page_of(demo, "weather", "0.0.3")) as page:
        await settled(page)
        await expect(page.get_by_role("meter", name="Lease")).to_have_attribute("max", "40.0")
        await page.get_by_role("button", name="Take offline").click()
        question = await agree(page)
        assert "1 instance of weather 0.0.3" in question
        assert "0 others of this version stay up" in question
        await expect(rows(page)).to_contain_text("OUTOFSERVICE")
        await expect(page.locator("#rows > .tools")).to_contain_text("0 of 1 up")
        await undo(page, "is OUTOFSERVICE now.")
        await expect(page.locator("#rows > .tools")).to_contain_text("1 of 1 up")


async def test_a_whole_version_is_taken_offline_and_back_by_the_keyboard(demo: Demo) -> None:
    async with open_page(await page_of(demo, "weather", "0.0.2")) as page:
        await look_at(page, "service")
        await page.get_by_role("button", name="Take all offline").focus()
        await page.keyboard.press("Enter")
        assert "all 2 instances of weather 0.0.2 (weathermap)" in await agree(page)
        await expect(page.locator("#rows > .tools")).to_contain_text("0 of 2 up")
        await undo(page, "2 instances of weather 0.0.2 are OUTOFSERVICE now.")
        await expect(page.locator("#rows > .tools")).to_contain_text("2 of 2 up")
        other = page.get_by_role("link", name="0.0.3")
        await other.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("weather 0.0.3")


async def test_calls_rules_and_schemas_of_a_service_are_shown(demo: Demo) -> None:
    rule = {"key": "servicecomb.retry.weather", "value": "maxAttempts: 2", "labels": {"app": "weathermap"}}
    await asked(demo, "PUT", "/waggle/v1/config/items", rule)
    async with open_page(await page_of(demo, "weather", "0.0.2")) as page:
        await page.get_by_role("link", name="Calls and rules").click()
        await expect(page.locator(".card", has_text="Called by").get_by_role("link")).to_have_text(["fusionweather"])
        await expect(page.get_by_role("link", name="servicecomb.retry.weather")).to_be_visible()
        await look_at(page, "service-links")
        await page.get_by_role("link", name="Schemas").click()
        await expect(page.locator("pre")).to_contain_text("swagger")
        await look_at(page, "service-schemas")


async def test_tags_are_checked_stored_and_taken_back(demo: Demo) -> None:
    service = await registered(demo, "labelled")
    async with open_page(f"{demo.engine}/console/services/{service}/manage", expected="422") as page:
        await look_at(page, "service-manage")
        field = page.get_by_role("textbox", name="Tags")
        await field.fill("stage=blue\nnonsense")
        await page.get_by_role("button", name="Save tags").click()
        await expect(page.get_by_role("alert")).to_have_text("Line 2: write name=value, not nonsense")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_value("stage=blue\nnonsense")
        tags = f"/v4/default/registry/microservices/{service}/tags"
        assert await asked(demo, "GET", tags) == {}
        await field.fill("stage=blue\nteam = weather")
        await page.get_by_role("button", name="Save tags").click()
        await expect(page.locator(".notice", has_text="The tags are stored.")).to_be_visible()
        assert await asked(demo, "GET", tags) == {"tags": {"stage": "blue", "team": "weather"}}
        await undo(page, "The tags are stored.")
        await expect(page.get_by_text("They are as they were.")).to_be_visible()
        await expect(field).to_have_value("")
        assert await asked(demo, "GET", tags) == {}
        await page.get_by_role("textbox", name="Properties").fill("a=b")
        await page.get_by_role("button", name="Save properties").click()
        await expect(page.locator(".notice", has_text="The properties are stored.")).to_be_visible()
        found = await asked(demo, "GET", f"/v4/default/registry/microservices/{service}")
        assert found["service"]["properties"] == {"a": "b"}


async def test_a_service_with_instances_is_deleted_only_where_that_is_wished(demo: Demo) -> None:
    service = await registered(demo, "doomed", 2)
    async with open_page(f"{demo.engine}/console/services/{service}/manage", expected="400") as page:
        await settled(page)
        delete = page.get_by_role("button", name="Delete doomed 1.0.0")
        await delete.click()
        dialog = page.locator("#confirm")
        await expect(dialog).to_contain_text("It has 2 instances, and 0 services call it.")
        await expect(dialog.get_by_role("button", name="Go on")).to_be_disabled()
        await dialog.get_by_role("textbox").fill("doomed")
        await agree(page)
        await expect(page.locator(".notice.bad")).to_be_visible()
        assert await asked(demo, "GET", f"/v4/default/registry/microservices/{service}")
        await page.get_by_role("checkbox", name="with its instances").check()
        await delete.click()
        await dialog.get_by_role("textbox").fill("doomed")
        await agree(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Services")
        await expect(page.get_by_text("doomed 1.0.0 is deleted.")).to_be_visible()
        assert (await asked(demo, "GET", f"/waggle/v1/services?serviceId={service}"))["total"] == 0


async def test_an_instance_has_a_page_and_leaves_by_it(demo: Demo) -> None:
    service = await registered(demo, "lonely", 1)
    async with open_page(f"{demo.engine}/console/services/{service}") as page:
        await rows(page).get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("lonely-0")
        await look_at(page, "instance")
        await page.get_by_label("Set the status").select_option("TESTING")
        await page.get_by_role("button", name="Set", exact=True).click()
        assert "1 instance of lonely 1.0.0: lonely-0" in await agree(page)
        await expect(page.locator("#now")).to_contain_text("TESTING")
        await page.get_by_role("button", name="Unregister").click()
        await agree(page)
        await expect(page.get_by_text("No instance of this version is registered.")).to_be_visible()
        await expect(page.get_by_role("heading", level=1)).to_have_text("lonely 1.0.0")
