"""The pages hang together: links lead somewhere, every page is found from the README, and what they show can be run."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry import __version__
from tests.engine import client_of, running_engine

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def _links(page: Path) -> Iterator[tuple[Path, str]]:
    """Target and anchor of every relative link of a page."""
    prose = re.sub(r"`[^`\n]*`", "", _FENCED.sub("", page.read_text(encoding="utf-8")))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        yield (page.parent / path).resolve() if path else page, anchor


def _anchors(page: Path) -> set[str]:
    """The anchors that a Markdown viewer makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in _links(page):
        assert target.is_relative_to(ROOT), f"{target} is not of this project"
        assert target.exists(), f"{_name(page)} links to {target.relative_to(ROOT)}, which is not there"
        if anchor:
            assert anchor in _anchors(target), f"{_name(page)} links to #{anchor} of {_name(target)}"


def test_every_page_is_found_from_the_readme() -> None:
    found, new = {README}, [README]
    while new:
        pages = {target for target, _ in _links(new.pop()) if target.suffix == ".md"} - found
        found |= pages
        new += pages
    assert [_name(page) for page in PAGES if page not in found] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_page_has_one_title_and_stays_within_the_project(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"^# ", _FENCED.sub("", text), re.MULTILINE)) == 1
    assert "../shared" not in text


def test_pages_that_the_code_cites_are_there() -> None:
    cited = {
        (module, path)
        for folder in ("registry", "governance")
        for module in (ROOT / folder).rglob("*.py")
        for path in re.findall(r"docs/[\w/.-]+\.md", module.read_text(encoding="utf-8"))
    }
    assert cited
    assert {(module.name, path) for module, path in cited if not (ROOT / path).exists()} == set()


def test_commands_that_the_readme_names_are_targets_of_make() -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)", README.read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "test-all", "test-interop", "lint", "bench"} <= targets
    assert {"demo", "test"} <= named <= targets


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__, "install the project anew"


async def test_the_backup_that_operations_shows_can_be_restored(tmp_path: Path) -> None:
    """While the engine runs, as the page says."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    shown = re.search(r"^python3 (-c '.*)$", page, re.MULTILINE)
    assert shown, "docs/operations.md shows no backup command"
    live, copy = tmp_path / "live", tmp_path / "copy"
    copy.mkdir()
    async with running_engine(live) as engine, client_of(engine.url) as client:
        service = await client.service("kept")
        instance = await client.instance(service)
        line = shown[1].replace("waggle-data/", f"{live}/").replace("backup.db", str(copy / "waggle.db"))
        backup = await asyncio.create_subprocess_exec(sys.executable, *shlex.split(line))
        assert await backup.wait() == 0
        lost = await client.service("too-late")
    async with running_engine(copy) as engine, client_of(engine.url) as client:
        assert [row["instanceId"] for row in await client.find("kept")] == [instance]
        await client.call("GET", f"/microservices/{lost}", None, 400)
