"""The API of Config Center 1.0: its table of routes. Protocol: Config Center part B.

Each route is there as v3 and, for the oldest clients, as v2, which knows no project. Both are views of the store that KIE's API shows too:
docs/config-center.md says which items of one are which of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from registry.api.call import WEBSOCKET, Handler, Parameter, Route, Tenancy
from registry.api.config_center import items, members
from registry.api.config_center.asked import ENVIRONMENT
from registry.api.config_center.push import Pushes
from registry.api.config_center.views import Views
from registry.api.kie.bodies import in_our_words
from registry.api.sockets import Sockets
from registry.engine import Engine

_V3 = "/v3/:project/configuration"
_V2 = "/configuration/v2"
_WRITTEN = {"dimensionsInfo": "cart@mall#1.0.0", "items": {"timeout": "2s"}}
_DELETED = {"dimensionsInfo": "cart@mall#1.0.0", "keys": ["timeout"]}
_IN = Parameter(ENVIRONMENT, "development, testing, acceptance or production; anything else is none", "header")
_OF = Parameter("dimensionsInfo", "application, service@app or service@app#version", required=True)
_READ = (
    _OF,
    Parameter("revision", "304 where this is still the revision; without it the answer names none"),
    Parameter("keyFilter", "only keys in which this simple regular expression is found"),
    _IN,
)
_QUOTA = {422: "More items than the quota allows"}


def config_center_routes(engine: Engine, sockets: Sockets, addresses: Callable[[], Sequence[str]]) -> Sequence[Route]:
    """The table of routes; `addresses` are where the engine is reached, the best first."""
    views = Views(engine)
    read, listen = items.Items(views).get, Pushes(engine, views, sockets).listen
    listed = members.members_of(addresses)
    return (
        *_both("GET", "/items", read, "B.3", parameters=_READ),
        *_both("POST", "/items", items.write_items, "B.4", body=items.WRITTEN, sample=_WRITTEN, failures=_QUOTA),
        *_both("DELETE", "/items", items.delete_items, "B.4", body=items.DELETED, sample=_DELETED),
        *_both("GET", "/refresh/items", listen, "B.6", parameters=(_OF, _IN), answers=WEBSOCKET),
        _row("DELETE", "/v3/:project/govern/configs/:dimension", items.delete_scope, "B.4", body=items.SCOPE),
        _row("GET", f"{_V3}/members", listed, "B.5", parameters=()),
        _row("GET", "/members", listed, "B.5", parameters=()),
        _row("GET", f"{_V3}/health", members.health, "B.5", parameters=(), resource="public"),
        # Clients put the path behind an address that has a project in it already.
        _row("GET", f"/v3/:outer{_V3}/health", members.health, "B.5", parameters=(), resource="public"),
    )


def _both(method: str, path: str, handler: Handler, section: str, **more: object) -> Iterator[Route]:
    return (_row(method, root + path, handler, section, **more) for root in (_V3, _V2))


def _row(method: str, path: str, handler: Handler, section: str, **more: object) -> Route:
    about = (handler.__doc__ or "").strip().splitlines()[0]
    common = {"resource": "config", "parameters": (_IN,), "tenancy": Tenancy.CONFIG, "refused": in_our_words}
    return Route(
        method,
        path,
        handler,
        about=about,
        body_limit="max_config_body_bytes",
        section=section,
        **{**common, **more},  # type: ignore[arg-type]
    )
