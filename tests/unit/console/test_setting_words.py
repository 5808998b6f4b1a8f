"""What the settings page says of a setting is there in every language."""

from __future__ import annotations

import pytest

from registry.console import words
from registry.settings import Settings


@pytest.mark.parametrize("language", sorted(set(words.LANGUAGES) - {"en"}))
def test_every_setting_is_explained_in_every_language(language: str) -> None:
    abouts = {str(field.description) for field in Settings.model_fields.values()}
    assert sorted(abouts - set(words.load()[language])) == []
