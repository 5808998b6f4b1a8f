"""What the pages of services read of the API, and how they name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from registry.console.view import Part, View

ROOT = "/console/services"
MICROSERVICE = "/v4/:project/registry/microservices/:serviceId"
INSTANCE = f"{MICROSERVICE}/instances/:instanceId"
STATUSES = ("UP", "DOWN", "STARTING", "TESTING", "OUTOFSERVICE")
OFFLINE = "OUTOFSERVICE"
WITHOUT_ENVIRONMENT = "none"
_SIZE = 100
_MOST = 1000
Row: TypeAlias = Mapping[str, Any]
_MEMBERS: Row = {"environment": "", "alias": "", "description": "", "level": "", "paths": [], "properties": {}}
"""What a record leaves out where it has nothing to say."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A version of a service that is looked into: its record, what the list of services says of it, and of its other versions."""

    record: Row
    row: Row
    versions: Sequence[Row]

    @property
    def path(self) -> str:
        """Its page."""
        return path_of(self.row)

    @property
    def name(self) -> str:
        """How questions and notices name it."""
        return f"{self.row['service']} {self.row['version']}"

    @property
    def up(self) -> int:
        """How many of its instances take requests."""
        return int(self.row["statuses"].get("UP", 0))


def ids(view: View) -> dict[str, Any]:
    """The ids of the page's path, as routes of the API name them."""
    return dict(view.params)


def path_of(row: Row) -> str:
    """The page of a service, or of an instance."""
    service = f"{ROOT}/{row['serviceId']}"
    return f"{service}/instances/{row['instanceId']}" if "instanceId" in row else service


async def look(view: View) -> Looked:
    """The service of the page's path. Raises `ApiError`."""
    name = view.params["serviceId"]
    record = {**_MEMBERS, **(await view.api.get(MICROSERVICE, serviceId=name))["service"]}
    query = {
        "app": record["appId"],
        "environment": [record["environment"]],
        "service": record["serviceName"],
        "limit": _MOST,
    }
    versions = (await view.api.get("/waggle/v1/services", query))["services"]
    row = next((one for one in versions if one["serviceId"] == name), None)
    return Looked(record, row if row is not None else _unlisted(record), versions)


def _unlisted(record: Row) -> Row:
    """The engine's own service, and others that every tenant shares, are on no list."""
    names = {"app": record["appId"], "environment": record["environment"], "service": record["serviceName"]}
    calls = {"rate": 0.0, "failureRate": 0.0, "latency": 0.0, "reporting": 0}
    counts: Row = {"instances": 0, "statuses": {}, "protected": {}, "lanes": [], "framework": ""}
    return {**names, "serviceId": record["serviceId"], "version": record["version"], **counts, **calls}


async def part_of(view: View, pattern: str, member: str, query: Row) -> tuple[Row, Part[Row]]:
    """A long list of the API: its whole answer, and the part that the page's query names."""
    number = view.part_asked
    answer = await view.api.get(pattern, {**query, "offset": (number - 1) * _SIZE, "limit": _SIZE})
    if not answer[member] and answer["total"]:
        number = 1
        answer = await view.api.get(pattern, {**query, "limit": _SIZE})
    return answer, Part(answer[member], number, _SIZE, answer["total"])


async def every_instance(view: View, service_id: str) -> Sequence[Row]:
    """All instances of a version, however many there are."""
    found: list[Row] = []
    while True:
        query = {"serviceId": service_id, "offset": len(found), "limit": _MOST}
        answer = await view.api.get("/waggle/v1/instances", query)
        found += answer["instances"]
        if len(found) >= answer["total"] or not answer["instances"]:
            return found
