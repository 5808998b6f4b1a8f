"""What is done with services and instances: statuses set and set back, instances unregistered, services deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import Page, onwards
from registry.console.pages.services.reading import (
    INSTANCE,
    MICROSERVICE,
    OFFLINE,
    ROOT,
    every_instance,
    ids,
    look,
)
from registry.console.view import View

_AT_ONCE = 50
_UNDONE = 200
"""Most instances whose former statuses a notice keeps for its Undo: they travel in a header."""
_FRESH: dict[str, Any] = {"waggle:services": True}


async def set_all(view: View) -> Reply:
    """Set the status of every instance of a version."""
    looked, status = await look(view), view.form.get("value", "")
    found = await every_instance(view, looked.record["serviceId"])
    before = {one["instanceId"]: one["status"] for one in found if one["status"] != status}
    gone = await _set(view, dict.fromkeys(before, status))
    said = view.say(
        "{count} instances of {name} are {status} now.", count=len(before) - gone, name=looked.name, status=status
    )
    return _told(view, looked.path, said, before)


async def set_one(view: View) -> Reply:
    """Set the status of an instance."""
    status, name = view.form.get("value", ""), view.params["instanceId"]
    found = (await view.api.get(INSTANCE, **ids(view)))["instance"]
    await view.api.send("PUT", f"{INSTANCE}/status", None, {"value": status}, **ids(view))
    said = view.say("{name} is {status} now.", name=found.get("hostName") or name, status=status)
    if status == OFFLINE:
        said += " " + view.say("Consumers send it nothing more.")
    return _told(view, f"{ROOT}/{view.params['serviceId']}", said, {name: found["status"]})


async def restore(view: View) -> Reply:
    """Give instances the statuses back that they had."""
    try:
        before = json.loads(view.form.get("before", ""))
    except ValueError:
        before = None
    if not isinstance(before, dict):
        return Reply(400, headers=view.trouble(view.say("That cannot be undone any more.")))
    gone = await _set(view, {str(name): str(status) for name, status in before.items()})
    said = view.say("{count} instances have the status back that they had.", count=len(before) - gone)
    return Reply(204, headers=view.done(said, **_FRESH))


async def unregister(view: View) -> Reply:
    """Let an instance be registered no more."""
    await view.api.send("DELETE", INSTANCE, **ids(view))
    said = view.say("The instance is unregistered. If its process lives, it registers again by itself.")
    return onwards(view, f"{ROOT}/{view.params['serviceId']}", view.done(said, **_FRESH))


async def delete(view: View) -> Reply:
    """Delete a version of a service; with its instances and although others call it only where that was asked for."""
    looked = await look(view)
    force = {"force": 1} if view.form.get("force") else {}
    await view.api.send("DELETE", MICROSERVICE, None, force, serviceId=looked.record["serviceId"])
    others = [one for one in looked.versions if one["serviceId"] != looked.record["serviceId"]]
    path = f"{ROOT}/{others[0]['serviceId']}" if others else ROOT
    return onwards(view, path, view.done(view.say("{name} is deleted.", name=looked.name), **_FRESH))


async def _set(view: View, statuses: Mapping[str, str]) -> int:
    """Set statuses by the instance's id; how many instances are gone meanwhile. Raises `ApiError` for any other refusal."""
    gone, rest = 0, list(statuses.items())
    while rest:
        some, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
        answers = await asyncio.gather(*(_set_one(view, *one) for one in some))
        gone += answers.count(False)
    return gone


async def _set_one(view: View, name: str, status: str) -> bool:
    try:
        await view.api.send(
            "PUT",
            f"{INSTANCE}/status",
            None,
            {"value": status},
            serviceId=view.params["serviceId"],
            instanceId=name,
        )
    except ApiError as error:
        if error.code != "400017":
            raise
        return False
    return True


def _told(view: View, path: str, said: str, before: Mapping[str, str]) -> Reply:
    undo = None
    if 0 < len(before) <= _UNDONE:
        undo = {"path": f"{path}/restore", "values": {"before": json.dumps(before, separators=(",", ":"))}}
    return Reply(204, headers=view.done(said, undo=undo, **_FRESH))


PAGES: Sequence[Page] = (
    Page("POST", f"{ROOT}/:serviceId/status", set_all),
    Page("POST", f"{ROOT}/:serviceId/restore", restore),
    Page("POST", f"{ROOT}/:serviceId/delete", delete),
    Page("POST", f"{ROOT}/:serviceId/instances/:instanceId/status", set_one),
    Page("POST", f"{ROOT}/:serviceId/instances/:instanceId/unregister", unregister),
)
