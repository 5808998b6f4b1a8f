"""What a service uploads of itself every ten seconds."""

from __future__ import annotations

from collections.abc import Mapping

_INTERFACES = 5


def document(service: Mapping[str, str], host: str, seconds: float) -> Mapping[str, object]:
    """The document of an instance that has run for so many seconds; `service` are its names and ids."""
    calls = [f"Provider.{service['name']}.schema.operation{number}" for number in range(_INTERFACES)]
    return {
        **service,
        "instance": host,
        "cpu": 12.5,
        "loadAverage": 1.25,
        "uptime": int(seconds * 1000),
        "memory": {"heapInit": 1 << 28, "headMax": 1 << 28, "heapCommit": 1 << 27, "heapUsed": 1 << 26},
        "interfaces": [_interface(name) for name in calls],
        "customs": None,
        "threadCount": 40,
    }


def _interface(name: str) -> Mapping[str, object]:
    whole = ("latency", "l995", "l99", "l90", "l75", "l50", "l25", "l5")
    rejected = ("shortCircuited", "semaphoreRejected", "threadPoolRejected", "countTimeout")
    return {
        "name": name,
        "desc": name,
        "qps": 10.0,
        "rate": 1.0,
        "failureRate": 0.0,
        "total": 100,
        "failure": 0,
        "circuitBreakerOpen": False,
        **dict.fromkeys(whole, 5),
        **dict.fromkeys(rejected, 0),
    }
