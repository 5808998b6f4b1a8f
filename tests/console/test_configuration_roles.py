"""The pages of the configuration show what a role may see, and change what it may change: the API says so, not the pages."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.api.access import account, guarded_engine, signed_in
from tests.engine import Client

ITEMS = "/waggle/v1/config/items"
PAGE = "/console/configuration"
LABELS = [("label", "app:mall"), ("label", "environment:")]


async def page(client: Client, path: str, token: str, form: list[tuple[str, str]] | None = None) -> tuple[int, str]:
    """Status and text of a page, as a browser that has signed in gets it."""
    headers = {"Cookie": f"waggle-session={token.removeprefix('Bearer ')}", "Origin": client.url}
    method = "GET" if form is None else "POST"
    async with client.session.request(
        method, client.url + path, headers=headers, data=form, allow_redirects=False
    ) as answer:
        return answer.status, await answer.text()


async def test_a_role_for_one_application_sees_and_changes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch) as (_, client):
        root = await signed_in(client)
        for app in ("mall", "shop"):
            item = {"key": f"of.{app}", "value": "one", "labels": {"app": app, "environment": ""}}
            await client.call("PUT", ITEMS, item, 200, Authorization=root)
        resource = {"type": "config", "labels": {"app": "mall"}}
        role = {"name": "reader", "perms": [{"resources": [resource], "verbs": ["get"]}]}
        await client.call("POST", "/v4/roles", role, 200, Authorization=root)
        reader = await account(client, root, "reader", "reader")

        status, shown = await page(client, PAGE, reader)
        assert (status, "shop" in shown, "New item" in shown) == (200, False, False)
        assert "choose them in the tree" in shown
        status, shown = await page(client, f"{PAGE}?label=app:mall", reader)
        assert (status, "of.mall" in shown) == (200, True)
        assert (await page(client, f"{PAGE}?label=app:shop", reader))[1].count("of.shop") == 0

        name = [("key", "of.mall"), *LABELS]
        status, shown = await page(client, f"{PAGE}/item?{urlencode(name)}", reader)
        assert (status, " readonly" in shown, "Review the change" in shown, "Delete" in shown) == (
            200,
            True,
            False,
            False,
        )
        for path, fields in (
            ("save", [("value", "two"), ("revision", "1")]),
            ("status", [("status", "disabled")]),
            ("delete", []),
            ("release/start", [("value", "two"), ("share", "100")]),
        ):
            status, _ = await page(client, f"{PAGE}/{path}", reader, [*name, *fields])
            assert status == 403, path
        other = [("key", "of.shop"), ("label", "app:shop"), ("label", "environment:")]
        for path in ("item", "history", "readers", "release"):
            assert (await page(client, f"{PAGE}/{path}?{urlencode(other)}", reader))[0] == 403, path
        _, found, _ = await client.call("GET", f"{ITEMS}?{urlencode(LABELS)}", None, 200, Authorization=root)
        assert [item["value"] for item in found["data"]] == ["one"]  # type: ignore[index]


async def test_who_has_not_signed_in_is_sent_to_do_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch) as (_, client):
        for path in ("", "/item?key=a", "/preview", "/listeners", "/files", "/releases", "/export"):
            status, _ = await page(client, PAGE + path, "Bearer ")
            assert status in (200, 303), path
            if status == 200:
                assert path in ("/preview", "/files"), f"{path} shows something of the configuration"
