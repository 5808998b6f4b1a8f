"""The documents that dashboards are made from, as Java Chassis, Spring Cloud Huawei, cse-collector and the SDK send them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from registry.api.service_center.shapes import (
    APP_RULE,
    ENVIRONMENT_RULE,
    FIND_NAME_RULE,
    INSTANCE_ID_RULE,
    NAME_RULE,
    SERVICE_ID_RULE,
    VERSION_RULE,
)
from registry.api.shapes import Kind, Member, Rule, Shape, decode, read, validate
from registry.monitor import VersionKey
from registry.monitor.uploads import (
    LARGEST,
    LARGEST_COUNT,
    Reading,
    Resources,
    Told,
    Upload,
    plausible,
    share_of_failures,
)

LONGEST_NAME = 512
MOST_ROWS = 10_000
_MOST_BYTES = 2**53
_PLAIN = (int, float)
_QUANTILES = ("l995", "l99", "l90", "l75", "l50", "l25", "l5")
_REJECTED = ("shortCircuited", "semaphoreRejected", "threadPoolRejected")
_COUNTS = ("total", "failure", *_REJECTED, "countTimeout")
_MEASURES = ("qps", "latency", *_QUANTILES, "failureRate", *_COUNTS)
_MEMORY = ("heapUsed", "nonHeapUsed", "headMax", "heapAlloc", "heapSys")
_Object: TypeAlias = Mapping[str, Any]


def _numbers(*names: str) -> tuple[Member, ...]:
    return tuple(Member(name, Kind.NUMBER) for name in names)


_INTERFACE = Shape(
    "Interface",
    (Member("name", rule=Rule(1, LONGEST_NAME)), *_numbers(*_MEASURES), Member("circuitBreakerOpen", Kind.FLAG)),
)
_CALL = Shape(
    "MonitoredCall",
    (
        Member("service", rule=FIND_NAME_RULE),
        Member("version", rule=VERSION_RULE),
        *_numbers("qps", "latency", "failureRate", "l99"),
    ),
)
_FACTS = (
    Member("appId", rule=APP_RULE),
    Member("name", rule=NAME_RULE),
    Member("version", rule=VERSION_RULE),
    Member("environment", rule=ENVIRONMENT_RULE),
    Member("serviceId", rule=SERVICE_ID_RULE),
    Member("instanceId", rule=INSTANCE_ID_RULE),
    Member("instance", rule=Rule(0, 255)),
    *_numbers("threadCount", "thread", "cpu", "loadAverage", "uptime"),
    Member("memory", Kind.OBJECT, shape=Shape("Memory", _numbers(*_MEMORY))),
    Member("calls", Kind.OBJECTS, items=(0, MOST_ROWS), shape=_CALL),
)
DOCUMENT = Shape("MonitorData", (*_FACTS, Member("interfaces", Kind.OBJECTS, items=(0, MOST_ROWS), shape=_INTERFACE)))
_READ = Shape(DOCUMENT.name, (*_FACTS, Member("interfaces", Kind.OBJECTS, items=(0, MOST_ROWS))))
"""The same with the interfaces as they came: there are many, and nearly all are in order."""
SAMPLE: _Object = {
    "appId": "weathermap",
    "name": "weather",
    "version": "1.0.0",
    "serviceId": "7e2b",
    "instanceId": "1f0c",
    "instance": "host",
    "threadCount": 12,
    "cpu": 1.5,
    "memory": {"heapUsed": 52428800},
    "interfaces": [{"name": "Provider.weather.weather.show", "qps": 2.5, "latency": 7, "total": 25, "failure": 1}],
}


def document_of(tenant: str, body: bytes) -> tuple[VersionKey, Upload]:
    """The service that a document says it is of, and what it tells. Raises 400001."""
    given: dict[str, Any] = read(_READ, body)
    validate(_READ, given)
    key = VersionKey(tenant, given["appId"], given.get("environment", ""), given["name"], given["version"])
    return key, Upload(
        given["serviceId"],
        given["instanceId"],
        given.get("instance", ""),
        _resources(given),
        [_reading(one, place) for place, one in enumerate(given.get("interfaces", ())) if one is not None],
        [_told(one) for one in given["calls"] if one] if "calls" in given else None,
    )


def _resources(given: _Object) -> Resources:
    """Go's documents say `thread`, and the number of cores where others say how busy they are."""
    memory, is_go = given.get("memory", {}), "thread" in given
    used = memory.get("heapAlloc", 0) if is_go else memory.get("heapUsed", 0) + memory.get("nonHeapUsed", 0)
    return Resources(
        threads=_whole(given.get("threadCount", given.get("thread", 0))),
        cpu=None if is_go else plausible(given.get("cpu", 0.0)),
        memory=_whole(used, _MOST_BYTES),
        memory_limit=_whole(memory.get("headMax", memory.get("heapSys", 0)), _MOST_BYTES),
        load=_bounded(given["loadAverage"]) if given.get("loadAverage", -1) >= 0 else None,
        uptime=_whole(given.get("uptime", 0), _MOST_BYTES),
    )


def _whole(number: float, most: int = LARGEST_COUNT) -> int:
    return int(min(max(number, 0), most))


def _bounded(number: float) -> float:
    return 0.0 if number <= 0 else min(number, LARGEST)


def _reading(one: _Object, place: int) -> Reading:
    """One interface. Raises 400001, with its place in the list."""
    numbers = [one.get(name, 0) for name in _MEASURES]
    name, is_open = one.get("name"), one.get("circuitBreakerOpen", False)
    plain = all(type(number) in _PLAIN for number in numbers) and isinstance(is_open, bool)
    if not (plain and isinstance(name, str) and 0 < len(name) <= LONGEST_NAME):
        decoded = decode(_INTERFACE, one, f"interfaces[{place}]")
        validate(_INTERFACE, decoded)
        return _reading(decoded, place)
    rate, latency, p995, p99, p90, p75, p50, p25, p5, *rest = map(_bounded, numbers)
    failure_rate, total, failures, *others = rest
    return Reading(
        name,
        rate,
        latency,
        (p995, p99, p90, p75, p50, p25, p5),
        share_of_failures(failure_rate, failures, total),
        int(total),
        int(failures),
        int(sum(others[:-1])),
        int(others[-1]),
        is_open,
    )


def _told(one: _Object) -> Told:
    share = min(max(one.get("failureRate", 0), 0), 1)
    rate, latency, p99 = (_bounded(one.get(name, 0)) for name in ("qps", "latency", "l99"))
    return Told(one["service"], one["version"], rate, latency, share, p99)
