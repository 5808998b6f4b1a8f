"""Every text of the pages is there in every language, with the same names to fill in, and no translation is left over."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import jinja2
import pytest
from jinja2 import nodes

from registry import console
from registry.console import ENTRIES, words
from tests.unit.console.test_field_words import said_by_forms

CONSOLE = Path(console.__file__).parent
TEMPLATES = CONSOLE / "templates"
OTHERS = sorted(set(words.LANGUAGES) - {"en"})


def templates() -> Iterator[tuple[str, nodes.Template]]:
    """Every template, parsed."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)  # noqa: S701  nothing is rendered
    for file in sorted(TEMPLATES.rglob("*.html")):
        yield file.relative_to(TEMPLATES).as_posix(), environment.parse(file.read_text(encoding="utf-8"))


def said_in_templates() -> Iterator[tuple[str, str]]:
    """The texts of templates, each with where it stands. A text that is put together as it is shown cannot be translated."""
    for name, tree in templates():
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "_":
                text = call.args[0]
                if isinstance(text, nodes.Const):
                    yield str(text.value), f"{name}:{call.lineno}"


def said_in_pages() -> Iterator[tuple[str, str]]:
    """The texts in the code of pages: what `say` is called with, and what is marked by being in a table of texts."""
    for file in sorted(CONSOLE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_say(node.func) and node.args:
                yield from ((text, f"{file.name}:{node.lineno}") for text in _constants(node.args[0]))


def _is_say(called: ast.expr) -> bool:
    return (isinstance(called, ast.Attribute) and called.attr == "say") or (
        isinstance(called, ast.Name) and called.id == "say"
    )


def _constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def said() -> dict[str, str]:
    """Every text that is surely shown, with a place of it."""
    titles = [(entry.title, "ENTRIES") for entry in ENTRIES]
    return dict(
        [*said_in_templates(), *said_in_pages(), *titles, *((text, "a rule's field") for text in said_by_forms())]
    )


def written() -> set[str]:
    """Every string in the templates and in the engine: a text that is chosen from a table, such as a metric's meaning, is one of them."""
    found = {str(node.value) for _, tree in templates() for node in tree.find_all(nodes.Const)}
    for file in CONSOLE.parent.rglob("*.py"):
        constants = (
            node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Constant)
        )
        found |= {node.value for node in constants if isinstance(node.value, str)}
    return found


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated(language: str) -> None:
    there = words.load()[language]
    missing = {text: place for text, place in said().items() if text not in there}
    assert not missing


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_left_over(language: str) -> None:
    shown = {*said(), *written()}
    assert not sorted(text for text in words.load()[language] if text not in shown)


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_fills_in_the_same_names(language: str) -> None:
    for text, translated in words.load()[language].items():
        assert _names(text) == _names(translated), text
        assert translated.strip(), text


def test_the_texts_are_read() -> None:
    assert len(said()) > 100
    assert Counter(place.partition(":")[0] for place in said().values())["frame.html"] > 2


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
