"""Lists that are narrowed to what a role may see: saying so in one table alone would show everything."""

from __future__ import annotations

from registry.api import door
from registry.api.door import labels

_THE_SAME_FOR_ALL = {"members.members"}


def test_what_is_about_nothing_in_particular_is_narrowed() -> None:
    about_nothing = {name for name, found in labels._OF.items() if found is labels._none}
    assert about_nothing - _THE_SAME_FOR_ALL == set(door._LISTS)
