"""Settings of load balancing that are no rules: plain texts by their keys."""

from __future__ import annotations

from collections.abc import Mapping

_SPRING = "spring.cloud.servicecomb.discovery."


def text_of(values: Mapping[str, str], name: str) -> str | None:
    """The value of `servicecomb.loadbalance.<name>`, else of `cse.loadbalance.<name>`."""
    found = values.get(f"servicecomb.loadbalance.{name}")
    return values.get(f"cse.loadbalance.{name}") if found is None else found


def flag_of(values: Mapping[str, str], name: str, *, default: bool) -> bool:
    """The same as a switch; what is no switch counts for nothing."""
    return _flag(text_of(values, name), default=default)


def percent_of(values: Mapping[str, str], name: str, default: int) -> int:
    """The same as a number from 0 to 100; what is none counts for nothing."""
    text = (text_of(values, name) or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 100 else default


def spring_flag_of(values: Mapping[str, str], name: str) -> bool:
    """A switch of Spring Cloud Huawei's discovery; off where nothing is said."""
    return _flag(values.get(_SPRING + name), default=False)


def under(values: Mapping[str, str], name: str) -> Mapping[str, str]:
    """What stands under `servicecomb.loadbalance.<name>.`, else under `cse.loadbalance.<name>.`, by the rest of the key."""
    for prefix in (f"servicecomb.loadbalance.{name}.", f"cse.loadbalance.{name}."):
        found = {key.removeprefix(prefix): text for key, text in values.items() if key.startswith(prefix)}
        if found:
            return found
    return {}


def _flag(text: str | None, *, default: bool) -> bool:
    written = (text or "").strip().lower()
    return written == "true" if written in ("true", "false") else default
