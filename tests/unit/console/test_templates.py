"""What holds for every template: nothing inline that the policy forbids, a label for each field, and each is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import console
from registry.console import ENTRIES

CONSOLE = Path(console.__file__).parent
FOLDER = CONSOLE / "templates"
TEMPLATES = {
    file.relative_to(FOLDER).as_posix(): file.read_text(encoding="utf-8") for file in sorted(FOLDER.rglob("*.html"))
}
_FIELD = re.compile(r"<(input|select|textarea)\b((?:[^>{]|\{\{.*?\}\}|\{%.*?%\}|\{)*)>", re.DOTALL)
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_HANDLER = re.compile(r"<[^>]*\s(on[a-z]+|style|hx-on[\w:-]*)\s*=")
_UNLABELLED = ('type="hidden"', " hidden ", "aria-label=", "aria-labelledby=")


def _bare(name: str) -> Iterator[str]:
    """The fields of a template that nothing names."""
    text = TEMPLATES[name]
    for field in _FIELD.finditer(text):
        attributes = field[2]
        before = text[: field.start()]
        inside = before.rfind("<label") > before.rfind("</label")
        own = re.search(r'\sid="([^"]*)"', attributes)
        named = own is not None and f'for="{own[1]}"' in text
        if not (named or inside or any(one in attributes for one in _UNLABELLED)):
            yield field[0]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_no_script_style_or_handler_of_its_own(name: str) -> None:
    text = TEMPLATES[name]
    assert not _HANDLER.findall(_JINJA.sub("", text))
    assert not re.search(r"<style|javascript:|\|\s*safe\b|autoescape", text)
    scripts = re.findall(r"<script[^>]*>", text)
    assert all('src="/console/static/' in one for one in scripts)


def test_no_template_breaks_off_requests_or_drops_clicks() -> None:
    """Order is kept once for all, by order.js."""
    assert not [name for name, text in TEMPLATES.items() if "hx-sync" in text]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_field_has_a_label(name: str) -> None:
    assert not list(_bare(name))


def test_every_template_is_used() -> None:
    code = [file.read_text(encoding="utf-8") for file in CONSOLE.rglob("*.py")]
    shown = "\n".join([*code, *TEMPLATES.values()])
    assert not [name for name in TEMPLATES if not any(f'"{one}"' in shown for one in _names(name))]


def _names(template: str) -> Iterator[str]:
    """How a template may be named: whole, by the last part of its name, which a page puts into a folder, or as a form."""
    yield from (template, Path(template).stem, template.removesuffix("_form.html"))


def test_every_page_of_the_list_is_in_the_documentation_in_its_order() -> None:
    page = (CONSOLE.parents[1] / "docs" / "console.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    titles = [entry.title for entry in ENTRIES]
    assert [one for one in headings if one in titles] == titles


def test_every_page_of_the_list_has_a_key_of_its_own() -> None:
    assert len({entry.key for entry in ENTRIES}) == len(ENTRIES)
