"""What operators and their tools ask of the engine itself: readiness, metrics, the API's description and the event stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from aiohttp import web

from registry.api.call import EVENTS_TYPE, TEXT_TYPE, Call, Handler, Parameter, Reply, Route, Tenancy, json_reply
from registry.api.happenings import FILTERS
from registry.api.openapi import describe
from registry.engine.alarms import BACKEND

_EVENTS = (
    *FILTERS,
    Parameter("after", "resume after the event of this id, as Last-Event-ID does"),
)
_READERS = {"everyone": "public", "accounts": "self", "operators": "ops"}


async def ready(call: Call) -> Reply:
    """GET /health/ready: 200 where changes can be stored, 503 where the journal fails."""
    detail = call.engine.alarms.active(BACKEND)
    if detail is None:
        return json_reply({"status": "ready", "revision": call.engine.ledger.revision})
    reply = json_reply({"status": "not ready", "reason": detail})
    return Reply(503, reply.body, reply.content_type)


async def events(call: Call) -> web.StreamResponse:
    """GET /waggle/v1/events: what happens, as server-sent events."""
    assert call.listeners is not None  # noqa: S101  the gate gives them to every call
    return await call.listeners.events(call)


def read_by(routes: Sequence[Route], readers: Mapping[str, str]) -> Sequence[Route]:
    """The routes, those of these paths for their readers: `everyone`, `accounts`, `operators`, or `nobody`, who finds no such route."""
    chosen = [(route, readers.get(route.path, "")) for route in routes]
    return [replace(route, resource=_READERS[who]) if who else route for route, who in chosen if who != "nobody"]


def operation_routes(metrics: Handler, described: Sequence[Route]) -> tuple[Route, ...]:
    """The table of routes of this module; `described` are the other routes, for /openapi.json."""

    async def openapi(_call: Call) -> Reply:
        """GET /openapi.json: this description."""
        return json_reply(describe((*described, *routes)))

    def row(path: str, handler: Handler, tenancy: Tenancy = Tenancy.NONE, **more: object) -> Route:
        about = (handler.__doc__ or "").strip().splitlines()[0]
        options = {"resource": "public", **more}
        return Route("GET", path, handler, about=about, tenancy=tenancy, **options)  # type: ignore[arg-type]

    routes = (
        row("/health/ready", ready, failures={503: "Not ready: see reason"}),
        row("/metrics", metrics, answers=TEXT_TYPE),
        row("/openapi.json", openapi),
        row("/waggle/v1/events", events, Tenancy.QUERY, parameters=_EVENTS, answers=EVENTS_TYPE, resource="service"),
    )
    return routes
