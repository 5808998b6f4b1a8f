"""Tags and properties: written as text, checked, stored whole, and taken back by what was there before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page, onwards
from registry.console.pages.services.pairs import PairsError, pairs_in, written
from registry.console.pages.services.reading import INSTANCE, MICROSERVICE, ROOT, ids
from registry.console.view import View

Pairs: TypeAlias = Mapping[str, str]
_INVALID = 422
_FRESH: dict[str, Any] = {"waggle:services": True}


async def set_tags(view: View) -> Reply:
    """Replace the tags of a service."""

    async def before() -> Pairs:
        found = await view.api.get(f"{MICROSERVICE}/tags", serviceId=view.params["serviceId"])
        return found.get("tags") or {}

    async def store(pairs: Pairs) -> None:
        await view.api.send("POST", f"{MICROSERVICE}/tags", {"tags": pairs}, serviceId=view.params["serviceId"])

    return await _replaced(view, "tags", view.say("The tags are stored."), before, store)


async def set_properties(view: View) -> Reply:
    """Replace the properties of a service."""

    async def before() -> Pairs:
        found = await view.api.get(MICROSERVICE, serviceId=view.params["serviceId"])
        return found["service"].get("properties") or {}

    return await _replaced(
        view, "properties", view.say("The properties are stored."), before, _storing(view, MICROSERVICE)
    )


async def set_instance_properties(view: View) -> Reply:
    """Replace the properties of an instance."""

    async def before() -> Pairs:
        found = await view.api.get(INSTANCE, **ids(view))
        return found["instance"].get("properties") or {}

    return await _replaced(view, "properties", view.say("The properties are stored."), before, _storing(view, INSTANCE))


def _storing(view: View, pattern: str) -> Callable[[Pairs], Awaitable[None]]:
    async def store(pairs: Pairs) -> None:
        await view.api.send("PUT", f"{pattern}/properties", {"properties": pairs}, **ids(view))

    return store


async def _replaced(
    view: View,
    field: str,
    said: str,
    before: Callable[[], Awaitable[Pairs]],
    store: Callable[[Pairs], Awaitable[None]],
) -> Reply:
    text = view.form.get(field, "")
    path = view.call.request.path
    try:
        pairs = pairs_in(text)
        old = written(await before())
        await store(pairs)
    except PairsError as error:
        problem = view.say(error.text, line=error.line, name=error.name)
        return _form(view, path, field, text, problem)
    except ApiError as error:
        if error.status != 400:
            raise
        return _form(view, path, field, text, error.text)
    if view.form.get("back"):
        page = path.rpartition("/")[0]
        page = page if "instanceId" in view.params else f"{page}/manage"
        return onwards(view, page, view.done(view.say("They are as they were."), **_FRESH))
    undo = {"path": path, "values": {field: old, "back": 1}}
    headers = view.done(said, undo=undo, **_FRESH)
    return view.part(
        "services/pairs.html", path=path, field=field, value=written(pairs), problem="", headers=dict(headers)
    )


def _form(view: View, path: str, field: str, text: str, problem: str) -> Reply:
    """The form as it was filled in, with what is wrong beside the field."""
    return view.part("services/pairs.html", status=_INVALID, path=path, field=field, value=text, problem=problem)


PAGES = (
    Page("POST", f"{ROOT}/:serviceId/tags", set_tags),
    Page("POST", f"{ROOT}/:serviceId/properties", set_properties),
    Page("POST", f"{ROOT}/:serviceId/instances/:instanceId/properties", set_instance_properties),
)
