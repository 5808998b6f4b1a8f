"""All rules by kind and service, with what is wrong with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from governance.rules.check import rule_key
from governance.rules.fields import kinds
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.governance.items import path_of
from registry.console.view import View

_MOST = 5000
"""Rules that a page looks through; where there are more, it says so."""
_OBJECTS = (("/waggle/v1/gray-releases", "release"), ("/waggle/v1/degrades", "degrade"))


async def index(view: View) -> Reply:
    """The rules, searched and filtered."""
    found, total = await _rules(view)
    owners = await _owners(view)
    rows = [_row(item, problems, owners) for item, problems in found]
    wanted = {name: view.query.get(name, "") for name in ("q", "kind", "app", "state")}
    shown = sorted((one for one in rows if _fits(one, wanted)), key=lambda one: (one["kind"], one["name"], one["app"]))
    base = f"/console/governance?{urlencode(wanted)}"
    cut = view.cut(shown)
    for one in cut.rows:
        one["path"] = path_of("/console/governance/rule", one["key"], one["labels"])
    facts: dict[str, Any] = {"rows": cut, "wanted": wanted, "base": base, "unseen": total - len(rows)}
    facts |= {"counts": _counts(rows), "by_kind": sorted(Counter(one["kind"] for one in rows).items())}
    if view.is_part:
        return view.part("governance/rule_list.html", **facts)
    choices: dict[str, Any] = {"kinds": kinds(), "apps": sorted({one["app"] for one in rows if one["app"]})}
    return view.page("governance/rules.html", title=view.say("Governance"), **choices, **facts)


async def _rules(view: View) -> tuple[Sequence[tuple[Mapping[str, Any], Sequence[Any]]], int]:
    """Items that are rules with the first of their problems, and how many there are; all at once, since a page of them looks at all."""
    page = await view.api.get("/waggle/v1/config/items", {"rules": 1})
    problems = page.get("problems") or {}
    return [(item, problems.get(item["id"], ())) for item in page["data"][:_MOST]], page["total"]


async def _owners(view: View) -> Mapping[tuple[str, frozenset[tuple[str, str]]], Mapping[str, str]]:
    """The objects that items are kept with, by key and labels."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], Mapping[str, str]] = {}
    for route, page in _OBJECTS:
        try:
            objects = (await view.api.get(route))["objects"]
        except ApiError:
            continue
        for one in objects:
            names = {name: one["object"].get(name) for name in ("service", "consumer", "target", "app", "environment")}
            owner = {"kind": page, "path": f"/console/governance/{page}?{urlencode(_given(names))}"}
            found |= {_name(part): owner for part in one["items"]}
    return found


def _given(names: Mapping[str, Any]) -> Mapping[str, str]:
    return {name: value for name, value in names.items() if value is not None}


def _name(item: Mapping[str, Any]) -> tuple[str, frozenset[tuple[str, str]]]:
    return item["key"], frozenset((item.get("labels") or {}).items())


def _row(item: Mapping[str, Any], problems: Sequence[Mapping[str, Any]], owners: Mapping[Any, Any]) -> dict[str, Any]:
    key, labels = rule_key(item["key"]), item.get("labels") or {}
    errors = sum(one["severity"] == "error" for one in problems)
    return {
        "key": item["key"],
        "kind": key.kind if key is not None else item["value_type"],
        "name": (key.name or "*") if key is not None else item["key"],
        "older": key is not None and key.legacy is not None,
        "app": labels.get("app", ""),
        "environment": labels.get("environment", ""),
        "service": labels.get("service", ""),
        "more": {name: value for name, value in labels.items() if name not in ("app", "environment", "service")},
        "enabled": item["status"] == "enabled",
        "problems": problems,
        "state": "error" if errors else "warning" if problems else "good",
        "changed": item["update_time"] * 1000,
        "owner": owners.get(_name(item)),
        "labels": labels,
    }


def _fits(row: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    text = f"{row['key']} {row['app']} {row['environment']} {row['service']}".lower()
    if wanted["q"].lower() not in text or wanted["kind"] not in ("", row["kind"]):
        return False
    state = wanted["state"]
    return wanted["app"] in ("", row["app"]) and state in ("", row["state"], "" if row["enabled"] else "disabled")


def _counts(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    states = Counter(one["state"] for one in rows)
    disabled = sum(not one["enabled"] for one in rows)
    return {"all": len(rows), "error": states["error"], "warning": states["warning"], "disabled": disabled}


PAGES = (Page("GET", "/console/governance", index),)
