"""The KIE API: its table of routes. Protocol: KIE section A.2."""

from __future__ import annotations

from collections.abc import Sequence

from registry.api.call import Call, Handler, Parameter, Reply, Route, Tenancy, json_reply
from registry.api.kie import keyvalues, transfer
from registry.api.kie.bodies import in_our_words
from registry.api.kie.tracking import Polls
from registry.config.rules import check_project
from registry.tenancy import tenant_name

_VERSION = "0.1.0"
_ROOT = "/v1/:project/kie"
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


async def health(call: Call) -> Reply:
    """GET /v1/health: that the config centre answers, and how much it holds."""
    if call.query.get("mode") == "liveness":
        return Reply()
    state = call.engine.config.state
    tenant = tenant_name("default", "default")
    total = sum(len(table.by_id) for name, table in state.tables() if name.startswith("default/"))
    shown = {
        "version": _VERSION,
        "revision": str(state.revision(tenant)),
        "timestamp": call.engine.now() // 1000,
        "total_kv_count": total,
    }
    return json_reply(shown)


def _in_project(handler: Handler) -> Handler:
    async def checked(call: Call):  # type: ignore[no-untyped-def]
        check_project(call.params["project"])
        return await handler(call)

    checked.__doc__, checked.__qualname__ = handler.__doc__, handler.__qualname__
    return checked


def _row(method: str, path: str, handler: Handler, section: str, **more: object) -> Route:
    about = (handler.__doc__ or "").strip().splitlines()[0]
    return Route(
        method,
        _ROOT + path,
        _in_project(handler),
        "config",
        about,
        Tenancy.KIE,
        "max_config_body_bytes",
        section=section,
        refused=in_our_words,
        **more,  # type: ignore[arg-type]
    )


def kie_routes() -> Sequence[Route]:
    """The table of routes."""
    polls = Polls()
    return (
        _row("POST", "/kv", keyvalues.create, "A.4", sample=_KEY_VALUE),
        _row("GET", "/kv", polls.tracked_list, "A.7", parameters=_LIST),
        _row("DELETE", "/kv", keyvalues.delete_many, "A.6", sample={"ids": ["x"]}),
        _row("GET", "/kv/:kv_id", keyvalues.get, "A.2"),
        _row("PUT", "/kv/:kv_id", keyvalues.update, "A.5", sample={"value": "3s", "status": "enabled"}),
        _row("DELETE", "/kv/:kv_id", keyvalues.delete, "A.6"),
        _row(
            "POST",
            "/file",
            transfer.upload,
            "A.10",
            parameters=(Parameter("override", "force, skip or abort", required=True),),
            sample={"data": [_KEY_VALUE]},
        ),
        _row("GET", "/track", polls.track, "A.11", parameters=(Parameter("sessionId", "only this session"),)),
        Route("GET", "/v1/health", health, "public", "How the config centre is.", Tenancy.NONE, section="A.11"),
    )
