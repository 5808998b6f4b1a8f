"""Every row of docs/clients.md names the test that ran it; every such test has a row, and versions are those that are built."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "clients.md"
INTEROP = ROOT / "tests" / "interop"
_CITED = re.compile(r"`(tests/interop/\w+\.py)::(\w+)`")
_VERSIONED = re.compile(r"([\w-]+) v?(\d+\.\d+\.\d+)")
_SAME_VERSION = re.compile(r"((?:[\w-]+, )*[\w-]+) and [\w-]+ (\d+\.\d+\.\d+)")


def _rows() -> list[list[str]]:
    """Client, what was run, what was seen, and the test, of every row."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row[0] != "Client"]


def _tests() -> set[tuple[str, str]]:
    """Path and name of every test of clients."""
    return {
        (str(file.relative_to(ROOT)), node.name)
        for file in INTEROP.glob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def _built() -> set[tuple[str, str]]:
    """Library and version, as the programs are built with them."""
    pom = (INTEROP / "java" / "pom.xml").read_text(encoding="utf-8")
    java = set(re.findall(r"<artifactId>([\w-]+)</artifactId>\s*<version>([\d.]+)</version>", pom))
    modules = "\n".join(file.read_text(encoding="utf-8") for file in INTEROP.glob("*/go.mod"))
    return java | set(re.findall(r"go-chassis/([\w-]+)(?:/v2)? v([\d.]+)", modules))


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row[0]}: {row[1]}"[:80])
def test_a_row_names_a_test_that_exists_and_a_version_that_is_built(row: list[str]) -> None:
    client, run, seen, named = row
    assert run
    assert seen
    cited = _CITED.fullmatch(named)
    assert cited, "nothing else stands in this column"
    assert cited.groups() in _tests(), f"there is no {named}"
    versions = {(name, version) for name, version in _VERSIONED.findall(client)}
    versions |= {(first, version) for names, version in _SAME_VERSION.findall(client) for first in names.split(", ")}
    assert versions, "a client without a version"
    assert versions <= _built(), f"{versions - _built()} is not what is built"


def test_every_test_of_clients_has_a_row() -> None:
    named = {groups for row in _rows() for groups in _CITED.findall(row[3])}
    assert _tests() - named == set()
