"""What is registered, as a table."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from rich.table import Table
from rich.text import Text

from governance.sdk.account import Account
from governance.sdk.addresses import AddressPool
from governance.sdk.calls import EngineCall, EngineUnavailableError, rows_of

_OVERVIEW = EngineCall(
    method="GET",
    path="/v4/default/govern/microservices",
    query=(("options", "instances"),),
    headers={},
    seconds=3.0,
)


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


async def read_overview(session: aiohttp.ClientSession, account: Account, engine: AddressPool) -> Overview:
    """Ask the engine, in the name of an account where there is one; nothing where it does not answer."""
    try:
        answer = await account.answer_to(session, engine, _OVERVIEW)
    except EngineUnavailableError:
        return Overview()
    found = rows_of(answer.body, "allServicesDetail") if answer.status == 200 else ()
    rows = [_row(item["microService"], item.get("instances", [])) for item in found]  # type: ignore[arg-type]
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
