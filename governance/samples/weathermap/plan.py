"""Which processes the demo consists of, where they listen, and how they are started."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from governance.samples.weathermap.processes import Member

ENGINE = "engine"
DEFAULT_ENGINE_PORT = 30100
_EXTRA_PORTS = (30110, 30103, 30109)
_NO_EXTRA_PORTS = ("--kie-port", "0", "--config-port", "0", "--monitor-port", "0")


def engine_ports(port: int) -> dict[int, str]:
    """The ports of a sample's engine, and what for: its extra ones belong to its usual one."""
    return dict.fromkeys((port, *(_EXTRA_PORTS if port == DEFAULT_ENGINE_PORT else ())), ENGINE)


def engine_member(port: int, folder: Path) -> Member:
    """The engine of a sample, with its data in the folder."""
    extra = () if port == DEFAULT_ENGINE_PORT else _NO_EXTRA_PORTS
    where = ("--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder / ENGINE))
    return Member(ENGINE, [sys.executable, "-m", "registry.cli", "serve", *where, *extra])


@dataclass(frozen=True, slots=True)
class Plan:
    """The demo's ports and folder. The services behind the edge have the five ports from `base_port` on, weather two of them."""

    port: int
    edge_port: int
    web_port: int
    base_port: int
    beta: bool
    folder: Path

    @property
    def engine(self) -> str:
        """The engine's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        """The address to open."""
        return f"http://localhost:{self.web_port}/"

    @property
    def expected(self) -> int:
        """How many instances must be registered before the demo is ready: all but the page's server, which is no service."""
        return len(list(self._services())) - 1

    def ports(self) -> dict[int, str]:
        """The ports that must be free, and what for."""
        return {**engine_ports(self.port), **{port: shown for shown, _, port in self._services()}}

    def members(self) -> list[Member]:
        """The processes, in the order in which they start."""
        page_needs = {"SERVICE_ADDR": f"127.0.0.1:{self.edge_port}"}
        # Several on one machine: each has its metrics on a free port, which the registry knows.
        service_needs = {
            "WAGGLE_CONFIG_CACHE": str(self.folder / "configuration"),
            "SERVICECOMB_METRICS_PROMETHEUS_ADDRESS": "127.0.0.1:0",
        }
        return [
            engine_member(self.port, self.folder),
            *(
                Member(shown, self._command(name, port), page_needs if name == "weathermapweb" else service_needs)
                for shown, name, port in self._services()
            ),
        ]

    def _services(self) -> Iterator[tuple[str, str, int]]:
        """What each is shown as, the sample's name of it, and its port."""
        yield "weather", "weather", self.base_port
        yield "weather-2", "weather", self.base_port + 4
        yield "forecast", "forecast", self.base_port + 1
        yield "fusionweather", "fusionweather", self.base_port + 2
        if self.beta:
            yield "weather-beta", "weather-beta", self.base_port + 3
        yield "edge-service", "edge-service", self.edge_port
        yield "weathermapweb", "weathermapweb", self.web_port

    def _command(self, name: str, port: int) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(port)]
        engine = [] if name == "weathermapweb" else ["--engine", self.engine]
        return [sys.executable, "-m", "governance.samples.weathermap", name, *where, *engine]
