"""What the connections of a gateway share: whom it trusts, what a change keeps, what is counted."""

from __future__ import annotations

import pytest

from governance.gateway.config import GatewayConfig, read_config
from governance.gateway.core import Core
from governance.gateway.failures import Failures
from governance.gateway.metrics import GatewayCollector, Tally
from governance.invocation.measures import BOUNDS
from governance.routing.lanes import Mark


def config(text: str) -> GatewayConfig:
    """A configuration that is in order."""
    found, problems = read_config(text)
    assert found is not None, list(map(str, problems))
    return found


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::1", True),
        ("fe80::1%eth0", False),
        ("11.1.2.3", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_who_is_trusted(address: str, *, trusted: bool) -> None:
    assert Core(config("trustedPeers: [10.0.0.0/8, 'fd00::/8']")).trusts(address) is trusted
    assert not Core(config("routes: []")).trusts(address)


def test_a_change_keeps_the_draws_of_what_stays() -> None:
    both = "upstreams: {a: {addresses: ['http://x:1', 'http://x:2']}, b: {addresses: ['http://x:3']}}\n"
    core = Core(config(both))
    stays, changes = core.choice("a"), core.choice("b")
    core.apply(config(both.replace("x:3", "x:4")))
    assert core.choice("a") is stays
    assert core.choice("b") is not changes
    core.apply(config("routes: []"))
    assert core.choice("a") is None


def test_a_head_that_was_read_before_is_read_anew_when_one_of_its_headers_carries_lanes() -> None:
    core = Core(config("routes: []"))
    head = b"GET / HTTP/1.1\r\nHost: a\r\nx-lane: gray\r\n\r\n"
    assert b"gray" in core.reader(trusted=False).read(head).block.passed
    core.guard(frozenset(("x_lane", "x-lane")))
    assert b"gray" not in core.reader(trusted=False).read(head).block.passed
    core.apply(config("routes: []"))
    assert b"gray" not in core.reader(trusted=False).read(head).block.passed, "routes and lanes change apart"
    core.guard(frozenset())
    assert b"gray" in core.reader(trusted=False).read(head).block.passed


def test_lanes_are_counted_within_bounds() -> None:
    core = Core(config("routes: []"))
    for number in range(11_000):
        core.tally.count_lane(Mark("g", str(number), "x"), None)
    families = {family.name: family for family in GatewayCollector(core).collect()}
    counts = {sample.labels["group"]: 0.0 for sample in families["gateway_lane_requests"].samples}
    for sample in families["gateway_lane_requests"].samples:
        counts[sample.labels["group"]] += sample.value
    assert counts == {"g": 10_000, "other": 1_000}


def test_requests_and_their_times_are_counted_within_bounds() -> None:
    core = Core(config("routes: []"))
    for seconds in (0.0005, 0.001, 0.3, 99.0):
        core.tally.count(None, None, 404, seconds)
    families = {family.name: family for family in GatewayCollector(core).collect()}
    [requests] = families["gateway_requests"].samples
    assert (requests.labels, requests.value) == ({"route": "", "service": "", "version": "", "status": "404"}, 4)
    buckets = {
        sample.labels["le"]: sample.value
        for sample in families["gateway_seconds"].samples
        if sample.name == "gateway_seconds_bucket"
    }
    assert len(buckets) == len(BOUNDS) + 1
    assert (buckets["0.001"], buckets["0.25"], buckets["0.5"], buckets["10.0"], buckets["+Inf"]) == (2, 2, 3, 3, 4)
    tally = Tally()
    for status in range(20_000):
        tally.count(None, None, status, 0.1)
    assert len(tally.requests) <= 10_001
    assert sum(tally.requests.values()) == 20_000


def test_a_server_that_is_down_is_told_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    time = [0.0]
    failures = Failures(lambda: time[0])
    for _ in range(1000):
        failures.tell("/", "a", ConnectionError("refused"))
    failures.tell("/", "b", ConnectionError("refused"))
    time[0] = 1.0
    failures.tell("/", "a", ConnectionError("refused"))
    told = [message.partition("error=")[0] + message.rpartition(" ")[2] for message in caplog.messages]
    assert told == [
        "event='gateway.failed' route='/' server='a' untold=0",
        "event='gateway.failed' route='/' server='b' untold=0",
        "event='gateway.failed' route='/' server='a' untold=999",
    ]
