"""What is registered, as lists that are searched and read in parts, however long they are. docs/api.md, section Lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from registry.api.call import Call, Parameter, Reply, Route, Tenancy, json_reply
from registry.api.checks import check_tenant, number, number_within
from registry.api.monitor.views import sums
from registry.api.stored import of_stored
from registry.engine.inventory import Inventory, Listed, Living, Search
from registry.engine.reporting import lane_of

_MOST = 1000
_FEW = 100
_NAMES = ("app", "environment", "service", "version", "lane", "framework", "status")
_ABOUT_STATUS = "UP, DOWN, STARTING, TESTING or OUTOFSERVICE: of an instance; PROTECTED: kept although silent"
_CHOSEN = (
    *(Parameter(name, f"only of this {name}") for name in _NAMES[:-1]),
    Parameter("status", f"{_ABOUT_STATUS}; NONE: services without instances"),
    Parameter("serviceId", "only this version of a service"),
    Parameter("contains", "only what has this text in a name, an id or a version, or in the record of an instance"),
    Parameter("offset", "leave out so many"),
    Parameter("limit", "at most so many, 0 to 1000; 100 where it is missing"),
)


class Lists:
    """The handlers of the API."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    async def services(self, call: Call) -> Reply:
        """GET services: versions of services with their instances counted; sums of all that match, and what there is to choose from."""
        begin, end = _part(call)
        rows = self._inventory.services(call.tenant, call.sees)
        search = _search(call)
        found = [row for row in rows if row.fits(search)]
        shown = found[begin:end]
        self._inventory.tell(call.tenant, shown)
        return json_reply(
            {
                "at": call.engine.now(),
                "total": len(found),
                "sums": _sums(found),
                "choices": _choices(rows),
                "services": [_service(row) for row in shown],
            }
        )

    async def instances(self, call: Call) -> Reply:
        """GET instances: with what is left of their leases, and what they tell."""
        begin, end = _part(call)
        found = self._inventory.instances(call.tenant, _search(call), call.sees)
        living = self._inventory.living(call.tenant, found[begin:end])
        statuses = Counter(one.status for _, one in found)
        rows = [_instance(one) for one in living]
        return json_reply({"at": call.engine.now(), "total": len(found), "statuses": statuses, "instances": rows})


def inventory_routes(inventory: Inventory) -> Sequence[Route]:
    """The table of routes."""
    does = Lists(inventory)
    rows = (
        ("services", does.services, _CHOSEN),
        ("instances", does.instances, (*_CHOSEN, Parameter("instance", "only the instance of this id"))),
    )
    return [
        Route(
            "GET",
            f"/waggle/v1/{name}",
            of_stored(handler),
            "service",
            (handler.__doc__ or "").strip(),
            Tenancy.QUERY,
            parameters=parameters,
        )
        for name, handler, parameters in rows
    ]


def _part(call: Call) -> tuple[int, int]:
    """Where the part of a list that is asked for begins and ends. Raises 400001."""
    check_tenant(call)
    begin = number(call, "offset", 0)
    return begin, begin + number_within(call, "limit", _FEW, (0, _MOST))


def _search(call: Call) -> Search:
    query = call.query
    return Search(
        **{name: query.get(name) for name in _NAMES},
        service_id=query.get("serviceId"),
        instance_id=query.get("instance"),
        contains=query.get("contains", "").lower(),
    )


def _sums(rows: Iterable[Listed]) -> Mapping[str, object]:
    """Of all rows together: a service is a name in an application and environment."""
    statuses, protected = Counter[str](), 0
    services, versions = set(), 0
    for row in rows:
        statuses += row.statuses
        protected += row.protected.total()
        services.add(row.service.key)
        versions += 1
    return {
        "applications": len({(key.app, key.environment) for key in services}),
        "services": len(services),
        "versions": versions,
        "instances": statuses.total(),
        "statuses": statuses,
        "protected": protected,
    }


def _choices(rows: Iterable[Listed]) -> Mapping[str, Sequence[str]]:
    apps, environments, versions, frameworks, lanes = (set[str]() for _ in range(5))
    for row in rows:
        apps.add(row.service.key.app)
        environments.add(row.service.key.environment)
        versions.add(row.service.version)
        frameworks.add(row.framework)
        lanes |= row.lanes
    return {
        "app": sorted(apps),
        "environment": sorted(environments),
        "version": sorted(versions),
        "framework": sorted(frameworks - {""}),
        "lane": sorted(lanes),
    }


def _names(row: Listed | Living) -> Mapping[str, object]:
    service = row.service
    app = {"app": service.key.app, "environment": service.key.environment}
    return {"serviceId": service.service_id, **app, "service": service.key.name, "version": service.version}


def _service(row: Listed) -> Mapping[str, object]:
    return {
        **_names(row),
        "alias": row.service.alias,
        "framework": row.framework,
        "lanes": sorted(row.lanes),
        "instances": row.statuses.total(),
        "statuses": row.statuses,
        "protected": row.protected,
        "reporting": row.totals.instances,
        **sums(row.totals),
    }


def _instance(one: Living) -> Mapping[str, object]:
    document, lease = one.instance.document(), one.instance.lease
    return {
        **_names(one),
        "instanceId": one.instance.instance_id,
        "host": document.get("hostName", ""),
        "status": one.instance.status,
        "lane": lane_of(one.instance),
        "endpoints": document.get("endpoints", []),
        "properties": one.instance.properties,
        "zone": document.get("dataCenterInfo"),
        "lease": {"seconds": lease.ttl, "interval": lease.interval, "left": round(one.left, 1)},
        "protected": one.protected,
        "registered": _milliseconds(document.get("timestamp")),
        "changed": _milliseconds(document.get("modTimestamp")),
        "reports": {"at": one.reporter.seen * 1000, **sums(one.reporter.totals)} if one.reporter is not None else None,
    }


def _milliseconds(seconds: object) -> int:
    """A time of a record, 0 where it has none."""
    return int(seconds) * 1000 if isinstance(seconds, str) and seconds.isdigit() else 0
