"""The engine's own API of the config centre: its table of routes. docs/config.md describes it.

It does what KIE's API cannot: items are named by key and labels, many change together or not at all, values are checked, and one may
ask what a client would see. Domain and project are parameters of the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from registry.api.call import TEXT_TYPE, Call, Handler, Parameter, Reply, Route, Tenancy
from registry.api.checks import check_tenant
from registry.api.config import branches, drafts, history, items, preview, readers, releases, transfer
from registry.api.kie.bodies import in_our_words

if TYPE_CHECKING:
    from aiohttp import web

_ROOT = "/waggle/v1/config"
_ITEM = {"key": "timeout", "value": "2s", "labels": {"app": "mall", "environment": ""}}
_KEY = Parameter("key", "the key", required=True)
_LABEL = Parameter("label", "repeatable: name:value; all labels of the item")
_SOME = (
    Parameter("label", "repeatable: name:value"),
    Parameter("match", "exact: with these labels and no others"),
    Parameter("key", "a key, beginWith(…) or wildcard(…)"),
    Parameter("value", "a part of the value"),
    Parameter("status", "enabled or disabled"),
)
_RULES = Parameter("rules", "1: only items that are rules")
_CONTAINS = Parameter("contains", "a part of the key, of the value or of a label, whatever its case")
_AUTHORS = Parameter("authors", "1: `authors` has who made the newest version of each, by id; with `limit`")
_UNTIL = Parameter("revision", "only where this is its revision: nobody has changed it since; else 409002")
_PREFIX = Parameter("prefix", "only keys that begin so; the answer's `prefixes` go one part further")
_PAGE = (Parameter("offset", "how many to leave out"), Parameter("limit", "at most this many, 1 to 100"))
_FORMAT = Parameter("format", "yaml, properties or kie; yaml where it is missing")
_IMPORT = (
    _FORMAT,
    Parameter("dry_run", "1: only say what would change"),
    Parameter("override", "what becomes of items that are there and differ: force (the default), skip or abort"),
    Parameter("force", "1: store values that do not parse, too"),
    Parameter("prune", "1: delete the items with at least these labels that the file does not have"),
    Parameter("label", "repeatable: name:value; the labels of a properties file's items, else of what is pruned"),
)
_CLIENT = (
    Parameter("app", "the client's application", required=True),
    Parameter("service", "the client's service", required=True),
    Parameter("version", "the client's version"),
    Parameter("environment", "the client's environment; none where it is missing"),
    Parameter("client", "its kind: java (the default), java-2.7, go, go-2.7, config-center or python"),
    Parameter("label", "name:value, the custom label that it asks for; public: where it is missing"),
    Parameter("instance", "the id of its instance, where a gradual release tells instances apart"),
)
_FROM_TO = (
    Parameter("from", "a revision; the one before `to` where it is missing"),
    Parameter("to", "a revision; the newest where it is missing"),
)
_AT = Parameter("revision", "the item is to be as it was then", required=True)
_NO_ITEM = {404: "No such item"}
_CONFLICTS = {409: "An item is there already, or somebody else changed it", 422: "More items than the quota allows"}


def config_routes() -> Sequence[Route]:
    """The table of routes."""
    return (
        _row("GET", "/items", items.find_all, parameters=(*_SOME, _RULES, _CONTAINS, _AUTHORS, *_PAGE)),
        _row("PUT", "/items", items.put, sample=_ITEM, failures=_CONFLICTS),
        _row(
            "DELETE",
            "/items",
            items.delete,
            parameters=(_KEY, _LABEL, _UNTIL),
            failures=_NO_ITEM | {409: "Somebody else changed it"},
        ),
        _row("GET", "/items/one", items.get_one, parameters=(_KEY, _LABEL), failures=_NO_ITEM),
        _row("POST", "/check", drafts.check, sample=_ITEM, verb="get", failures=_CONFLICTS),
        _row("GET", "/tree", branches.tree, parameters=(_PREFIX, _LABEL, _SOME[1])),
        _row("GET", "/readers", readers.readers, parameters=(_LABEL,)),
        _row("GET", "/listeners", readers.listeners, parameters=(_LABEL, _SOME[1], *_PAGE)),
        _row("GET", "/history", history.history, parameters=(_KEY, _LABEL), failures=_NO_ITEM),
        _row("GET", "/diff", history.diff, parameters=(_KEY, _LABEL, *_FROM_TO), failures=_NO_ITEM),
        _row("POST", "/rollback", history.rollback, parameters=(_KEY, _LABEL, _AT), failures=_NO_ITEM | _CONFLICTS),
        _row("GET", "/releases", releases.list_all),
        _row(
            "PUT",
            "/releases/one",
            releases.start,
            parameters=(_KEY, _LABEL),
            sample={"value": "3s", "share": 10},
            failures=_NO_ITEM,
        ),
        _row("DELETE", "/releases/one", releases.drop, parameters=(_KEY, _LABEL), failures=_NO_ITEM),
        _row("POST", "/releases/promote", releases.promote, parameters=(_KEY, _LABEL), failures=_NO_ITEM),
        _row("GET", "/export", transfer.export, parameters=(_FORMAT, *_SOME), answers=TEXT_TYPE),
        _row("POST", "/import", transfer.import_file, parameters=_IMPORT, failures=_CONFLICTS),
        _row("GET", "/preview", preview.preview, parameters=_CLIENT, failures={404: "No such instance"}),
    )


def _in_tenant(handler: Handler) -> Handler:
    async def checked(call: Call) -> Reply | web.StreamResponse:
        check_tenant(call)
        return await handler(call)

    checked.__doc__, checked.__qualname__ = handler.__doc__, handler.__qualname__
    return checked


def _row(method: str, path: str, handler: Handler, **more: object) -> Route:
    about = (handler.__doc__ or "").strip().splitlines()[0]
    return Route(
        method,
        _ROOT + path,
        _in_tenant(handler),
        "config",
        about,
        Tenancy.QUERY,
        "max_config_body_bytes",
        refused=in_our_words,
        **more,  # type: ignore[arg-type]
    )
