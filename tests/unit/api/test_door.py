"""The door: every route has a permission, decisions end in time, and what a request is about is what its handler reads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from registry.access.callers import Origin, Seen
from registry.access.permissions import Need
from registry.access.tokens import Identity
from registry.api.call import EMPTY, Call, Reply, Route
from registry.api.door import labels, verdicts
from registry.api.door.labels import labels_asked
from registry.api.door.verdicts import Asked, Verdict
from registry.api.service_center import ROUTES, discovery, shapes
from registry.api.shapes import read
from registry.errors import RegistryError
from registry.server import Server
from registry.settings import Settings

RESOURCES = {"service", "service/schema", "config", "governance", "ops", "account", "role", "access", "self"}
PUBLIC = {
    ("GET", "/health"),
    ("GET", "/version"),
    ("GET", "/v4/:project/registry/health"),
    ("GET", "/v4/:project/registry/version"),
    ("GET", "/v1/health"),
    ("GET", "/v3/:project/configuration/health"),
    ("GET", "/v3/:outer/v3/:project/configuration/health"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("POST", "/v4/token"),
    ("GET", "/waggle/v1/access"),
    ("POST", "/waggle/v1/access/oauth2/token"),
    ("PUT", "/waggle/v1/access"),
}
"""What anybody may ask for. The last two look at passwords and tokens themselves."""


@pytest_asyncio.fixture
async def table(tmp_path: Path) -> tuple[Route, ...]:
    """The table of routes of an engine."""
    return tuple(Server(Settings(data_dir=tmp_path / "data")).routes)


async def test_every_route_has_a_permission(table: tuple[Route, ...]) -> None:
    """The public ones are these and no others; all others name a resource that a role can be given.

    The console's pages are public, too: they show what they are given by the API, which they ask as whoever looks at them.
    """
    assert len(table) > 100
    api = [route for route in table if route.path != "/console" and not route.path.startswith("/console/")]
    assert {(route.method, route.path) for route in api if route.resource == "public"} == PUBLIC
    assert {route.resource for route in api} - {"public"} == RESOURCES
    assert {route.resource for route in table if route not in api} == {"public"}


async def _nothing(_call: Call) -> Reply:
    return EMPTY


@pytest.mark.parametrize("resource", ["", "public", "servicce"], ids=["none", "public", "misspelt"])
async def test_a_route_without_a_permission_would_be_noticed(resource: str, table: tuple[Route, ...]) -> None:
    """One is planted: the walk above fails on it. It has no default to forget, either."""
    planted = Route("GET", "/planted", _nothing, resource, "A route that nobody has thought about")
    with pytest.raises(AssertionError):
        await test_every_route_has_a_permission((*table, planted))
    with pytest.raises(TypeError, match="resource"):
        Route("GET", "/planted", _nothing)  # type: ignore[call-arg]


async def test_what_is_said_of_routes_is_of_routes_that_there_are(table: tuple[Route, ...]) -> None:
    """A handler that is renamed would silently need a permission without labels."""
    assert set(labels._OF) - {route.name for route in table} == set()


def _verdict(expires: int) -> tuple[Verdict, Any]:
    need = Need("service", "update")
    access = SimpleNamespace(version=1)
    asked = Asked("", need, (), (Origin("t", "a"),))
    seen = Seen(need, Identity("a", ("r",), expires), None, enforced=True)
    return Verdict(SimpleNamespace(access=access), asked, seen, None, repeatable=True), access  # type: ignore[arg-type]


def test_a_decision_ends_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """And with any change of access, before that."""
    clock = 99.9
    monkeypatch.setattr(verdicts, "time", SimpleNamespace(time=lambda: clock))
    verdict, access = _verdict(100)
    assert verdict.stands()
    clock = 100.0
    assert not verdict.stands()
    clock = 99.0
    access.version = 2
    assert not verdict.stands()


_TEXTS = st.sampled_from(["", "a", "b", "orders", "Orders"])
_FOLDED = st.sampled_from(["serviceName", "SERVICENAME", "servicename"])
_SERVICE = st.dictionaries(st.one_of(_FOLDED, st.sampled_from(["appId", "APPID", "environment"])), _TEXTS, max_size=4)
_ITEM = st.fixed_dictionaries({}, optional={"service": _SERVICE, "Service": _SERVICE, "rev": _TEXTS})


def _call(name: str, body: bytes) -> Any:
    route = next(route for route in ROUTES if route.name == name)
    catalog = SimpleNamespace(state=SimpleNamespace(existing=lambda _tenant: SimpleNamespace(services={})))
    engine = SimpleNamespace(catalog=catalog)
    return SimpleNamespace(
        route=route, body=body, engine=engine, tenant="t/p", params={}, query={}, header=lambda _name: ""
    )


@given(st.lists(_ITEM, max_size=4), st.sampled_from(["services", "SERVICES", "Services"]))
def test_a_batch_find_is_about_what_its_handler_looks_for(items: list[dict[str, object]], member: str) -> None:
    """Whatever the case of names, and whichever of two of a name is the last."""
    body = orjson.dumps({member: items})
    try:
        found = labels_asked(_call("discovery.batch", body))
    except RegistryError:
        return
    given_items = read(shapes.BATCH_FIND, body, "").get("services") or []
    assert isinstance(given_items, list)
    for item in given_items:
        wanted = (item or {}).get("service")
        if wanted and wanted.get("appId") and wanted.get("serviceName"):
            key = discovery._query(wanted, "").key
            assert {"environment": key.environment, "appId": key.app, "serviceName": key.name} in list(found)
    assert len(found) >= 1, "nothing is about nothing"


@given(st.binary(max_size=40))
def test_no_body_is_a_defect(body: bytes) -> None:
    """What cannot be read is about nothing that anyone is allowed, and never an internal error."""
    for route in ROUTES:
        if route.name in labels._IN_BODIES:
            try:
                labels_asked(_call(route.name, body))
            except RegistryError as error:
                assert error.error.code == 401201
