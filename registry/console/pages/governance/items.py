"""Items of the configuration as pages name them: by key and labels, in addresses, in forms, and as the API wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from multidict import MultiDict

from registry.console.asking import ApiError
from registry.console.view import View

_ONE = "/waggle/v1/config/items/one"


def path_of(page: str, key: str, labels: Mapping[str, str]) -> str:
    """The address of a page about an item."""
    return f"{page}?{urlencode(_pairs(key, labels))}"


def query_of(key: str, labels: Mapping[str, str], **more: object) -> MultiDict[object]:
    """The parameters that name an item."""
    return MultiDict([*_pairs(key, labels), *more.items()])


def values_of(key: str, labels: Mapping[str, str], **more: object) -> Mapping[str, object]:
    """The fields that name an item in a form."""
    return {"key": key, "label": [f"{name}:{value}" for name, value in labels.items()], **more}


def named(pairs: Sequence[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    """Key and labels that a query or a form names."""
    labels = [value.partition(":") for name, value in pairs if name == "label"]
    key = next((value for name, value in pairs if name == "key"), "")
    return key, {name: value for name, _, value in labels if name}


async def item_of(view: View, key: str, labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The item, None where there is none."""
    try:
        found: Mapping[str, Any] = await view.api.get(_ONE, query_of(key, labels))
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    return found


def _pairs(key: str, labels: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    return [("key", key), *(("label", f"{name}:{value}") for name, value in labels.items())]
