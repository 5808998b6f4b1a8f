"""Items as files: export, and import with a dry run that says what would change."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from typing import TypeVar

from governance.rules.parsing import ParseError
from registry.api.call import TEXT_TYPE, Call, Reply, json_reply
from registry.api.checks import flag
from registry.api.config.changes import Prune, changed, nothing, planned
from registry.api.config.problems import problems_of
from registry.api.kie.parameters import labels_of, query_of
from registry.config.edits import Action, Edit, Existing, Step
from registry.config.export import file_of
from registry.config.files import Format, read_file
from registry.config.history import compared
from registry.config.query import find
from registry.config.records import Draft
from registry.config.state import Topic
from registry.errors import ConfigError

Choice = TypeVar("Choice", bound=StrEnum)
_HEADERS = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
_SHOWN = ("value", "value_type", "status", "priority", "check")


async def export(call: Call) -> Reply:
    """GET export: the items with at least these labels as a file; a properties file has those with exactly these."""
    form = choice(call, "format", Format.YAML)
    query = replace(query_of(call), offset=0, limit=0)
    if form is Format.PROPERTIES:
        query = replace(query, topic=query.topic._replace(exact=True))
    found = await call.engine.read(lambda: find(call.engine.config.state, query))
    text = await asyncio.to_thread(file_of, found, form)
    return Reply(200, text.encode(), TEXT_TYPE, _HEADERS)


async def import_file(call: Call) -> Reply:
    """POST import: let the items be as the body, a file, says; all of them or none. With `dry_run` say what would change."""
    existing, dry_run = choice(call, "override", Existing.FORCE), flag(call, "dry_run")
    edits = await asyncio.to_thread(_edits, call, choice(call, "format", Format.YAML))
    prune = _prune(call)
    if dry_run:
        made = await planned(call, edits, existing, prune)
        revision, steps = made.revision, made.steps
    else:
        revision, done = await changed(call, edits, existing, prune)
        steps = [step for step, _ in done]
    changes = [step for step in steps if step.action is not Action.UNCHANGED]
    problems = await problems_of(call, [step.after for step in changes])
    items = [{**_shown(step), **wrong} for step, wrong in zip(changes, problems, strict=True)]
    return json_reply({"dry_run": dry_run, "revision": revision, **_counts(steps), "items": items})


def choice(call: Call, name: str, default: Choice) -> Choice:
    """A parameter that is one of a few words. Raises 400001."""
    kind = type(default)
    try:
        return kind(call.query.get(name) or default)
    except ValueError as error:
        raise ConfigError(400001, f"{name} must be one of {', '.join(kind)}") from error


def _edits(call: Call, form: Format) -> Sequence[Edit]:
    labels, forced = dict(labels_of(call)), flag(call, "force")
    if labels and form is not Format.PROPERTIES and not flag(call, "prune"):
        raise ConfigError(
            400001, f"the labels of items are in a file of the format {form}; the parameter label is for what is pruned"
        )
    try:
        text = call.body.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(400001, f"the file is not UTF-8 (byte {error.start + 1})") from error
    try:
        return [replace(edit, force=forced) for edit in read_file(text, form, labels)]
    except ParseError as error:
        raise ConfigError(400001, f"the file does not parse: {error}") from error


def _prune(call: Call) -> Prune:
    if not flag(call, "prune"):
        return nothing
    exact = choice(call, "format", Format.YAML) is Format.PROPERTIES
    topic, state = Topic(call.tenant, labels_of(call), exact), call.engine.config.state
    return lambda: state.listing(topic).items


def _counts(steps: Iterable[Step]) -> Mapping[str, int]:
    counted = Counter(step.action for step in steps)
    return {action.value: counted[action] for action in Action}


def _shown(step: Step) -> Mapping[str, object]:
    before = step.before.draft if step.before else None
    draft = step.draft
    named = {"action": step.action, "key": draft.key, "labels": dict(draft.labels)}
    lines = compared(before, step.after, step.before.revision if step.before else 0, "this file")
    return {**named, "before": members_of(before), "after": members_of(step.after), "diff": lines}


def members_of(draft: Draft | None) -> Mapping[str, object] | None:
    """What answers show of a draft."""
    return {name: value for name, value in asdict(draft).items() if name in _SHOWN} if draft is not None else None
