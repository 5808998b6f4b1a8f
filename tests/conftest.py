"""Fixtures that many tests use."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.engine import ROOT, SHARED, Client, EngineProcess, client_of, running_engine

# Where the tests run in the background of a shell, as CI may do, SIGINT is ignored, and so it would be in every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Where Python is told to keep no compiled modules, as in containers, each process that a test starts would compile all of them anew:
# a third of its start. They are kept apart from the sources then, those of the tests too.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".pytest_cache" / "compiled"))


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EngineProcess]:
    """A fresh engine with the default settings, on free ports."""
    async with running_engine(tmp_path / "data") as started:
        yield started


@pytest_asyncio.fixture
async def client(engine: EngineProcess) -> AsyncIterator[Client]:
    """A client of the fresh engine."""
    async with client_of(engine.url) as made:
        yield made


@pytest.fixture
def shared() -> Path:
    """The folder of recorded answers and requests, or a skip that says what was not tested."""
    if not SHARED.is_dir():
        pytest.skip(f"RECORDED ANSWERS ARE MISSING: {SHARED} is not there; nothing was compared with the real servers")
    return SHARED
