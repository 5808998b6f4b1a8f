"""A record takes the memory of what it holds: an engine keeps a hundred thousand of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from registry.catalog.leases import Lease, Leases
from registry.catalog.records import Instance, Service
from registry.config.records import Draft, KeyValue

_COUNT = 200
_LEASE = Lease(Leases(), "default/default", "service", "instance", ttl=120.0, interval=30.0)


def _service(number: int) -> object:
    document = {"serviceId": f"{number:040d}", "appId": "app", "serviceName": f"name-{number}", "version": "1.0.0"}
    return Service.of("default/default", document, {}, number)


def _instance(number: int) -> object:
    document = {"instanceId": f"{number:032d}", "serviceId": "s" * 40, "endpoints": ["rest://h:1"], "hostName": "host"}
    return Instance.of("default/default", document, _LEASE, number)


def _key_value(number: int) -> object:
    return KeyValue.of("default/default", Draft(f"key-{number}", "value"), created=(number, 0), updated=(number, 0))


@pytest.mark.parametrize("make", [_service, _instance, _key_value])
def test_a_record_keeps_no_spare_memory(make: Callable[[int], object]) -> None:
    """Well under the 4 KB in which orjson makes its results."""
    make(0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        records = [make(number) for number in range(_COUNT)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 100 < (after - before) / len(records) < 2500
