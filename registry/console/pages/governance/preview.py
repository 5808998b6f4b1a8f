"""What becomes of one request: which rules apply at each side, which instances get it with which share, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page
from registry.console.pages.governance.editing import edited
from registry.console.pages.governance.items import path_of
from registry.console.pages.governance.registered import registered
from registry.console.view import View

_ASKED = ("service", "consumer", "app", "version", "operation", "path", "method")


async def index(view: View) -> Reply:
    """A form for a request, and what becomes of it."""
    facts: dict[str, Any] = {
        "known": await registered(view),
        "given": view.query,
        "answer": None,
        "problem": "",
    }
    return view.page("governance/preview.html", title=view.say("Preview of a request"), **facts)


async def explain(view: View) -> Reply:
    """POST: what becomes of the request of the form, with the draft of an editor where one is sent."""
    form = view.form
    asked: dict[str, object] = {name: form[name].strip() for name in _ASKED if form.get(name, "").strip()}
    if form.get("environment", "").strip():
        asked["environment"] = form["environment"].strip()
    asked |= {"headers": _lines(form.get("headers", "")), "queries": _lines(form.get("queries", ""))}
    if form.get("mode"):
        draft = await edited(view)
        asked["drafts"] = [{"key": draft.key, "value": draft.text, "labels": dict(draft.labels)}]
    try:
        answer = await view.api.send("POST", "/waggle/v1/governance/explain", asked)
    except ApiError as error:
        return view.part("governance/explained.html", answer=None, problem=error.text, path_of=path_of)
    return view.part("governance/explained.html", answer=_shown(answer), problem="", path_of=path_of)


def _lines(text: str) -> Mapping[str, str]:
    """Names and values of lines such as `type: gray`."""
    pairs = [line.partition(":") for line in text.splitlines() if line.strip()]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _shown(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    sides = [("consumer", answer["consumer"]), *(("provider", one) for one in answer["providers"])]
    outcomes: Sequence[Mapping[str, Any]] = sorted(answer["routing"]["outcomes"], key=lambda one: -one["share"])
    return {**answer, "sides": sides, "outcomes": outcomes}


PAGES = (
    Page("GET", "/console/governance/preview", index),
    Page("POST", "/console/governance/preview", explain),
)
