"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.full_disk import BoundedFiles, Disk, small_file_system


@pytest.fixture(params=["small file system", "bounded files"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A disk of each kind."""
    if request.param == "bounded files":
        yield BoundedFiles(tmp_path)
        return
    with small_file_system(tmp_path / "disk") as mounted:
        if mounted is None:
            pytest.skip("NO SMALL FILE SYSTEM: this user may not mount a tmpfs; only bounded files were tried")
        yield mounted
