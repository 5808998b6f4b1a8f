"""docker/compose.monitoring.yaml: Prometheus and Grafana beside the engine, with files that are there and in order."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ruamel.yaml import YAML

from registry.settings import load
from tests.dockerfile import DOCKER
from tests.engine import ROOT
from tests.prometheus import CONFIG, RULES, program


def _read(path: str) -> Any:
    return YAML(typ="safe", pure=True).load((DOCKER / path).read_text(encoding="utf-8"))


BASE, ADDED = _read("compose.yaml"), _read("compose.monitoring.yaml")
DASHBOARD: Mapping[str, Any] = json.loads((DOCKER / "grafana/dashboards/waggle.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_what_is_added_is_pinned_has_no_rights_and_is_for_this_machine_only(name: str) -> None:
    service = ADDED["services"][name]
    assert service["image"].count(":") == 1
    assert not service["image"].endswith(":latest")
    assert service["cap_drop"] == ["ALL"]
    taken = {port for one in BASE["services"].values() for port in one.get("ports", ())}
    for port in service["ports"]:
        assert port.startswith("127.0.0.1:")
        assert port.rpartition(":")[0] not in {one.rpartition(":")[0] for one in taken}


def test_it_is_laid_over_the_other_file() -> None:
    assert ADDED["name"] == BASE["name"]
    assert set(ADDED["services"]) & set(BASE["services"]) == {"engine"}
    environment = ADDED["services"]["engine"]["environment"]
    assert load({}, environment).settings.monitor_metrics == "service"


@pytest.mark.parametrize(
    "mount", [one for name in ("prometheus", "grafana") for one in ADDED["services"][name]["volumes"]]
)
def test_what_is_mounted_is_there(mount: str) -> None:
    source = mount.split(":", maxsplit=1)[0]
    assert (DOCKER / source).is_dir() if source.startswith(".") else source in ADDED["volumes"]


def test_prometheus_asks_the_engine_of_the_other_file() -> None:
    text = CONFIG.read_text(encoding="utf-8")
    assert "http://engine:30100/waggle/v1/prometheus/targets" in text
    assert (CONFIG.parent / _read("prometheus/prometheus.yml")["rule_files"][0]) == RULES


def test_grafana_is_given_the_dashboard_and_where_its_data_is() -> None:
    (source,) = _read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    port = ADDED["services"]["prometheus"]["ports"][0].rpartition(":")[2]
    assert source["url"] == f"http://prometheus:{port}"
    assert source["uid"] == DASHBOARD["templating"]["list"][0]["current"]["value"]
    (provider,) = _read("grafana/provisioning/dashboards/waggle.yaml")["providers"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in ADDED["services"]["grafana"]["volumes"]


def test_the_dashboard_has_panels_that_lie_beside_each_other() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    cells = [cell for panel in panels for cell in _cells(panel["gridPos"])]
    assert len(set(cells)) == len(cells), "two panels lie on one another"
    for panel in panels:
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["targets"]


def _cells(place: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    assert place["x"] + place["w"] <= 24
    for x in range(place["x"], place["x"] + place["w"]):
        yield from ((x, y) for y in range(place["y"], place["y"] + place["h"]))


@pytest.mark.parametrize("words", [("check", "config", str(CONFIG)), ("check", "rules", str(RULES))], ids=" ".join)
def test_promtool_finds_configuration_and_rules_in_order(words: tuple[str, ...]) -> None:
    done = subprocess.run((program("promtool"), *words), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout


def test_alerts_fire_when_they_should_and_say_what_is_wrong() -> None:
    tests = ROOT / "tests" / "e2e" / "prometheus_alerts.yml"
    words = (program("promtool"), "test", "rules", str(tests))
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
