"""This engine's own API of alarms: its table of routes. docs/alarms.md describes it. Domain and project are parameters of the query."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from aiohttp import web

from registry.api.alarms import rules, silences
from registry.api.alarms.listing import list_all
from registry.api.alarms.webhooks import Hooks
from registry.api.call import Call, Handler, Parameter, Reply, Route, Tenancy
from registry.api.checks import check_tenant
from registry.engine.webhooks import Webhooks

_ROOT = "/waggle/v1/alarms"
_NONE = {404: "There is no such thing"}
_ID = Parameter("id", "the id of an alarm", required=True)
_NAME = Parameter("name", "which one", required=True)
_LISTED = (
    Parameter("state", "raised (as where it is missing), over, or all"),
    Parameter("severity", "only alarms that are at least so severe"),
    Parameter("rule", "only alarms of this rule"),
    Parameter("service", "only alarms of this service"),
    Parameter("limit", "at most so many that are over, 1 to 1000; 100 where it is missing"),
)
_RULE = {"name": "slow-orders", "metric": "p99", "service": "orders", "raise": 500, "clear": 400, "for": 30}
_HOOK = {"name": "office", "url": "https://alerts.example/waggle", "severity": "major"}
_NOTED = {"seconds": 3600, "note": "known"}


def alarm_routes(webhooks: Webhooks) -> Sequence[Route]:
    """The table of routes."""
    hooks = Hooks(webhooks)
    by_id = {"parameters": (_ID,), "failures": _NONE}
    by_name = {"parameters": (_NAME,), "failures": _NONE}
    revision = Parameter("revision", "the rule is to be as it was then", required=True)
    return (
        _row("GET", "", list_all, parameters=_LISTED),
        _row("DELETE", "", silences.dismiss, **by_id),
        _row("PUT", "/acknowledgement", silences.acknowledge, sample=_NOTED, **by_id),
        _row("DELETE", "/acknowledgement", silences.take_back, **by_id),
        _row("GET", "/rules", rules.list_all),
        _row("PUT", "/rules", rules.put, sample=_RULE),
        _row("DELETE", "/rules", rules.delete, **by_name),
        _row("GET", "/rules/history", rules.history, **by_name),
        _row("POST", "/rules/rollback", rules.rollback, parameters=(_NAME, revision), failures=_NONE),
        _row("GET", "/silences", silences.list_all),
        _row("PUT", "/silences", silences.put, sample={"alarm": "no-instances/*", **_NOTED}),
        _row("DELETE", "/silences", silences.delete, **by_id),
        _row("GET", "/webhooks", hooks.list_all),
        _row("PUT", "/webhooks", hooks.put, sample=_HOOK),
        _row("DELETE", "/webhooks", hooks.delete, **by_name),
        _row("POST", "/webhooks/test", hooks.test, **by_name),
    )


def _row(method: str, path: str, handler: Handler, **more: object) -> Route:
    about = (handler.__doc__ or "").strip().splitlines()[0]
    return Route(method, _ROOT + path, _in_tenant(handler), "ops", about, Tenancy.QUERY, **more)  # type: ignore[arg-type]


def _in_tenant(handler: Handler) -> Handler:
    @functools.wraps(handler)
    async def checked(call: Call) -> Reply | web.StreamResponse:
        check_tenant(call)
        return await handler(call)

    return checked
