"""What is registered, as a table."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from rich.table import Table
from rich.text import Text

_PATIENCE = aiohttp.ClientTimeout(total=3)


@dataclass(frozen=True, slots=True)
class Row:
    """One version of one service."""

    app: str
    service: str
    version: str
    up: int
    endpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """All services but the engine itself."""

    rows: tuple[Row, ...] = ()

    @property
    def instances(self) -> int:
        """How many instances are up."""
        return sum(row.up for row in self.rows)


async def read_overview(session: aiohttp.ClientSession, engine: str) -> Overview:
    """Ask the engine; nothing where it does not answer."""
    url = f"{engine}/v4/default/govern/microservices?options=instances"
    try:
        async with session.get(url, timeout=_PATIENCE) as answer:
            found = (await answer.json()).get("allServicesDetail", []) if answer.status == 200 else []
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return Overview()
    rows = [_row(item["microService"], item.get("instances", [])) for item in found]
    return Overview(tuple(sorted(rows, key=lambda row: (row.app, row.service, row.version))))


def _row(service: dict[str, str], instances: list[dict[str, object]]) -> Row:
    up = [instance for instance in instances if instance.get("status") == "UP"]
    endpoints = sorted(str(point) for instance in up for point in _list(instance.get("endpoints")))
    return Row(service["appId"], service["serviceName"], service["version"], len(up), tuple(endpoints))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def table_of(overview: Overview) -> Table:
    """The table that the demo shows."""
    table = Table("app", "service", "version", "instances", "endpoints", title="Registered")
    for row in overview.rows:
        count = Text(str(row.up), "green" if row.up else "red")
        table.add_row(row.app, row.service, row.version, count, "\n".join(row.endpoints))
    return table
