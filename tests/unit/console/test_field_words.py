"""What forms say of a rule's fields is there in every language, and nothing is translated that no form says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from governance.rules.fields import Field, fields_of, fields_of_record, kinds
from governance.rules.objects.gray import GrayRelease
from registry.console import words
from registry.console.pages.governance.releases import BOUNDS

_FILES = Path(words.__file__).parent.glob("*/fields.json")


def _abouts(fields: Sequence[Field]) -> Iterator[str]:
    for one in fields:
        yield one.about
        yield from _abouts(one.fields)


def said_by_forms() -> set[str]:
    """What forms say of the fields of rules and releases."""
    said = {about for kind in kinds() for about in _abouts(fields_of(kind)) if about}
    return said | {one.about for one in fields_of_record(GrayRelease) if one.name in BOUNDS}


def test_every_field_is_explained_in_every_language() -> None:
    said = said_by_forms()
    found = {file.parent.name: set(json.loads(file.read_text(encoding="utf-8"))) for file in _FILES}
    assert set(found) == set(words.LANGUAGES) - {"en"}
    for language, texts in found.items():
        assert texts == said, language
