"""Which group a page is about, and what the API knows of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from registry.console.asking import ApiError
from registry.console.pages.lanes.board import Calls
from registry.console.view import View

ROOT = "/waggle/v1/lane-groups"
ONE = f"{ROOT}/one"
HERE = "/console/lanes"
GROUP = f"{HERE}/group"
_NAMES = ("name", "app", "environment")
Names = Mapping[str, str]
"""What names a group: `name`, `app` and `environment`."""


def named(given: Mapping[str, str]) -> Names:
    """The names in a query or a form."""
    return {name: given.get(name, "").strip() for name in _NAMES}


def names_of(group: Mapping[str, Any]) -> Names:
    """The names of a group as the API answers it."""
    return {name: group["object"].get(name, "") for name in _NAMES}


def path_of(names: Names) -> str:
    """The page of a group."""
    return f"{GROUP}?{urlencode(names)}"


async def there(view: View, names: Names) -> Mapping[str, Any] | None:
    """The group, none where there is none of these names."""
    if not (names["name"] and names["app"]):
        return None
    try:
        found: Mapping[str, Any] = await view.api.get(ONE, names)
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    return found


async def calls_in(view: View) -> Mapping[str, Calls]:
    """Who is known to call whom within each application; nothing where that may not be seen."""
    try:
        graph = await view.api.get("/v4/:project/govern/relations")
    except ApiError:
        return {}
    found: dict[str, list[tuple[str, str]]] = {}
    for line in graph.get("lines") or ():
        if line["from"]["appId"] == line["to"]["appId"]:
            found.setdefault(line["from"]["appId"], []).append((line["from"]["name"], line["to"]["name"]))
    return found
