"""edge-service: the one entry. It is the gateway with `edge.yaml`; beside that it answers `/board` and `/health` itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from governance.gateway.config import GatewayConfig
from governance.gateway.core import Local
from governance.gateway.process import GatewayProcess
from governance.gateway.sources import load
from governance.logs import logger
from governance.samples.weathermap.board import board_of
from governance.sdk import Microservice, ServiceSettings

FILE = Path(__file__).with_name("edge.yaml")
_JSON = "application/json"
log = logger(__name__)


def edge_config(host: str, port: int) -> GatewayConfig:
    """The configuration of the edge at an address."""
    return replace(load(FILE), listen=f"{f'[{host}]' if ':' in host else host}:{port}")


def edge_answers(service: Microservice | None) -> Mapping[str, Local]:
    """What the edge answers itself."""

    def board() -> tuple[bytes, str]:
        return orjson.dumps(board_of(service.config).model_dump()) if service is not None else b"{}", _JSON

    def health() -> tuple[bytes, str]:
        return b'{"status":"UP"}', _JSON

    return {"/board": board, "/health": health}


async def run_edge(settings: ServiceSettings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises `OSError` where the port is taken."""
    process = GatewayProcess(edge_config(host, port), settings=lambda _address: settings, local=edge_answers)
    await process.run(lambda addresses: log.info("serving", **addresses))
