"""Every threat of docs/threat-model.md names the tests that show what the engine does about it, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
_CITED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _rows() -> list[list[str]]:
    """Threat, control and tests of every row."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row[0] != "What could go wrong"]


def _tests(file: Path) -> set[str]:
    """The names of a module's tests."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, functions) and node.name.startswith("test_")}


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0][:60])
def test_a_threat_names_tests_that_exist(row: list[str]) -> None:
    threat, control, named = row
    assert threat
    assert control
    cited = _CITED.findall(named)
    assert cited, "a threat without a test"
    assert ", ".join(f"`{path}::{name}`" for path, name in cited) == named, "nothing else stands in this column"
    for path, name in cited:
        assert (ROOT / path).is_file(), path
        assert name in _tests(ROOT / path), f"{path} has no {name}"


def test_the_tables_are_read() -> None:
    assert len(_rows()) > 40
