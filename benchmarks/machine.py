"""Where and with what was measured."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from benchmarks import wrk

_PACKAGES = ("waggle-engine", "aiohttp", "uvloop", "orjson")


def machine() -> Mapping[str, object]:
    """The processor, how many of them, memory in MiB, and the system."""
    page = os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "memory_mib": page * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": f"{platform.system()} {platform.release()}",
    }


async def versions() -> Mapping[str, str]:
    """The versions of what takes part on this side."""
    return {
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        "sqlite": sqlite3.sqlite_version,
        "wrk": await wrk.version(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
