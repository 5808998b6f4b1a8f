"""What is registered, as forms offer it and as warnings count it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.console.view import View

_MOST = 1000
"""Services that a form offers; whoever has more types the name."""


@dataclass(frozen=True, slots=True)
class Registered:
    """The services of a tenant."""

    services: Sequence[Mapping[str, Any]]

    @property
    def apps(self) -> Sequence[str]:
        """The names of applications."""
        return sorted({one["appId"] for one in self.services})[:_MOST]

    @property
    def names(self) -> Sequence[str]:
        """The names of services."""
        return sorted({one["serviceName"] for one in self.services})[:_MOST]

    @property
    def environments(self) -> Sequence[str]:
        """The environments that have a name."""
        return sorted({one.get("environment") or "" for one in self.services} - {""})

    def versions(self, service: str, app: str) -> Sequence[str]:
        """The versions of a service; of all where none is named."""
        found = (one for one in self.services if not service or (one["serviceName"], one["appId"]) == (service, app))
        return sorted({one["version"] for one in found})[:_MOST]


async def registered(view: View) -> Registered:
    """The services now."""
    found = await view.api.get("/v4/:project/registry/microservices")
    return Registered(found.get("services") or [])


async def reach(view: View, labels: Mapping[str, str]) -> str:
    """Whom an item with these labels reaches, in words: how many instances of which services."""
    query = {"options": "instances", "appId": labels.get("app", ""), "serviceName": labels.get("service", "")}
    if labels.get("environment"):
        query["env"] = labels["environment"]
    found = await view.api.get("/v4/:project/govern/microservices", query)
    details = found.get("allServicesDetail") or []
    instances = sum(len(one.get("instances") or ()) for one in details)
    names = sorted({one["microService"]["serviceName"] for one in details if one.get("instances")})
    listed = ", ".join(names[:6]) + ("…" if len(names) > 6 else "")
    return view.say("{instances} instances of {services}", instances=instances, services=listed or "-")
