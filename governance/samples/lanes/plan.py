"""Which processes the sample consists of, in which lanes they are, and what the engine is told of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from governance.samples.lanes.unit import APP, BEHIND
from governance.samples.weathermap.plan import engine_member, engine_ports
from governance.samples.weathermap.processes import Member

EDGE = "edge"
GROUP = "lane-test"


class Part(NamedTuple):
    """One component: its service, and the label of its lane."""

    component: str
    service: str
    label: str


PARTS: Sequence[Part] = (
    *(Part(name, name, "base") for name in BEHIND),
    Part("unit-controller-gray", "unit-controller", "gray"),
    Part("unit-provider-gray", "unit-provider", "gray"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Ports and folder. The components have the five ports from `base_port` on, in their order."""

    port: int
    edge_port: int
    base_port: int
    folder: Path

    @property
    def engine(self) -> str:
        """The engine's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def hello(self) -> str:
        """What to ask at the edge."""
        return f"http://localhost:{self.edge_port}/unit-controller/hello"

    def ports(self) -> dict[int, str]:
        """The ports that must be free, and what for."""
        components = {self.base_port + at: part.component for at, part in enumerate(PARTS)}
        return {**engine_ports(self.port), self.edge_port: EDGE, **components}

    def members(self) -> Sequence[Member]:
        """The processes, in the order in which they start."""
        cache = {"WAGGLE_CONFIG_CACHE": str(self.folder / "configuration")}
        services = [self._service(part, self.base_port + at, cache) for at, part in enumerate(PARTS)]
        edge = [sys.executable, "-m", "governance.gateway", "--config", str(self.folder / "edge.yaml")]
        # Nobody finds the gateway in the registry, so nobody has to forget it.
        leaving = {"servicecomb_boot_turnDown_waitInSeconds": "0"}
        return [engine_member(self.port, self.folder), *services, Member(EDGE, edge, {**cache, **leaving})]

    def edge_config(self) -> str:
        """The gateway's configuration."""
        return f"""listen: 127.0.0.1:{self.edge_port}
admin: 127.0.0.1:0
accessLog: false
service: {{name: {EDGE}, app: {APP}, engine: '{self.engine}'}}
routes:
  - {{path: /unit-controller, service: unit-controller, methods: [GET], timeout: 5S}}
"""

    def _service(self, part: Part, port: int, cache: Mapping[str, str]) -> Member:
        said = {
            "CAS_COMPONENT_NAME": part.component,
            "SERVICECOMB_INSTANCE_PROPS": f"cas_lane_tag:{part.label},affinity-tag:{part.label}",
        }
        where = ["--port", str(port), "--engine", self.engine]
        command = [sys.executable, "-m", "governance.samples.lanes", part.service, *where]
        return Member(part.component, command, {**cache, **said})


def group_of_lanes() -> Mapping[str, object]:
    """The lanes of the guide: requests whose header `type` begins with gray go gray."""
    of = {label: [part.component for part in PARTS if part.label == label] for label in ("base", "gray")}
    rules = [{"header": "type", "condition": "prefix", "value": "gray"}]
    return {
        "name": GROUP,
        "app": APP,
        "gateway": EDGE,
        "target": "unit-controller",
        "on": True,
        "lanes": [
            {"name": "base", "label": "base", "components": of["base"]},
            {"name": "gray", "label": "gray", "components": of["gray"], "rules": rules},
        ],
    }


RULES: Mapping[str, str] = {
    "servicecomb.matchGroup.hello": "matches:\n  - apiPath: {prefix: /unit-}\n    method: [GET]\n",
    "servicecomb.retry.hello": "maxAttempts: 2\n",
}
"""A call that an instance takes with it when it dies is made again elsewhere. Lanes alone pass over those that cannot be reached."""
