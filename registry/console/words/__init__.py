"""The console's languages. A page is written in English; a language is a folder of JSON files beside this one, from English to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

Translate: TypeAlias = Callable[[str], str]
_FOLDER = Path(__file__).parent
LANGUAGES = {"en": "English", "zh": "中文"}
"""What a person can choose, each in its own name."""


def load() -> Mapping[str, Mapping[str, str]]:
    """The dictionaries by language. A text that two files of a language translate differently is a defect: `ValueError`."""
    found: dict[str, dict[str, str]] = {"en": {}}
    for file in sorted(_FOLDER.glob("*/*.json")):
        words = found.setdefault(file.parent.name, {})
        for text, translated in json.loads(file.read_text(encoding="utf-8")).items():
            if words.setdefault(text, translated) != translated:
                raise ValueError(f"{file.name} translates {text!r} as {translated!r}, another file as {words[text]!r}")
    return found


def chosen(wanted: str, accepted: str) -> str:
    """The language of a page: the one that was chosen, else the first that the browser accepts and the console has, else English."""
    if wanted in LANGUAGES:
        return wanted
    for item in accepted.lower().split(","):
        name = item.partition(";")[0].strip().partition("-")[0]
        if name in LANGUAGES:
            return name
    return "en"
