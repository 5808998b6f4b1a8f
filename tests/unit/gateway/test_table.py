"""Which route a request takes, and under which path it goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.gateway.config import read_config
from governance.gateway.heads import BadHeadError, hostname
from governance.gateway.table import RouteTable, path_of

ROUTES = """
upstreams: {u: {addresses: ["http://127.0.0.1:1"]}}
routes:
  - {name: all, path: /, upstream: u}
  - {name: api, path: /api, upstream: u, rewrite: /}
  - {name: users, path: /api/users/, upstream: u, rewrite: /people}
  - {name: writes, path: /api, methods: [POST], upstream: u}
  - {name: gray, path: /api, headers: {Type: {exact: gray}}, upstream: u}
  - {name: shop, host: shop.example.com, path: /, upstream: u}
  - {name: shops, host: "*.example.com", path: /api, upstream: u}
  - {name: deep, host: "*.eu.example.com", upstream: u}
"""
CONFIG, PROBLEMS = read_config(ROUTES)
assert CONFIG is not None, PROBLEMS
TABLE = RouteTable(CONFIG.routes)
CASES = [
    ("x", "GET", "/", {}, "all", "/"),
    ("x", "GET", "/apix", {}, "all", "/apix"),
    ("x", "GET", "/api", {}, "api", "/"),
    ("x", "GET", "/api/", {}, "api", "/"),
    ("x", "GET", "/api/a/b?c=%2F", {}, "api", "/a/b?c=%2F"),
    ("x", "GET", "/api?c", {}, "api", "/?c"),
    ("x", "GET", "/api/users", {}, "users", "/people"),
    ("x", "GET", "/api/users/1", {}, "users", "/people/1"),
    ("x", "POST", "/api/x", {}, "writes", "/api/x"),
    ("x", "POST", "/api/users", {}, "users", "/people"),
    ("x", "POST", "/api", {"type": "gray"}, "gray", "/api"),
    ("x", "GET", "/api", {"type": "grey"}, "api", "/"),
    ("shop.example.com", "GET", "/api", {}, "shop", "/api"),
    ("a.example.com", "GET", "/api", {}, "shops", "/api"),
    ("a.example.com", "GET", "/other", {}, "all", "/other"),
    ("a.eu.example.com", "GET", "/api", {}, "deep", "/api"),
    ("example.com", "GET", "/api", {}, "api", "/"),
    # However it is written, it is the same path.
    ("x", "GET", "/%61pi/users", {}, "users", "/people"),
    ("x", "GET", "//api//users/1", {}, "users", "/people/1"),
    ("x", "GET", "/api%2Fusers", {}, "users", "/people"),
    ("x", "GET", "/other/a%2Fb", {}, "all", "/other/a%2Fb"),
    ("x", "GET", "/%61pi/%C3%A4%20", {}, "api", "/%C3%A4%20"),
    ("x", "GET", "/api;v=1/users;a=b/1;c", {}, "users", "/people/1"),
    ("x", "GET", "/api/users/1;c=d", {}, "users", "/people/1;c=d"),
    ("x", "GET", "/other;v=1/a", {}, "all", "/other;v=1/a"),
    ("x", "GET", "/;x/api;y//users", {}, "users", "/people"),
    ("x", "GET", "/api%3Bx", {}, "all", "/api%3Bx"),
    # A name with the dot of the root is the same name.
    ("shop.example.com.", "GET", "/api", {}, "shop", "/api"),
]


@pytest.mark.parametrize(("host", "method", "target", "headers", "name", "goes_on"), CASES)
def test_the_most_specific_route_is_taken(
    host: str, method: str, target: str, headers: dict[str, str], name: str, goes_on: str
) -> None:
    path = path_of(target.encode())
    found = TABLE.find(hostname(host.encode()), method, path.plain, headers)
    assert found is not None
    assert (found.name, found.target(path).decode()) == (name, goes_on)


@pytest.mark.parametrize(
    ("target", "asked"),
    [("/api/%61dmin?x=1", "/admin"), ("/api", "/"), ("/api/users/%C3%A4", "/people/\xe4"), ("/other/%61", "/other/a")],
)
def test_rules_see_the_path_that_goes_on_in_letters(target: str, asked: str) -> None:
    path = path_of(target.encode())
    found = TABLE.find("x", "GET", path.plain, {})
    assert found is not None
    assert found.plain(path) == asked


def test_without_a_route_there_is_none() -> None:
    assert RouteTable(()).find("x", "GET", "/", {}) is None


@pytest.mark.parametrize(
    "target",
    [
        *("/..", "/a/../b", "/a/./b", "/a/%2e%2e/b", "/a/.%2E", "/%2e", "/a/..;x/b", "/a%2f..%2fb"),
        *("/a\\b", "/a%5cb", "/a%00", "/a#b", "/..%3b/x"),
    ],
)
def test_a_path_that_servers_read_in_different_ways_is_refused(target: str) -> None:
    with pytest.raises(BadHeadError):
        path_of(target.encode())


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30))
def test_no_way_of_writing_leads_around_a_route(rest: str) -> None:
    """What decodes to a path below /api/users takes that route, or is refused."""
    try:
        path = path_of(b"/" + rest.encode())
    except BadHeadError:
        return
    found = TABLE.find("x", "GET", path.plain, {})
    assert found is not None
    assert (found.name == "users") == (path.plain == "/api/users" or path.plain.startswith("/api/users/"))
    goes_on = found.target(path)
    assert goes_on.startswith(b"/")
    assert goes_on.endswith(path.query)
