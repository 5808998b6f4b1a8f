"""Errors, metrics, routes, log events and journal failures are documented as the program has them. A failure shows what is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from registry.errors import CATALOGUE, CONFIG_CATALOGUE, ErrorCode
from tests.engine import Client

ROOT = Path(__file__).parents[2]
V3 = "/registry/v3"
V4 = "/v4/:project/registry"
TENANCY = {"X-Domain-Name", "X-Tenant-Name"}
"""Parameters of nearly every route, which the page explains once."""


def _page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _rows(page: str, width: int) -> Iterator[list[str]]:
    """The cells of every table row of a page that begins with a name in backquotes and is so wide."""
    for line in _page(page).splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if line.startswith("| `") and len(cells) == width:
            yield cells


def _quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


# --- errors.md


@pytest.mark.parametrize("error", [*CATALOGUE.values(), *CONFIG_CATALOGUE.values()], ids=lambda error: error.message)
def test_an_error_is_documented_with_its_message_and_when_it_comes(error: ErrorCode) -> None:
    row = f"| `{error.code}` | {error.status} | {error.message} | {error.when} | "
    found = [line for line in _page("errors.md").splitlines() if line.startswith(row)]
    assert found, f"docs/errors.md needs this line, with advice at its end:\n{row}"
    assert len(found[0]) > len(row) + 5, f"what should one do about {error.code}?"


# --- api.md


def _documented_routes() -> dict[tuple[str, str], list[str]]:
    """The rows of api.md by method and path; a v3 path has the row of the v4 path that it stands for."""
    found = {}
    for cells in _rows("api.md", 5):
        method, path = cells[0].strip("`"), cells[1].strip("`")
        found[method, re.sub("^R/", V4 + "/", path)] = cells
        if cells[2] == "yes":
            found[method, re.sub("^R/", V3 + "/", path)] = cells
    return found


async def test_every_route_is_documented_with_its_parameters(client: Client) -> None:
    async with client.session.get(client.url + "/openapi.json") as response:
        paths = (await response.json())["paths"]
    table = {
        (method.upper(), re.sub(r"{(\w+)}", r":\1", path)): operation
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    documented = _documented_routes()
    assert len(table) > 70
    assert sorted(set(table) - set(documented)) == [], "docs/api.md lacks these"
    assert sorted(set(documented) - set(table)) == [], "docs/api.md has these, the engine has not"
    for key, operation in table.items():
        named = {row["name"] for row in operation["parameters"] if row["in"] != "path"} - TENANCY
        assert named <= _quoted(documented[key][4]), f"parameters of {key} that its row does not name"
        assert len(documented[key][3]) > 5, f"what does {key} do?"


# --- metrics.md


async def test_every_metric_is_documented_with_its_type_and_labels(client: Client) -> None:
    consumer = await client.service("consumer", framework={"name": "Spring", "version": "1"})
    await client.instance(consumer)
    await client.find("consumer", consumer)
    async with client.session.get(client.url + "/metrics") as response:
        families = list(text_string_to_metric_families(await response.text()))
    exposed = {}
    for family in families:
        if family.name.endswith("_created"):
            continue
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels if label != "le"}
        exposed[name] = (family.type, ", ".join(sorted(labels)))
    documented = {cells[0].strip("`"): (cells[1], cells[2]) for cells in _rows("metrics.md", 4)}
    assert documented == exposed
    assert all(len(cells[3]) > 3 for cells in _rows("metrics.md", 4)), "a metric without a meaning"


def test_what_the_watch_list_of_metrics_names_is_there() -> None:
    named = {
        name for cells in _rows("metrics.md", 2) for name in re.findall(r"\b(?:waggle|service_center)_\w+", cells[0])
    }
    assert named
    assert named <= {cells[0].strip("`") for cells in _rows("metrics.md", 4)}


# --- operations.md


def _calls(*folders: str) -> Iterator[tuple[Path, ast.Call]]:
    for folder in folders:
        for module in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(module.read_text(encoding="utf-8"))
            yield from ((module, node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def _log_events() -> set[str]:
    """The names of all events that the engine logs."""
    names = set()
    for _, call in _calls("registry"):
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr="info" | "warning" | "error" | "exception"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                names.add(name)
    return names


def _template(text: ast.expr) -> str:
    """A string of the source, with … for what varies."""
    match text:
        case ast.Constant(value=str(fixed)):
            return fixed
        case ast.JoinedStr(values=parts):
            return "".join(map(_template, parts))
    return "…"


def _failures() -> Iterator[tuple[str, str]]:
    """Place and text, up to the first semicolon, of everything that the store says when it cannot be used."""
    for module, call in _calls("registry/storage", "registry/engine"):
        if isinstance(call.func, ast.Name) and call.func.id == "JournalError" and call.args:
            text = _template(call.args[0]).partition(";")[0].strip()
            # Where a variable holds what is wrong, its values are the texts.
            texts = [f"… {value}" for value in _choices(module)] if text == "… …" else [text]
            yield from ((f"{module.relative_to(ROOT)}:{call.lineno}", text) for text in texts)


def _choices(module: Path) -> Iterator[str]:
    """The values of `what = A if … else B`."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Assign(targets=[ast.Name(id="what")], value=ast.IfExp(body=first, orelse=second)):
                yield from (_template(first), _template(second))


def _failure_rows() -> Iterator[list[str]]:
    section = _page("operations.md").partition("\n## When the journal fails\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 2 and cells[0] not in ("Text", "---"):
            yield cells


def test_every_log_event_is_documented() -> None:
    documented = {cells[0].strip("`") for cells in _rows("operations.md", 3)}
    events = _log_events()
    assert len(events) > 5
    assert events - documented == set()
    source = "".join(module.read_text(encoding="utf-8") for module in (ROOT / "registry").rglob("*.py")).lower()
    assert {event for event in documented if f'"{event}"' not in source} == set(), "documented, and logged nowhere"


@pytest.mark.parametrize(("place", "text"), sorted(_failures()))
def test_every_failure_of_the_journal_has_advice(place: str, text: str) -> None:
    known = {cells[0] for cells in _failure_rows()}
    assert text in known, f"{place} says {text!r}, and docs/operations.md does not say what to do then"


def test_no_failure_of_the_journal_has_advice_that_is_never_said() -> None:
    assert {cells[0] for cells in _failure_rows()} == {text for _, text in _failures()}
