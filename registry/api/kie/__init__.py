"""The KIE API: its table of routes. Protocol: KIE section A.2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from registry.api.call import NOTHING, Call, Handler, Parameter, Reply, Route, Tenancy
from registry.api.kie import history, keyvalues, shapes, transfer
from registry.api.kie.bodies import UNSUPPORTED, in_our_words, readable, reply
from registry.api.kie.tracking import FILTERS, Polls
from registry.api.shapes import Shape
from registry.config.rules import check_project

if TYPE_CHECKING:
    from aiohttp import web

_VERSION = "0.1.0"
_ROOT = "/v1/:project/kie"
_ONE = f"{_ROOT}/kv/:kv_id"
_CHANGE = {"value": "3s", "status": "enabled"}
_KEY_VALUE = {
    "key": "timeout",
    "value": "2s",
    "value_type": "text",
    "status": "enabled",
    "labels": {"app": "mall", "environment": ""},
}
_PAGE = (Parameter("offset", "how many to leave out"), Parameter("limit", "at most this many, 1 to 100"))
_LIST = (
    Parameter("label", "repeatable: name:value"),
    Parameter("match", "exact: with these labels and no others"),
    Parameter("key", "a key, beginWith(…) or wildcard(…)"),
    Parameter("value", "a part of the value"),
    Parameter("status", "enabled or disabled"),
    *_PAGE,
    Parameter("revision", "304 where this is still the revision"),
    Parameter("wait", "how long to wait for a change, such as 10s; 5m at most"),
)
_OVERRIDE = (Parameter("override", "force, skip or abort", required=True),)
_TRACK = tuple(Parameter(name, f"only polls of this {about}") for name, about in FILTERS.items())
_UNKNOWN = {404: "There is no such record"}
_TAKEN = {
    409: "The key is there with these labels",
    415: "The body is neither JSON nor YAML",
    422: "The quota is reached",
}
_BUSY = {429: "Too many requests wait already"}


async def health(call: Call) -> Reply:
    """GET /v1/health: that the config centre answers, and how much it holds."""
    if call.query.get("mode") == "liveness":
        return Reply()
    state = call.engine.config.state
    domain = call.tenant.partition("/")[0] + "/"
    shown = {
        "version": _VERSION,
        "revision": str(state.revision(call.tenant)),
        "timestamp": call.engine.now() // 1000,
        "total_kv_count": sum(len(table.by_id) for tenant, table in state.tables() if tenant.startswith(domain)),
    }
    return reply(orjson.dumps(shown))


def kie_routes() -> Sequence[Route]:
    """The table of routes."""
    polls = Polls()
    return (
        _writing("POST", f"{_ROOT}/kv", keyvalues.create, "A.4", shapes.KEY_VALUE, sample=_KEY_VALUE, failures=_TAKEN),
        _row("GET", f"{_ROOT}/kv", polls.tracked_list, "A.7", "ListKVRequest", parameters=_LIST, failures=_BUSY),
        _row(
            "DELETE", f"{_ROOT}/kv", keyvalues.delete_many, "A.6", "DeleteBodyRequest", body=shapes.IDS, answers=NOTHING
        ),
        _row("GET", _ONE, keyvalues.get, "A.2", "GetKVRequest", failures=_UNKNOWN),
        _writing("PUT", _ONE, keyvalues.update, "A.5", shapes.UPDATE, sample=_CHANGE, failures=_UNKNOWN),
        _row("DELETE", _ONE, keyvalues.delete, "A.6", "DeleteKVRequest", answers=NOTHING, failures=_UNKNOWN),
        _writing("POST", f"{_ROOT}/file", transfer.upload, "A.10", shapes.UPLOAD, parameters=_OVERRIDE),
        _row(
            "GET",
            f"{_ROOT}/revision/:kv_id",
            history.revisions,
            "A.11",
            "GetHistoryRequest",
            parameters=_PAGE,
            failures=_UNKNOWN,
        ),
        _row("GET", f"{_ROOT}/track", polls.track, "A.11", "PollingRequest", parameters=_TRACK, failures=_UNKNOWN),
        Route("GET", "/v1/health", health, "public", "How the config centre is.", Tenancy.KIE, section="A.11"),
    )


def _writing(method: str, path: str, handler: Handler, section: str, shape: Shape, **more: object) -> Route:
    """A row whose body must be of a media type that is read."""

    async def written(call: Call) -> Reply | web.StreamResponse:
        return await handler(call) if readable(call) else UNSUPPORTED

    written.__doc__, written.__qualname__ = handler.__doc__, handler.__qualname__
    return _row(method, path, written, section, shape.name, body=shape, **more)


def _row(method: str, path: str, handler: Handler, section: str, request: str, **more: object) -> Route:
    """A row whose project is checked; `request` is what refusals call it."""

    async def checked(call: Call) -> Reply | web.StreamResponse:
        check_project(request, call.params["project"])
        return await handler(call)

    checked.__doc__, checked.__qualname__ = handler.__doc__, handler.__qualname__
    return Route(
        method,
        path,
        checked,
        "config",
        (handler.__doc__ or "").strip().splitlines()[0],
        Tenancy.KIE,
        "max_config_body_bytes",
        section=section,
        refused=in_our_words,
        **more,  # type: ignore[arg-type]
    )
