"""docs/gateway.md has every setting of the gateway with its default, every metric, and an example that is in order."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from governance.gateway.config import Address, GatewayConfig, Group, Limits, Route, Service, Tls, Upstream, read_config
from governance.gateway.core import Core
from governance.gateway.metrics import GatewayCollector
from governance.rules.reading import camel

PAGE = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")
RECORDS = {
    "Top level": GatewayConfig,
    "A route": Route,
    "An upstream": Upstream,
    "A group": Group,
    "An address": Address,
    "Service": Service,
    "TLS": Tls,
    "Limits": Limits,
}


def _rows(heading: str) -> dict[str, str]:
    """Name and default of each row of a section's table."""
    found = re.search(rf"^### {heading}$(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/gateway.md has no section {heading}"
    rows = [line.split("|")[1:3] for line in found[1].splitlines() if line.startswith("| `")]
    return {name.strip(" `"): default.strip() for name, default in rows}


@pytest.mark.parametrize("heading", RECORDS)
def test_every_setting_is_documented_with_its_default(heading: str) -> None:
    rows = _rows(heading)
    fields = dataclasses.fields(RECORDS[heading])
    assert set(rows) == {camel(field.name) for field in fields}
    for field in fields:
        shown = rows[camel(field.name)]
        if isinstance(field.default, (str, int)) and field.default != "":
            written = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert shown == f"`{written}`", f"{heading}: {field.name} is {written}"
        else:
            assert not shown.startswith("`"), f"{heading}: {field.name} has no default"


def test_every_metric_is_documented() -> None:
    config, _ = read_config("routes: []")
    assert config is not None
    names = {
        sample + ("_total" if kind == "counter" else "")
        for family in GatewayCollector(Core(config)).collect()
        for sample, kind in [(family.name, family.type)]
    }
    assert set(re.findall(r"^\| `(gateway_\w+)` \|", PAGE, re.MULTILINE)) == names


def test_the_example_is_in_order() -> None:
    [example] = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    config, problems = read_config(example)
    assert config is not None
    assert not problems, list(map(str, problems))
