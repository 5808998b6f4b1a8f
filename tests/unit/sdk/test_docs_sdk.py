"""docs/sdk.md has every setting and every name of it, as the SDK reads them. A failure shows the line to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

import governance.sdk
from governance.sdk import ServiceSettings
from governance.sdk.names import (
    CARRIED,
    FILE_ONLY,
    INSTANCE_PROPERTIES,
    KEYS,
    MAPPINGS,
    MILLISECONDS,
    SERVICE_PROPERTIES,
    VARIABLES,
    ZONE_KEYS,
)

PAGE = (Path(__file__).parents[3] / "docs" / "sdk.md").read_text(encoding="utf-8")
FIELDS = ServiceSettings.model_fields
_PARTS = {f"data_center.{part}": keys for part, keys in ZONE_KEYS.items()}
_BELOW = {"instance_properties": INSTANCE_PROPERTIES, "service_properties": SERVICE_PROPERTIES}
_LISTED = {"instance_properties": ("SERVICECOMB_INSTANCE_PROPS",), "service_properties": ("SERVICECOMB_SERVICE_PROPS",)}


def setting_row(name: str) -> str:
    """The line of a setting in the table of settings."""
    default = FIELDS[name].default
    shown = ", ".join(default) if isinstance(default, tuple) else default
    shown = "" if shown in (None, PydanticUndefined) or not _text(shown) else f"`{_text(shown)}`"
    return f"| `{name}` | {shown} | {FIELDS[name].description} |"


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def names_row(name: str) -> str:
    """The line of a setting in the table of names; empty where it can be given from code only."""
    keys = KEYS.get(name) or _PARTS.get(name) or tuple(f"{prefix}*" for prefix in _BELOW.get(name, ()))
    own = (*((MAPPINGS[name],) if name in MAPPINGS else ()), *VARIABLES.get(name, ()), *_LISTED.get(name, ()))
    notes = {**dict.fromkeys(MILLISECONDS, " (ms)"), **dict.fromkeys(FILE_ONLY, " (file only)")}
    shown = ", ".join(f"`{key}`{notes.get(key, '')}" for key in keys)
    return f"| `{name}` | {shown} | {', '.join(f'`{each}`' for each in own)} |" if keys else ""


def named() -> list[str]:
    """The settings that have names, in their order; the parts of `data_center` one by one."""
    spread = [part for name in FIELDS for part in (_PARTS if name == "data_center" else (name,))]
    return [name for name in spread if names_row(name)]


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_documented(name: str) -> None:
    assert setting_row(name) in PAGE.splitlines(), f"docs/sdk.md needs this line:\n{setting_row(name)}"


@pytest.mark.parametrize("name", named())
def test_the_names_of_a_setting_are_documented(name: str) -> None:
    assert names_row(name) in PAGE.splitlines(), f"docs/sdk.md needs this line:\n{names_row(name)}"


def test_nothing_is_documented_that_is_not_there() -> None:
    tables = PAGE.partition("## Settings")[2].partition("## Errors")[0]
    documented = re.findall(r"^\| `([\w.]+)` \|", tables, re.MULTILINE)
    assert documented == [*FIELDS, *named()]


@pytest.mark.parametrize("name", [*governance.sdk.__all__, *CARRIED])
def test_what_the_sdk_offers_is_documented(name: str) -> None:
    assert re.search(rf"\b{name}\b", PAGE)
