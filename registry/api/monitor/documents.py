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
from registry.api.shapes import Kind, Member, Rule, Shape, read, validate
from registry.monitor import VersionKey
from registry.monitor.history import single
from registry.monitor.uploads import Reading, Resources, Told, Upload, plausible, share_of_failures

LONGEST_NAME = 512
MOST_ROWS = 10_000
_LARGEST = 2**53
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
DOCUMENT = Shape(
    "MonitorData",
    (
        Member("appId", rule=APP_RULE),
        Member("name", rule=NAME_RULE),
        Member("version", rule=VERSION_RULE),
        Member("environment", rule=ENVIRONMENT_RULE),
        Member("serviceId", rule=SERVICE_ID_RULE),
        Member("instanceId", rule=INSTANCE_ID_RULE),
        Member("instance", rule=Rule(0, 255)),
        *_numbers("threadCount", "thread", "cpu", "loadAverage", "uptime"),
        Member("memory", Kind.OBJECT, shape=Shape("Memory", _numbers(*_MEMORY))),
        Member("interfaces", Kind.OBJECTS, items=(0, MOST_ROWS), shape=_INTERFACE),
        Member("calls", Kind.OBJECTS, items=(0, MOST_ROWS), shape=_CALL),
    ),
)
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
    given: dict[str, Any] = read(DOCUMENT, body)
    validate(DOCUMENT, given)
    key = VersionKey(tenant, given["appId"], given.get("environment", ""), given["name"], given["version"])
    return key, Upload(
        given["serviceId"],
        given["instanceId"],
        given.get("instance", ""),
        _resources(given),
        [_reading(one) for one in given.get("interfaces", ()) if one],
        [_told(one) for one in given["calls"] if one] if "calls" in given else None,
    )


def _resources(given: _Object) -> Resources:
    """Go's documents say `thread`, and the number of cores where others say how busy they are."""
    memory, is_go = given.get("memory", {}), "thread" in given
    used = memory.get("heapAlloc", 0) if is_go else memory.get("heapUsed", 0) + memory.get("nonHeapUsed", 0)
    return Resources(
        threads=_whole(given.get("threadCount", given.get("thread", 0))),
        cpu=None if is_go else plausible(given.get("cpu", 0.0)),
        memory=_whole(used),
        memory_limit=_whole(memory.get("headMax", memory.get("heapSys", 0))),
        load=single(given["loadAverage"]) if given.get("loadAverage", -1) >= 0 else None,
        uptime=_whole(given.get("uptime", 0)),
    )


def _whole(number: float) -> int:
    return int(min(max(number, 0), _LARGEST))


def _reading(one: _Object) -> Reading:
    total, failures = _whole(one.get("total", 0)), _whole(one.get("failure", 0))
    return Reading(
        name=one["name"],
        rate=single(one.get("qps", 0)),
        latency=single(one.get("latency", 0)),
        quantiles=tuple(single(one.get(name, 0)) for name in _QUANTILES),
        failure_rate=share_of_failures(one.get("failureRate", 0), failures, total),
        total=total,
        failures=failures,
        rejected=sum(_whole(one.get(name, 0)) for name in _REJECTED),
        timeouts=_whole(one.get("countTimeout", 0)),
        breaker_open=one.get("circuitBreakerOpen", False),
    )


def _told(one: _Object) -> Told:
    share = min(max(one.get("failureRate", 0), 0), 1)
    rate, latency, p99 = (single(one.get(name, 0)) for name in ("qps", "latency", "l99"))
    return Told(one["service"], one["version"], rate, latency, share, p99)
