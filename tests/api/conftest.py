"""Fixtures of the API's tests: one engine for all tests of a module, which keep apart by their domain."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.api.attacked import Attacked, attacked_engine
from tests.api.kie import Kie
from tests.engine import Client, EngineProcess, client_of, running_engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[EngineProcess]:
    """An engine with the settings that the module calls SETTINGS."""
    settings = getattr(request.module, "SETTINGS", {})
    async with running_engine(tmp_path_factory.mktemp("engine") / "data", **settings) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def api(shared_engine: EngineProcess) -> AsyncIterator[Client]:
    """A client of the module's engine, in a domain of its own."""
    async with client_of(shared_engine.url, f"d{uuid.uuid4().hex[:8]}") as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def default_api(shared_engine: EngineProcess) -> AsyncIterator[Client]:
    """A client of the module's engine in the domain that requests without X-Domain-Name are about."""
    async with client_of(shared_engine.url) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def kie(shared_engine: EngineProcess) -> AsyncIterator[Kie]:
    """A client of the module's engine in a project of KIE's of its own."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield Kie(session, shared_engine.url, f"p{uuid.uuid4().hex[:8]}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Attacked]:
    """An engine with access enforced and something to hide, for all tests of a module."""
    async with attacked_engine(tmp_path_factory.mktemp("attacked") / "data") as made:
        yield made
