"""Chapter 3 of the guide by clicks: access is observed, seen to be ready, enforced; a developer sees but may not change; and off again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.console.looking import look_at
from tests.console.working import agree, undo
from tests.e2e.browser import open_page
from tests.e2e.demo import Demo, ready
from tests.engine import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT_PASSWORD = "Root-pass-1"
_PASSWORD = "Weather-2-go"
_LONG = 120_000
"""Milliseconds after which every service has asked for a token again."""
_REFUSED = "status of 4"
"""What the browser's console says of a form that the engine refused."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    """A weathermap whose services have had an account since their start, on a new engine that observes."""
    credentials = {
        "WAGGLE_ACCESS": "observe",
        "SC_INIT_ROOT_PASSWORD": ROOT_PASSWORD,
        "servicecomb_credentials_account_name": "root",
        "servicecomb_credentials_account_password": ROOT_PASSWORD,
        "servicecomb_service_registry_instance_healthCheck_interval": "1",
    }
    async with ready("--beta", environ=credentials) as started:
        await eventually(lambda: _all_have_signed_in(started), 120)
        yield started


async def _all_have_signed_in(demo: Demo) -> bool:
    """A service that was there before the engine asks for its token after a minute."""
    return bool((await call(demo, "GET", "/waggle/v1/access/readiness"))["ready"])


async def call(
    demo: Demo, method: str, path: str, body: object = None, *, name: str = "root", expect: int = 200
) -> Any:
    """A request of somebody else, who has a token."""
    async with aiohttp.ClientSession(demo.engine) as session:
        password = ROOT_PASSWORD if name == "root" else _PASSWORD
        async with session.post("/v4/token", json={"name": name, "password": password}) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['token']}"} if answer.status == 200 else {}
        async with session.request(method, path, json=body, headers=headers) as answer:
            assert answer.status == expect, await answer.text()
            return await answer.json() if await answer.read() else None


async def sign_in(page: Page, name: str = "root", password: str = ROOT_PASSWORD) -> None:
    await page.get_by_label("Account").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.keyboard.press("Enter")


async def mode_is(page: Page, text: str) -> None:
    await expect(page.locator("#switch .state .badge")).to_have_text(text)


