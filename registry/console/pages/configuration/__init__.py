"""Configuration: items found by labels and keys, written with checks, taken back, released gradually, moved as files."""

from __future__ import annotations

from registry.console.pages.configuration import (
    editing,
    files,
    history,
    item,
    listing,
    preview,
    reading,
    releases,
)

PAGES = (
    *listing.PAGES,
    *item.PAGES,
    *editing.PAGES,
    *history.PAGES,
    *releases.PAGES,
    *reading.PAGES,
    *preview.PAGES,
    *files.PAGES,
)
