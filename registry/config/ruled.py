"""Items that are rules, checked with the others that the same processes read.

Rules meet where they have the same labels `app` and `environment`, whatever else those say. A disabled one, which nobody obeys, is checked
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from governance.rules.check import Checked, rule_key
from governance.rules.distribution import Tagged
from governance.rules.together import Together
from registry.config.records import ENABLED, Draft

Place: TypeAlias = tuple[str | None, str | None]
"""The labels `app` and `environment`, None where an item does not have one."""
Present: TypeAlias = Mapping[Place, Mapping[str, Sequence[Tagged]]]
"""The registered instances of a place, by service."""
Name = TypeVar("Name")


def place_of(draft: Draft) -> Place:
    """Where the rule of a draft meets others."""
    return draft.labels.get("app"), draft.labels.get("environment")


def check_together(
    drafts: Mapping[Name, Draft], alone: Callable[[Name, Draft], Checked], present: Present, wanted: Iterable[Name]
) -> Mapping[Name, Checked]:
    """The checks of those that are wanted, with all drafts at their places; `alone` checks one by itself."""
    asked = {name: drafts[name] for name in wanted}
    places = {place_of(draft) for draft in asked.values() if rule_key(draft.key) is not None}
    meeting: dict[Place, list[Checked]] = {place: [] for place in places}
    for name, draft in drafts.items():
        if draft.status == ENABLED and place_of(draft) in places and rule_key(draft.key) is not None:
            meeting[place_of(draft)].append(alone(name, draft))
    together = {place: Together(checked, present.get(place, {})) for place, checked in meeting.items()}

    def checked(name: Name, draft: Draft) -> Checked:
        found = alone(name, draft)
        meets = draft.status == ENABLED and found.rule is not None
        return together[place_of(draft)].with_others(found) if meets else found

    return {name: checked(name, draft) for name, draft in asked.items()}