async def test_access_is_turned_on_by_clicks_and_off_again(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/access", expected=_REFUSED) as page:
        await sign_in(page)
        await mode_is(page, "observed")
        await page.get_by_role("button", name="Turn it off").click()
        assert "root" in await agree(page)
        await mode_is(page, "off")
        await expect(page.locator(".warning-bar")).to_be_visible()
        await look_at(page, "access-off")
        await page.reload()

        await page.get_by_role("button", name="Observe").click()
        await expect(page.get_by_text("Root's password is needed")).to_be_visible()
        await page.get_by_label("Root's password").fill("Wrong-pass-1")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Root's password is needed")).to_have_count(0)
        await expect(page.get_by_label("Root's password")).to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Root's password").fill(ROOT_PASSWORD)
        await page.keyboard.press("Enter")
        await mode_is(page, "observed")
        await expect(page.get_by_text("Nobody would be refused.")).to_be_visible(timeout=_LONG)
        await page.get_by_role("button", name="Enforce", exact=True).click()
        assert "instances are registered" in await agree(page)
        await mode_is(page, "enforced")
        await undo(page, "Access control is enforced.")
        await mode_is(page, "observed")
        await page.get_by_role("button", name="Enforce", exact=True).click()
        await agree(page)
        await mode_is(page, "enforced")
        await _a_developer_sees_but_may_not_change(demo)
        await page.get_by_role("button", name="Back to observing").click()
        await mode_is(page, "observed")
        await page.get_by_role("link", name="Accounts").click()
        await expect(page.get_by_role("row", name="ghost 127.0.0.1")).to_be_visible()


async def _a_developer_sees_but_may_not_change(demo: Demo) -> None:
    perms = [{"resources": [{"type": "service"}, {"type": "config"}], "verbs": ["get"]}]
    await call(demo, "POST", "/v4/roles", {"name": "reader", "perms": perms})
    await call(demo, "POST", "/v4/accounts", {"name": "anna", "password": _PASSWORD, "roles": ["reader"]})
    async with open_page(f"{demo.engine}/console/services", expected=_REFUSED) as page:
        await expect(page).to_have_url(re.compile("/console/sign-in"))
        await look_at(page, "sign-in")
        await page.reload()
        await sign_in(page, "anna", "Weather-2-come")
        await expect(page.get_by_role("alert")).to_have_text("User name or password is wrong")
        await sign_in(page, "anna", _PASSWORD)
        await expect(page).to_have_url(f"{demo.engine}/console/services")
        await expect(page.get_by_role("link", name="fusionweather")).to_be_visible()
        await expect(page.get_by_role("link", name="Alarms")).to_have_count(0)
        await page.get_by_role("link", name="Access", exact=True).click()
        await mode_is(page, "enforced")
        await expect(page.get_by_text("You may not change access control.")).to_be_visible()
        await expect(page.get_by_role("button", name="Turn it off")).to_have_count(0)
        await page.get_by_role("link", name="Your account").click()
        await expect(page.get_by_text("anna", exact=True)).to_be_visible()
        await look_at(page, "access-own")
        await call(demo, "DELETE", "/v4/accounts/anna")
        await page.goto(f"{demo.engine}/console/configuration")
        await expect(page.get_by_text("Your session has ended.")).to_be_visible()
        for _ in range(3):
            await sign_in(page, "ghost", "Wrong-pass-1")
            await expect(page.get_by_role("alert")).to_have_text("User name or password is wrong")
            await page.goto(f"{demo.engine}/console/sign-in?next=%2Fconsole%2Fservices")
        await sign_in(page, "ghost", "Wrong-pass-1")
        await expect(page.get_by_role("alert")).to_contain_text("this name is locked for your address")


async def test_whoever_would_break_is_named_with_what_to_set(demo: Demo) -> None:
    service = {
        "serviceName": "stranger",
        "appId": "shop",
        "version": "1.0.0",
        "framework": {"name": "servicecomb-java-chassis", "version": "3.2.1"},
    }
    instance = {"endpoints": ["rest://127.0.0.1:9"], "hostName": "far", "status": "UP"}
    async with aiohttp.ClientSession(f"{demo.engine}/v4/default/registry/") as session:
        async with session.post("microservices", json={"service": service}) as answer:
            service_id = (await answer.json())["serviceId"]
        async with session.post(f"microservices/{service_id}/instances", json={"instance": instance}) as answer:
            assert answer.status == 200
        async with open_page(f"{demo.engine}/console/access", expected=_REFUSED) as page:
            await sign_in(page)
            row = page.get_by_role("row", name="stranger")
            await expect(row.get_by_text("would be refused")).to_be_visible()
            await expect(page.get_by_text("What to set in Java Chassis")).to_be_visible()
            await expect(page.get_by_text("servicecomb.credentials.account.name=NAME")).to_be_visible()
            await look_at(page, "access-readiness")
            await page.reload()
            await page.get_by_role("button", name="Enforce", exact=True).click()
            assert "stranger 1.0.0 (1)" in await agree(page)
            await mode_is(page, "enforced")
            await page.get_by_role("button", name="Back to observing").click()
            await mode_is(page, "observed")

            await page.get_by_label("Applications").fill("weathermap")
            await page.keyboard.press("Tab")
            await expect(page.get_by_text("Nobody would be refused.")).to_be_visible(timeout=_LONG)
            await page.get_by_role("button", name="Enforce", exact=True).click()
            await agree(page)
            await expect(page.locator("#switch code")).to_have_text("weathermap")
            await page.get_by_role("button", name="Back to observing").click()
            await mode_is(page, "observed")
        async with session.delete(f"microservices/{service_id}?force=1") as answer:
            assert answer.status == 200


async def test_accounts_are_made_changed_and_deleted(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/access/accounts", expected=_REFUSED) as page:
        await sign_in(page)
        await page.get_by_label("Name").fill("orders")
        await page.get_by_label("Password", exact=True).fill("short")
        await page.get_by_label("developer").check()
        await page.get_by_role("button", name="Create the account").click()
        await expect(page.get_by_label("Password", exact=True)).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("Name")).to_have_value("orders")
        await page.get_by_label("Password", exact=True).fill(_PASSWORD)
        await page.keyboard.press("Enter")
        link = page.get_by_role("link", name="orders")
        await expect(link).to_be_visible()
        await expect(page.get_by_label("Name")).to_have_value("")

        await link.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("orders")
        await page.get_by_label("admin").check()
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("orders has the roles admin, developer")).to_be_visible()
        assert (await call(demo, "GET", "/v4/accounts/orders"))["roles"] == ["admin", "developer"]
        await undo(page, "orders has the roles admin, developer")
        await expect(page.get_by_text("orders has the roles developer")).to_be_visible()
        await page.get_by_label("New password").fill("Weather-3-go")
        await page.get_by_role("button", name="Replace the password").click()
        await expect(page.get_by_text("The password of orders was replaced.")).to_be_visible()

        await page.get_by_role("button", name="Delete the account").click()
        await page.locator("#confirm input").fill("orders")
        assert "orders" in await agree(page)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")
        await expect(page.get_by_role("link", name="orders")).to_have_count(0)
        await look_at(page, "access-accounts")
        await call(demo, "GET", "/v4/accounts/orders", expect=400)


async def test_a_role_is_made_by_a_form_and_its_end_is_taken_back(demo: Demo) -> None:
    async with open_page(f"{demo.engine}/console/access/roles", expected=_REFUSED) as page:
        await sign_in(page)
        await page.get_by_role("link", name="New role").click()
        await page.get_by_label("Name", exact=True).fill("mall")
        await page.get_by_role("button", name="Save the role").click()
        await expect(page.get_by_text("At least one is needed.")).to_have_count(2)
        first = page.get_by_role("group", name="Permission 1")
        await first.get_by_label("service", exact=True).check()
        await first.get_by_label("get", exact=True).check()
        await first.get_by_label("Application").fill("mall")
        await page.get_by_role("button", name="One permission more").click()
        second = page.get_by_role("group", name="Permission 2")
        await second.get_by_label("config", exact=True).check()
        await second.get_by_label("*", exact=True).check()
        await page.get_by_role("button", name="Save the role").click()
        await expect(page.get_by_role("row", name="mall")).to_contain_text("appId=mall")
        await look_at(page, "access-roles")
        wanted = [
            {"resources": [{"type": "service", "labels": {"appId": "mall"}}], "verbs": ["get"]},
            {"resources": [{"type": "config"}], "verbs": ["*"]},
        ]
        assert (await call(demo, "GET", "/v4/roles/mall"))["perms"] == wanted

        await page.get_by_role("link", name="mall").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("mall")
        await page.get_by_role("button", name="Delete the role").click()
        assert "mall" in await agree(page)
        await expect(page.get_by_role("row", name="mall")).to_have_count(0)
        await undo(page, "The role mall was deleted.")
        await expect(page.get_by_role("row", name="mall")).to_contain_text("appId=mall")
        assert (await call(demo, "GET", "/v4/roles/mall"))["perms"] == wanted
