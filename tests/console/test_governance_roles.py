"""The pages of governance for somebody who may see and not change: nothing to change is shown, and the engine refuses it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect

from registry.console.view import SESSION
from tests.api.access import account, guarded_engine, signed_in
from tests.console.looking import settled
from tests.e2e.browser import open_page
from tests.engine import Client

pytestmark = pytest.mark.asyncio
ITEMS, PAGE = "/waggle/v1/config/items", "/console/governance"
KEY, VALUE = "servicecomb.retry.reads", "maxAttempts: 2\n"
NAME = [("key", KEY), ("label", "app:mall"), ("label", "environment:")]
CALL = [("consumer", "cart"), ("target", "stock"), ("app", "mall"), ("environment", "")]
FORMS = (
    ("/rule", [*NAME, ("mode", "text"), ("text", "maxAttempts: 3"), ("revision", "2")]),
    ("/rule/switch", [*NAME, ("status", "disabled")]),
    ("/rule/delete", NAME),
    ("/rule/restore", [*NAME, ("revision", "1")]),
    ("/release/share", [("service", "stock"), ("app", "mall"), ("environment", ""), ("share", "10")]),
    ("/degrade/on", CALL),
    ("/degrade/off", CALL),
)


async def _reader(client: Client, root: str) -> str:
    """The session of somebody who may read the configuration and the services."""
    resources = [{"type": "config"}, {"type": "service"}]
    role = {"name": "reader", "perms": [{"resources": resources, "verbs": ["get"]}]}
    await client.call("POST", "/v4/roles", role, 200, Authorization=root)
    return (await account(client, root, "reader", "reader")).removeprefix("Bearer ")


async def _post(page: Page, path: str, fields: list[tuple[str, str]]) -> int:
    """Send a form as the page would, had it one."""
    sent = """async ([path, fields]) => {
      const body = new URLSearchParams(fields);
      return (await fetch(path, { method: "POST", headers: { "HX-Request": "true" }, body })).status;
    }"""
    return int(await page.evaluate(sent, [PAGE + path, fields]))


async def test_who_may_only_see_is_shown_no_buttons_and_refused_by_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch) as (_, client):
        root = await signed_in(client)
        item = {"key": KEY, "value": VALUE, "labels": {"app": "mall", "environment": ""}, "status": "enabled"}
        await client.call("PUT", ITEMS, item, 200, Authorization=root)
        session = await _reader(client, root)
        async with open_page(f"{client.url}/console/sign-in", expected="403") as page:
            await page.context.add_cookies([{"name": SESSION, "value": session, "url": f"{client.url}/console"}])
            await page.goto(client.url + PAGE)
            await settled(page)
            await expect(page.get_by_role("button", name="New rule")).to_have_count(0)
            await page.get_by_role("link", name="reads").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text(KEY)
            await expect(page.get_by_label("maxAttempts", exact=True)).to_have_value("2")
            for name in ("Save", "Disable", "Delete", "Roll back to this"):
                await expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
            for path, button in (("/releases", "New gray release"), ("/degrades", "Degrade")):
                await page.goto(client.url + PAGE + path)
                await expect(page.get_by_role("heading", level=1)).to_be_visible()
                await expect(page.get_by_role("main").get_by_text(button, exact=True)).to_have_count(0)
            for path, fields in FORMS:
                assert await _post(page, path, fields) == 403, path
            for path in (
                "/console/governance/rule/new?kind=retry",
                "/console/configuration/new",
                "/console/lanes/edit",
            ):
                await page.goto(client.url + path)
                await expect(page.get_by_role("heading", level=1)).to_have_text("That did not work")
                await expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)
        _, found, _ = await client.call("GET", f"{ITEMS}/one?{urlencode(NAME)}", None, 200, Authorization=root)
        assert (found["value"], found["status"]) == (VALUE, "enabled")  # type: ignore[index,call-overload]
