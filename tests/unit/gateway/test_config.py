"""The configuration of a gateway: what is read, and where a mistake is said to be."""

from __future__ import annotations

import pytest

from governance.gateway.config import read_config

UPSTREAM = 'upstreams: {u: {addresses: ["http://127.0.0.1:1"]}}\n'
MISTAKES = [
    ("", "line 1, column 1: error: the configuration is empty: write routes"),
    ("routes: [", "line 1, column 10: error:"),
    ("routes: {}", "line 1, column 1: error: a list is expected here"),
    ("route: []", "line 1, column 1: warning: route is not known and has no effect: write routes"),
    ("listen: here", "line 1, column 1: error: 'here' is no place to listen at: write address:port"),
    ("listen: a:65536", "line 1, column 1: error: 'a:65536' is no place to listen at: write address:port"),
    ("trustedPeers: [10.0.0.1/8]", "line 1, column 16: error: '10.0.0.1/8' is no network"),
    (UPSTREAM + "routes: [{path: a, upstream: u}]", "line 2, column 11: error: 'a' is no path"),
    (UPSTREAM + "routes: [{path: /a%2f, upstream: u}]", "line 2, column 11: error: '/a%2f' is no path"),
    (UPSTREAM + "routes: [{path: '/a;b', upstream: u}]", "line 2, column 11: error: '/a;b' is no path"),
    (UPSTREAM + "routes: [{host: 'a:80', upstream: u}]", "line 2, column 11: error: 'a:80' is no host"),
    (UPSTREAM + "routes: [{upstream: v}]", "line 2, column 11: error: there is no upstream 'v': known are u"),
    (UPSTREAM + "routes: [{upstream: u, service: s}]", "line 2, column 10: error: a route leads either to a service"),
    ("routes: [{path: /}]", "line 1, column 10: error: a route leads either to a service or to an upstream"),
    ("routes: [{service: s}]", "line 1, column 11: error: services are found as a service: add service: with a name"),
    (UPSTREAM + "routes: [{upstream: u}, {upstream: u}]", "line 2, column 25: error: two routes are called /"),
    (UPSTREAM + "routes: [{upstream: u, timeout: 500ms}]", "line 2, column 24: error: timeout is '500ms'"),
    (UPSTREAM + "routes: [{upstream: u, methods: [get]}]", "line 2, column 34: warning: no request has the method"),
    ("upstreams: {u: {}}", "line 1, column 13: error: an upstream has either addresses or groups"),
    ('upstreams: {u: {addresses: ["a:1"]}}', "line 1, column 29: error: 'a:1' is no address: write http://host:port"),
    ('upstreams: {u: {addresses: ["http://a:b"]}}', "line 1, column 29: error: 'http://a:b' is no address"),
    ("upstreams: {u: {addresses: []}}", "error: addresses is empty"),
    ("rules: {servicecomb.retries.a: x}", "line 1, column 9: error: servicecomb.retries.a is the key of no rule"),
    (
        'rules: {servicecomb.rateLimiting.a: "{rate: many}"}',
        "line 1, column 9: error: in its text, line 1, column 2: rate is 'many', which is not a whole number",
    ),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    config, problems = read_config(text)
    assert any(said in str(problem) for problem in problems), list(map(str, problems))
    assert (config is None) == any(problem.severity == "error" for problem in problems)


def test_what_is_not_written_has_a_default() -> None:
    config, problems = read_config(UPSTREAM + "routes: [{upstream: u}]")
    assert config is not None
    assert not problems
    assert (config.listen, config.admin, config.access_log) == ("127.0.0.1:8080", "127.0.0.1:8081", True)
    assert (config.routes[0].timeout, config.routes[0].tries, config.routes[0].path) == (60_000, 2, "/")


def test_an_item_may_name_services_where_the_file_says_who_the_gateway_is() -> None:
    assert read_config("routes: [{service: s}]", registered=True)[0] is not None
