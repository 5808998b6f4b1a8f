"""Data for dashboards: what services upload, and what is read of it. docs/monitor.md describes both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from aiohttp import web

from registry.api.call import EVENTS_TYPE, Call, Parameter, Reply, Route, Tenancy, json_reply
from registry.api.checks import check_tenant, flag
from registry.api.monitor import views
from registry.api.monitor.documents import DOCUMENT, SAMPLE, document_of
from registry.api.monitor.listing import INSTANCES, INTERFACES, Measured, cut, found_in, parameters
from registry.api.monitor.live import LiveStreams
from registry.engine.reporting import Reporting
from registry.errors import invalid
from registry.monitor import VersionKey
from registry.monitor.reporter import Reporter
from registry.monitor.series import STEP, Curve, steps, summed

_NAMES = ("app", "environment", "service", "version")
_CHOSEN = tuple(Parameter(name, f"only of this {name}") for name in _NAMES)
_INSTANCE = Parameter("instance", "only of the instance of this id")
_INTERFACE = Parameter("interface", "only this interface, by its whole name")
_STALE = Parameter("stale", "`true`: those, too, that have told nothing for three intervals")
_AT_ONCE = 25
"""Instances whose interfaces are read before others are served."""
_OPEN = {"everyone": "public", "roles": "service"}


class Monitored:
    """The handlers of the API."""

    def __init__(self, reporting: Reporting, live: LiveStreams, kept: int) -> None:
        self._reporting = reporting
        self._live = live
        self._kept = kept

    async def upload(self, call: Call) -> Reply:
        """POST csemonitor/metric: an instance tells what it measured since its last document."""
        key, upload = document_of(call.tenant, call.body)
        self._reporting.upload(key, upload)
        return json_reply({})

    async def services(self, call: Call) -> Reply:
        """GET services: the sums of applications, services and their versions, of what their instances told last."""
        check_tenant(call)
        rows = self._reporting.versions(call.tenant).values()
        return self._told(applications=views.applications(row for row in rows if _wanted(call, row.key)))

    async def instances(self, call: Call) -> Reply:
        """GET instances: what each instance told last."""
        check_tenant(call)
        reporting, second = self._reporting, self._reporting.second
        chosen = (
            one
            for one in self._chosen(call, stale=flag(call, "stale"))
            if found_in(call, one.key.service, one.host, one.instance_id)
        )
        total, rows = cut(call, chosen, INSTANCES)
        told = [views.instance(one, reporting.registered(one), stale=one.is_stale(second)) for one in rows]
        return self._told(total=total, instances=told)

    async def interfaces(self, call: Call) -> Reply:
        """GET interfaces: what each instance told last of its interfaces."""
        check_tenant(call)
        name, second = call.query.get("interface", ""), self._reporting.second
        chosen: list[Measured] = []
        for place, one in enumerate(list(self._chosen(call)), start=1):
            chosen += (
                (one, reading)
                for reading in one.fresh(second)
                if name in ("", reading.name) and found_in(call, reading.name, one.key.service)
            )
            if place % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return await asyncio.to_thread(self._told_interfaces, call, chosen)

    def _told_interfaces(self, call: Call, chosen: Sequence[Measured]) -> Reply:
        """There may be hundreds of thousands, so a thread sorts and writes them."""
        total, rows = cut(call, chosen, INTERFACES)
        return self._told(total=total, interfaces=[views.interface(one, reading) for one, reading in rows])

    async def series(self, call: Call) -> Reply:
        """GET series: the last minutes of an application, service, version, instance or interface, as points at equal distances."""
        check_tenant(call)
        if not any(call.query.get(one) for one in ("app", "service", "instance")):
            raise invalid("service: a series is of an application, a service or an instance")
        name = call.query.get("interface", "")
        curves = list(_curves(self._chosen(call, stale=True), name))
        moments = steps(self._reporting.second, self._kept)
        points = await asyncio.to_thread(summed, curves, moments)
        return self._told(step=STEP * 1000, points=[views.point(one, of_interface=bool(name)) for one in points])

    async def calls(self, call: Call) -> Reply:
        """GET calls: who calls whom, how often, how fast, and how much of it fails."""
        check_tenant(call)
        edges = self._reporting.edges(call.tenant)
        return self._told(
            calls=[
                views.edge(one)
                for one in sorted(edges, key=lambda one: (one.consumer, one.provider, one.lane))
                if _wanted(call, one.consumer) or _wanted(call, one.provider)
            ]
        )

    async def live(self, call: Call) -> web.StreamResponse:
        """GET live: the sums of services and who calls whom, as server-sent events whenever there is something new."""
        check_tenant(call)
        return await self._live.listen(call)

    def _told(self, **members: object) -> Reply:
        return json_reply({"at": self._reporting.second * 1000, **members})

    def _chosen(self, call: Call, *, stale: bool = False) -> Iterator[Reporter]:
        name = call.query.get("instance", "")
        for one in self._reporting.reporters(call.tenant, stale=stale):
            if name in ("", one.instance_id) and _wanted(call, one.key):
                yield one


def _curves(reporters: Iterator[Reporter], name: str) -> Iterator[Curve]:
    for one in reporters:
        if not name:
            yield Curve(one.history.copied(), one.patience)
        elif (interface := one.interfaces.get(name)) is not None:
            yield Curve(interface.history.copied(), one.patience, of_interface=True)


def _wanted(call: Call, key: VersionKey) -> bool:
    """Whether a version is among those that the query names, and whoever asks may see it."""
    query = call.query
    if any(name in query and query[name] != getattr(key, name) for name in _NAMES):
        return False
    return call.sees({"environment": key.environment, "appId": key.app, "serviceName": key.service})


def monitor_routes(reporting: Reporting, live: LiveStreams, *, kept: int, access: str) -> Sequence[Route]:
    """The table of routes. `kept` are seconds, `access` says who may upload."""
    does = Monitored(reporting, live, kept)
    reads: Mapping[str, tuple[object, Sequence[Parameter]]] = {
        "services": (does.services, _CHOSEN),
        "instances": (does.instances, (*_CHOSEN, _INSTANCE, _STALE, *parameters(INSTANCES))),
        "interfaces": (does.interfaces, (*_CHOSEN, _INSTANCE, _INTERFACE, *parameters(INTERFACES))),
        "series": (does.series, (*_CHOSEN, _INSTANCE, _INTERFACE)),
        "calls": (does.calls, _CHOSEN),
    }
    about = (does.upload.__doc__ or "").strip()
    uploads = [
        Route(
            "POST",
            path,
            does.upload,
            _OPEN[access],
            about,
            Tenancy.CONFIG,
            parameters=(Parameter("service", "the name of the service; the document's own counts"),),
            body=DOCUMENT,
            sample=SAMPLE,
            failures={400: "A document that is none, or of one instance more than monitor_instances allows"},
            verb="update",
        )
        for path in ("/v2/:project/csemonitor/metric", "/csemonitor/v1/metric")
    ]
    rows = [_read(name, handler, parameters) for name, (handler, parameters) in reads.items()]
    return (*uploads, *rows, _read("live", does.live, (), answers=EVENTS_TYPE))


def _read(name: str, handler: object, parameters: Sequence[Parameter], **more: object) -> Route:
    about = (handler.__doc__ or "").strip()
    return Route(
        "GET",
        f"/waggle/v1/monitor/{name}",
        handler,  # type: ignore[arg-type]
        "service",
        about,
        Tenancy.QUERY,
        parameters=parameters,
        **more,  # type: ignore[arg-type]
    )
