"""Many edits at once: what they come to, and then all of them or none.

An edit names an item by key and labels and says what it should be. `plan` compares edits with what is there and changes nothing;
`carry_out` runs inside one command, so that one commit stores everything, or the first refusal takes back all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from governance.rules.parsing import Position
from registry.config.keyvalues import KeyValues
from registry.config.records import ENABLED, Draft, KeyValue, Labels, label_format
from registry.config.rules import ANY_KEY, check_draft
from registry.config.values import refuse_unparsable
from registry.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Edit:
    """What one key with one set of labels should be; what is `None` stays as it is.

    `at` is the place of the edit in its file, where it is from one; `force` lets a value be stored that does not parse, or a wrong rule.
    `revision` is that of the item that the edit was made of, 0 where there was none: whatever else is there by now, stays.
    """

    key: str
    labels: Mapping[str, str]
    value: str | None = None
    value_type: str | None = None
    status: str | None = None
    priority: int | None = None
    check: str | None = None
    at: Position | None = None
    force: bool = False
    revision: int | None = None

    def over(self, before: Draft | None) -> Draft:
        """The draft that the edit makes of what is there; a new item is enabled text. Raises 400001 for a new one without a value."""
        if before is None:
            if self.value is None:
                raise ConfigError(400001, "a new item needs a value")
            before = Draft(self.key, labels=self.labels, status=ENABLED)
        members = ("value", "value_type", "status", "priority", "check")
        given = {name: getattr(self, name) for name in members if getattr(self, name) is not None}
        return replace(before, **given)

    def refused(self, error: ConfigError) -> ConfigError:
        """A refusal that says which edit it is about."""
        place = f"{self.at}, " if self.at is not None else ""
        return ConfigError(error.error.code, f"{place}{self.key[:256]}: {error.detail}")


class Action(StrEnum):
    """What becomes of an item."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    DELETED = "deleted"


class Existing(StrEnum):
    """What becomes of items that are there already and differ: they change, they stay, or nothing is done at all (409001)."""

    FORCE = "force"
    SKIP = "skip"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Step:
    """One item of a plan. `forced` says that its value need not parse."""

    action: Action
    before: KeyValue | None
    after: Draft | None
    edit: Edit | None = None

    @property
    def draft(self) -> Draft:
        """What the item will be, or was where it is deleted."""
        draft = self.after or (self.before.draft if self.before else None)
        assert draft is not None  # noqa: S101  a step without an item is never made
        return draft


def plan(
    keys: KeyValues,
    tenant: str,
    edits: Sequence[Edit],
    existing: Existing = Existing.FORCE,
    prune: Iterable[KeyValue] = (),
) -> Sequence[Step]:
    """What the edits come to; items of `prune` that no edit names are deleted. Raises 400001, 409001, 409002, 422001."""
    named: dict[tuple[str, Labels], Edit] = {}
    for edit in edits:
        name = edit.key, frozenset(edit.labels.items())
        if name in named:
            raise edit.refused(ConfigError(400001, _twice(named[name])))
        named[name] = edit
    steps = [_step(keys, tenant, edit, existing) for edit in edits]
    gone = [item for item in prune if (item.draft.key, item.label_set) not in named]
    steps += [Step(Action.DELETED, item, None) for item in gone]
    more = sum(step.action is Action.ADDED for step in steps) - len(gone)
    if more > 0:
        keys.check_room(tenant, more)
    return steps


def carry_out(keys: KeyValues, tenant: str, steps: Sequence[Step], now: int) -> Sequence[KeyValue | None]:
    """Do what a plan says, deletions first: they make room. What each item is then. Raises what the commands raise."""
    for step in steps:
        if step.after is None and step.before is not None:
            keys.delete(tenant, step.before.key_id, now)
    return [keys.set(tenant, step.after, now) if step.after is not None else None for step in steps]


def check_values(steps: Iterable[Step]) -> None:
    """Raise 400006 for the first value that a plan would store and that does not parse. It takes time: large values take seconds."""
    for step in steps:
        if step.after is None or step.edit is None or step.edit.force or step.action is Action.UNCHANGED:
            continue
        try:
            refuse_unparsable(step.after)
        except ConfigError as error:
            raise step.edit.refused(error) from error


def refuse_outdated(item: KeyValue | None, revision: int) -> None:
    """Raise 409002 where an item is not at the revision at which somebody has seen it; 0 is for one that is not there."""
    current = item.revision if item is not None else 0
    if current != revision:
        now = f"it is at revision {current}" if current else "it is not there any more"
        raise ConfigError(409002, f"{now}, not at {revision}")


def _step(keys: KeyValues, tenant: str, edit: Edit, existing: Existing) -> Step:
    try:
        before = keys.named(tenant, Draft(edit.key, labels=edit.labels))
        if edit.revision is not None:
            refuse_outdated(before, edit.revision)
        after = edit.over(before.draft if before else None)
        check_draft(after, ANY_KEY)
    except ConfigError as error:
        raise edit.refused(error) from error
    if before is None:
        return Step(Action.ADDED, None, after, edit)
    if before.draft == after or existing is Existing.SKIP:
        return Step(Action.UNCHANGED, before, before.draft, edit)
    if existing is Existing.ABORT:
        raise edit.refused(ConfigError(409001, f"it is there already, with labels {label_format(edit.labels)}"))
    return Step(Action.CHANGED, before, after, edit)


def _twice(first: Edit) -> str:
    where = f": first at {first.at}" if first.at is not None else ""
    return f"the key is given twice with the same labels{where}"
