"""A gateway as a process: its sources of configuration, its registration, its signals."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from governance.clock import pause_for
from governance.gateway.config import GatewayConfig
from governance.gateway.core import Local
from governance.gateway.gateway import Gateway
from governance.gateway.sources import Sources
from governance.logs import logger
from governance.sdk import until_stopped

log = logger(__name__)


async def run_gateway(path: Path, config: GatewayConfig, *, local: Mapping[str, Local] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, and leave without losing a request. Raises `OSError`, `SettingsError`."""
    gateway = Gateway(config, local=local)
    sources = Sources(path, config, gateway.apply)
    async with gateway.listening(), _watching(sources):
        print("gateway ready", gateway.addresses["listen"], gateway.addresses["admin"], flush=True)
        await until_stopped()
        log.info("gateway.stopping")
        await gateway.drain()


@contextlib.asynccontextmanager
async def _watching(sources: Sources) -> AsyncIterator[None]:
    """Obey changes of the configuration within the block."""
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(sources.watch(pause_for))
        with _on_signal(signal.SIGHUP, sources.reload):
            yield
        watching.cancel()


@contextlib.contextmanager
def _on_signal(number: signal.Signals, do: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(number, do)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)
