"""Data for dashboards in the engine's /metrics: by level, bounded, and as the page says. That it is off by default shows in the page of
metrics, which a test compares with an engine as it is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.engine import ROOT, Client, client_of, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"monitor_metrics": "interface"}
LEFT_OUT = "waggle_monitor_series_left_out"
_DOCUMENT = {
    "appId": "mall",
    "version": "1.0.0",
    "environment": "production",
    "threadCount": 12,
    "cpu": 25.0,
    "memory": {"heapUsed": 1000, "nonHeapUsed": 24},
}
Series = Mapping[str, Mapping[str, float]]
"""By name: values by the labels that are not the same for all, joined by blanks."""


async def _upload(api: Client, name: str, instance: str, *interfaces: Mapping[str, object], **more: object) -> None:
    ids = {"name": name, "serviceId": name, "instanceId": instance}
    document = {**_DOCUMENT, **ids, "interfaces": list(interfaces), **more}
    await api.call("POST", "/v2/default/csemonitor/metric", document, 200)


async def _series(api: Client) -> Series:
    found: dict[str, dict[str, float]] = {}
    async with api.session.get(f"{api.url}/metrics") as answer:
        families = list(text_string_to_metric_families(await answer.text()))
    for family in families:
        for sample in family.samples:
            if sample.labels.get("domain", api._headers["X-Domain-Name"]) == api._headers["X-Domain-Name"]:
                names = ("service", "instance_id", "interface")
                key = " ".join(sample.labels[name] for name in names if name in sample.labels)
                found.setdefault(sample.name, {})[key] = sample.value
    return found


def _served(name: str, rate: float, **more: object) -> Mapping[str, object]:
    return {"name": name, "qps": rate, "latency": 10, "l99": 40, **more}


async def test_services_instances_and_interfaces_are_series_in_seconds_and_shares(api: Client) -> None:
    show = "Provider.weather.weather.show"
    await _upload(api, "weather", "i1", _served(show, 3, failureRate=0.5, circuitBreakerOpen=True))
    await _upload(api, "weather", "i2", _served(show, 1))
    found = await _series(api)
    expected = {
        "waggle_service_instances": {"weather": 0},
        "waggle_service_instances_reporting": {"weather": 2},
        "waggle_service_calls_per_second": {"weather": 4},
        "waggle_service_latency_seconds": {"weather": 0.01},
        "waggle_service_p99_seconds": {"weather": 0.04},
        "waggle_service_failure_ratio": {"weather": 0.375},
        "waggle_service_breakers_open": {"weather": 1},
        "waggle_service_threads": {"weather": 24},
        "waggle_service_cpu_ratio": {"weather": 0.5},
        "waggle_service_memory_bytes": {"weather": 2048},
        "waggle_instance_calls_per_second": {"weather i1": 3, "weather i2": 1},
        "waggle_instance_failure_ratio": {"weather i1": 0.5, "weather i2": 0},
        "waggle_instance_cpu_ratio": {"weather i1": 0.25, "weather i2": 0.25},
        "waggle_interface_calls_per_second": {f"weather i1 {show}": 3, f"weather i2 {show}": 1},
        "waggle_interface_breaker_open": {f"weather i1 {show}": 1, f"weather i2 {show}": 0},
        LEFT_OUT: {"": 0},
    }
    assert {name: found[name] for name in expected} == {
        name: {key: pytest.approx(value, rel=1e-3) for key, value in rows.items()} for name, rows in expected.items()
    }


async def test_a_service_that_tells_nothing_has_its_instances_and_no_zeros(api: Client) -> None:
    """A zero would say that nobody calls it."""
    await api.instance(await api.service("silent"))
    found = await _series(api)
    assert found["waggle_service_instances"] == {"silent": 1}
    assert found["waggle_service_instances_reporting"] == {"silent": 0}
    assert "silent" not in found.get("waggle_service_calls_per_second", {})


async def test_the_page_has_every_one_of_them(api: Client) -> None:
    await _upload(api, "weather", "i1", _served("Provider.weather.weather.show", 1))
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    table = page.partition("## Services in the engine's metrics")[2].partition("\n## ")[0]
    documented = set()
    for name, levels in re.findall(r"^\| `(\S+)` \| ([a-z, ]+) \|", table, re.MULTILINE):
        documented |= {name.replace("…", f"waggle_{level}") for level in levels.split(", ")}
    shown = re.compile(r"waggle_(service|instance|interface)_")
    assert documented == {name for name in await _series(api) if shown.match(name)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """An engine that has room for two services' counts, one service's sums and nothing else."""
    folder: Path = tmp_path_factory.mktemp("narrow") / "data"
    most = {"monitor_metrics": "instance", "monitor_metrics_series": 15, "self_register": False}
    async with running_engine(folder, **most) as engine, client_of(engine.url) as client:
        yield client


async def test_what_there_is_no_room_for_is_counted(narrow: Client) -> None:
    """Two services and instances are 2 * (2 + 8) + 2 * 8 series."""
    for name in ("a", "b"):
        await _upload(narrow, name, "i1", _served(f"Provider.{name}.s.o", 1))
    found = await _series(narrow)
    shown = [name for name, rows in found.items() for _ in rows if name.startswith(("waggle_service_", "waggle_inst"))]
    assert len(shown) == 12
    assert found[LEFT_OUT] == {"": 36 - 12}
