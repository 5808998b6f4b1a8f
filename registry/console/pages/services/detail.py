"""A version of a service: its instances, who calls it and whom it calls, rules that concern it, schemas, and what can be changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from registry.api.call import Reply
from registry.console import measures
from registry.console.handling import Page
from registry.console.pages.services.pairs import written
from registry.console.pages.services.reading import (
    MICROSERVICE,
    OFFLINE,
    ROOT,
    STATUSES,
    Looked,
    Row,
    look,
    part_of,
    path_of,
)
from registry.console.view import View

_RULES = 100


def _page(view: View, looked: Looked, tab: str, **facts: Any) -> Reply:
    shared: dict[str, Any] = {"looked": looked, "row": looked.row, "tab": tab, "measures": measures, "path_of": path_of}
    return view.page(f"services/{tab}.html", title=looked.name, **shared, **facts)


async def instances(view: View) -> Reply:
    """The instances of a version, and its other versions."""
    looked = await look(view)
    query = {
        "serviceId": looked.record["serviceId"],
        "contains": view.query.get("q", ""),
        "status": view.query.get("status", ""),
    }
    _, rows = await part_of(view, "/waggle/v1/instances", "instances", query)
    wanted = {name: view.query.get(name, "") for name in ("q", "status")}
    facts: dict[str, Any] = {
        "rows": rows,
        "wanted": wanted,
        "base": f"{looked.path}?{urlencode({name: value for name, value in wanted.items() if value})}",
        "offline": OFFLINE,
        "statuses": STATUSES,
    }
    if view.is_part:
        shared: dict[str, Any] = {"looked": looked, "row": looked.row, "measures": measures, "path_of": path_of}
        return view.part("services/instance_rows.html", **shared, **facts)
    return _page(view, looked, "instances", **facts)


async def links(view: View) -> Reply:
    """Who calls it, whom it calls, and the rules that concern it."""
    looked = await look(view)
    name = looked.record["serviceId"]
    consumers = await view.api.get(f"{MICROSERVICE}/consumers", {"noSelf": 1}, serviceId=name)
    providers = await view.api.get(f"{MICROSERVICE}/providers", {"noSelf": 1}, serviceId=name)
    return _page(
        view,
        looked,
        "links",
        consumers=_sorted(consumers.get("consumers")),
        providers=_sorted(providers.get("providers")),
        rules=await _rules(view, looked),
    )


async def schemas(view: View) -> Reply:
    """The interface descriptions that it uploaded."""
    looked = await look(view)
    found = await view.api.get(f"{MICROSERVICE}/schemas", {"withSchema": 1}, serviceId=looked.record["serviceId"])
    return _page(
        view,
        looked,
        "schemas",
        schemas=[{"schema": "", "summary": "", **one} for one in found.get("schemas") or ()],
    )


async def manage(view: View) -> Reply:
    """Tags, properties, and the end of it."""
    looked = await look(view)
    name = looked.record["serviceId"]
    tags = (await view.api.get(f"{MICROSERVICE}/tags", serviceId=name)).get("tags") or {}
    consumers = await view.api.get(f"{MICROSERVICE}/consumers", {"noSelf": 1}, serviceId=name)
    return _page(
        view,
        looked,
        "manage",
        tags=written(tags),
        properties=written(looked.record["properties"]),
        consumers=_sorted(consumers.get("consumers")),
        problem={},
    )


def _sorted(found: Sequence[Row] | None) -> Sequence[Row]:
    return sorted(found or (), key=lambda one: (one["appId"], one["serviceName"], one["version"]))


async def _rules(view: View, looked: Looked) -> Sequence[Row] | None:
    """The rules whose labels or key name the service, with the page of each; none for whoever may not read them."""
    if not view.may("config"):
        return None
    name = looked.row["service"]
    query = {"rules": 1, "contains": name, "limit": _RULES}
    found = (await view.api.get("/waggle/v1/config/items", query))["data"]
    return [{**one, "path": _rule_path(one)} for one in found if _concerns(one, looked.row)]


def _concerns(item: Row, row: Row) -> bool:
    labels = item.get("labels") or {}
    same = all(labels.get(label, row[label]) == row[label] for label in ("app", "environment"))
    return same and (labels.get("service") == row["service"] or row["service"] in item["key"].split("."))


def _rule_path(item: Row) -> str:
    labels = [("label", f"{name}:{value}") for name, value in (item.get("labels") or {}).items()]
    return f"/console/governance/rule?{urlencode([('key', item['key']), *labels])}"


PAGES = (
    Page("GET", f"{ROOT}/:serviceId", instances),
    Page("GET", f"{ROOT}/:serviceId/links", links),
    Page("GET", f"{ROOT}/:serviceId/schemas", schemas),
    Page("GET", f"{ROOT}/:serviceId/manage", manage),
)
