"""docs/architecture.md holds: who imports whom, how large things are, and that everything is where the page says."""

from __future__ import annotations

import ast
import re
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("registry", "governance")
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
MODULES = [
    module
    for folder in (*PACKAGES, "tests", "benchmarks", "docker")
    for module in sorted((ROOT / folder).rglob("*.py"))
    if "target" not in module.parts
]
# Where each line is planted, the line, and a word of the contract that it breaks.
FORBIDDEN = [
    ("registry/api/checks.py", "from governance.sdk import Microservice", "registry imports governance.rules"),
    ("governance/sdk/model.py", "import registry", "governance talks HTTP"),
    ("governance/sdk/model.py", "from governance.samples import weathermap", "inside governance"),
    ("registry/engine/alarms.py", "from registry.api import checks", "inside registry"),
    ("registry/catalog/limits.py", "from registry.engine import alarms", "inside registry"),
    ("registry/catalog/limits.py", "from registry.storage import port", "inside registry"),
    ("registry/errors.py", "from registry import logs", "inside registry"),
    ("registry/access/lockout.py", "from registry.config import records", "inside registry"),
    ("registry/access/lockout.py", "import time", "the cores do no I/O"),
    ("registry/newroom.py", "ROOM = 1", "inside registry"),
    ("registry/api/checks.py", "from registry.storage import port", "the store is reached"),
    ("registry/cli/show.py", "import sqlite3", "the store is reached"),
    ("registry/catalog/limits.py", "import time", "the cores do no I/O"),
    ("registry/catalog/limits.py", "from uuid import uuid4", "the cores do no I/O"),
    ("registry/catalog/limits.py", "import asyncio", "the cores do no I/O"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages and their contracts, to break in."""
    folder = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "static")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _lint(folder: Path) -> tuple[int, str]:
    """The exit status and the text of `lint-imports` on the packages of a folder."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_every_contract_is_kept() -> None:
    status, said = _lint(ROOT)
    assert status == 0, said
    assert f"{len(CONTRACTS)} kept, 0 broken" in said


@pytest.mark.parametrize(("module", "line", "contract"), FORBIDDEN, ids=str)
def test_a_forbidden_import_is_caught(copy: Path, module: str, line: str, contract: str) -> None:
    place = copy / module
    before = place.read_bytes() if place.exists() else None
    with place.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    try:
        status, said = _lint(copy)
    finally:
        place.unlink() if before is None else place.write_bytes(before)
    assert status == 1, f"{line!r} in {module} went unnoticed"
    assert re.search(rf"{re.escape(contract)}[^.]* BROKEN", said), said


def test_the_copy_itself_breaks_nothing(copy: Path) -> None:
    """So what the planted imports break, they break alone."""
    status, said = _lint(copy)
    assert status == 0, said


def test_registry_may_import_no_new_part_of_governance() -> None:
    """The contract lists what is forbidden, so a new package has to enter the list."""
    parts = {f"governance.{part.name}" for part in (ROOT / "governance").iterdir() if (part / "__init__.py").exists()}
    contract = next(row for row in CONTRACTS if row["name"].startswith("registry imports"))
    assert parts - {"governance.rules"} == set(contract["forbidden_modules"])


def _tree() -> Iterator[tuple[str, bool]]:
    """The paths of the page's tree, and whether each is a folder."""
    block = re.search(r"```\n(registry/.*?)```", PAGE, re.DOTALL)
    assert block, "docs/architecture.md has no tree"
    top = ""
    for line in block[1].splitlines():
        indent, name = re.match(r"( *)(\S+)  ", line).groups()  # type: ignore[union-attr]
        top = top if indent else name
        yield (top + name if indent else name), name.endswith("/")


def test_everything_in_the_tree_of_the_page_exists() -> None:
    entries = list(_tree())
    assert len(entries) > 15
    missing = [path for path, folder in entries if not ((ROOT / path).is_dir() if folder else (ROOT / path).is_file())]
    assert missing == []


def test_every_package_is_in_the_tree_of_the_page() -> None:
    named = {path.rstrip("/") for path, _ in _tree()}
    there = {
        str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).iterdir() if _is_room(path)
    }
    # `samples` is named by the sample that it holds.
    assert {path for path in there if not any(name == path or name.startswith(path + "/") for name in named)} == set()


def _is_room(path: Path) -> bool:
    return (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem not in ("__init__", "__main__"))


def test_what_is_planned_is_not_there_yet() -> None:
    planned = re.search(r"^### Planned$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    assert planned
    paths = re.findall(r"`((?:registry|governance)/[\w/.]+)`", planned[1])
    assert paths
    there = [path for path in paths if (ROOT / path).is_file() or any((ROOT / path).glob("*.py"))]
    assert there == [], "move it from Planned into the tree"


def _functions(module: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of every function."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{module.relative_to(ROOT)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_no_module_is_longer_than_500_lines() -> None:
    sizes = {module: len(module.read_text(encoding="utf-8").splitlines()) for module in MODULES}
    assert {str(module): size for module, size in sizes.items() if size > 500} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    assert [row for module in MODULES for row in _functions(module) if row[1] > 60] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short(package: str) -> None:
    """Most have fewer than 10 lines, nine in ten fewer than 30."""
    sizes = [size for module in MODULES if module.is_relative_to(ROOT / package) for _, size in _functions(module)]
    assert statistics.median(sizes) < 10
    assert statistics.quantiles(sizes, n=10)[-1] < 30
