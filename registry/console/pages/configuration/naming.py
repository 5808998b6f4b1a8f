"""What pages call an item: its key and all of its labels, in addresses, in forms, and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from registry.console.asking import ApiError
from registry.console.view import View

ROOT = "/console/configuration"
PARTS = ("app", "environment", "service", "version")
"""The labels that say for whom an item is, the widest first."""


@dataclass(frozen=True, slots=True)
class Name:
    """One item."""

    key: str
    labels: Mapping[str, str]

    @property
    def query(self) -> dict[str, object]:
        """As the API is asked for it."""
        return {"key": self.key, "label": label_texts(self.labels)}

    def path(self, page: str = "/item") -> str:
        """The address of a page about it."""
        return f"{ROOT}{page}?{urlencode(self.query, doseq=True)}"

    @property
    def shown(self) -> str:
        """In words."""
        return f"{self.key} [{', '.join(f'{name}={value}' for name, value in sorted(self.labels.items()))}]"


def label_texts(labels: Mapping[str, str]) -> Sequence[str]:
    """Labels as parameters of a query."""
    return [f"{name}:{value}" for name, value in sorted(labels.items())]


def labels_in(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """The labels among parameters or fields."""
    return dict(text.partition(":")[::2] for name, text in pairs if name == "label")


def name_asked(view: View) -> Name:
    """The item that the address names."""
    return Name(view.query.get("key", ""), labels_in(view.call.pairs))


def name_sent(view: View) -> Name:
    """The item that a form is about: its labels are given one by one, or said in the fields of a new item."""
    form = view.form
    labels = dict(labels_in(view.fields))
    if "app" in form:
        labels |= {part: form[part].strip() for part in PARTS if form.get(part, "").strip()}
        if form.get("with-environment"):
            labels.setdefault("environment", "")
        labels |= pairs_in(form.get("others", ""))
    return Name(form.get("key", "").strip(), labels)


def pairs_in(text: str) -> Mapping[str, str]:
    """Names and values as people write them: `name=value`, one on each line."""
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    return {name.strip(): value.strip() for name, _, value in pairs}


def name_of(item: Mapping[str, Any]) -> Name:
    """The name of an item as the API has it."""
    return Name(item["key"], item.get("labels") or {})


async def get_item(view: View, name: Name) -> Mapping[str, Any] | None:
    """The item as it is now, if it is there."""
    try:
        found: Mapping[str, Any] = await view.api.get("/waggle/v1/config/items/one", name.query)
    except ApiError as error:
        if error.status == 404:
            return None
        raise
    return whole(found)


def whole(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item with the members that the API leaves out where there is nothing to say."""
    return {"labels": {}, "priority": 0, **item}


async def get_readers(view: View, labels: Mapping[str, str]) -> Mapping[str, Any]:
    """Which registered services ask for items with these labels."""
    found: Mapping[str, Any] = await view.api.get("/waggle/v1/config/readers", {"label": label_texts(labels)})
    return found


def hit(view: View, readers: Mapping[str, Any]) -> str:
    """Whom a change of an item is for, in words."""
    services = [f"{one['service']} {one['version']}" for one in readers["services"]]
    if not services:
        return view.say("No registered service asks for it.")
    few = ", ".join(services[:5]) + (" …" if len(services) > 5 else "")
    return view.say("Instances that read it: {instances}, of {names}.", instances=readers["instances"], names=few)


_MEMBERS = {"value_type": "Type", "status": "Status", "priority": "Priority"}


def changed_members(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Sequence[tuple[str, object, object]]:
    """What of an item differs beside its value, with both."""
    if before is None or after is None:
        return ()
    pairs = [(title, before.get(name) or 0, after.get(name) or 0) for name, title in _MEMBERS.items()]
    return [pair for pair in pairs if pair[1] != pair[2]]
