"""The handlers of one kind of object: list, read, write, end, and take back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from governance.rules.objects.forms import LANES, Form, Object, expand, read_item
from governance.rules.objects.gray import GrayRelease, routes_of
from governance.rules.objects.items import Item, Place
from governance.rules.objects.lane import LaneGroup
from registry.api.call import Call, Reply, json_reply
from registry.api.checks import flag
from registry.api.config.history import version_asked, versions_of
from registry.api.config.problems import problems_of, refuse_contradictions
from registry.api.objects.documents import given_in, merged, place_of
from registry.api.objects.lanes import check_apart, check_members, check_released
from registry.api.objects.shown import document, key_of, shown
from registry.catalog.records import ProviderKey
from registry.config.edits import Action, Step
from registry.config.history import Version
from registry.config.objects import Expected, Stored, objects_of
from registry.config.records import ENABLED, Draft
from registry.engine.lanes import mark, residents, unmark
from registry.engine.versions import running, versions_up
from registry.errors import ConfigError


class _OutdatedError(Exception):
    """Between the look at an object and the command, someone changed it."""


class Handlers:
    """The calls on the objects of one form."""

    Method: TypeAlias = Callable[[Call], Awaitable[Reply]]

    def __init__(self, form: Form) -> None:
        self._form = form

    async def list_all(self, call: Call) -> Reply:
        """GET: every object, and those that rules of others amount to."""
        engine, tenant = call.engine, call.tenant
        items = await engine.read(lambda: engine.config.objects.items(tenant))
        found = await asyncio.to_thread(objects_of, items, tenant, self._form)
        rows = []
        for stored in found:
            rows.append(shown(engine, tenant, stored))
            await asyncio.sleep(0)  # others are served between any two of many
        return json_reply({"objects": rows})

    async def get_one(self, call: Call) -> Reply:
        """GET one: an object by its names."""
        stored = await self.find(call, place_of(self._form, call.query))
        if stored is None:
            raise _unknown()
        return json_reply(await _answer(call, stored))

    async def put(self, call: Call) -> Reply:
        """PUT one: create or change an object, and its items with it."""
        return await _told(call, *await self.change(call, given_in(call, self._form), _expected(call)))

    async def change(
        self, call: Call, given: Mapping[str, object], expected: Expected
    ) -> tuple[Sequence[Step], Stored]:
        """Create or change an object by some of its members; what became of its items, and what is there then."""
        place = place_of(self._form, given)
        while True:
            before = await self.find(call, place)
            new = {"header": call.engine.lane_header} if self._form is LANES else {}
            one = await asyncio.to_thread(merged, self._form, _one(before), given, _versions_now(call, given), new)
            try:
                return await self._written(call, before, one, expected)
            except _OutdatedError:
                continue

    async def delete(self, call: Call) -> Reply:
        """DELETE one: end an object, and delete its items with it."""
        place = place_of(self._form, call.query)
        return json_reply(_became(call, await self.remove(call, place, _expected(call))))

    async def history(self, call: Call) -> Reply:
        """GET history: the versions of an object, the newest first."""
        versions = await versions_of(call, *place_of(self._form, call.query))
        return json_reply({"versions": list(map(self._version, versions)), "total": len(versions)})

    async def rollback(self, call: Call) -> Reply:
        """POST rollback: let an object and its items be as they were at a revision; that is a new revision."""
        place, expected = place_of(self._form, call.query), Expected(force=flag(call, "force"))
        wanted = version_asked(call, "revision", await versions_of(call, *place))
        if wanted is None:
            raise ConfigError(400001, "the parameter revision is missing")
        if wanted.draft is None:
            return json_reply(_became(call, await self.remove(call, place, expected)))
        one = self._kept(wanted)
        if one is None:
            raise ConfigError(400001, f"what was there at revision {wanted.revision} is no such object")
        while True:
            try:
                return await _told(call, *await self._written(call, await self.find(call, place), one, expected))
            except _OutdatedError:
                continue

    async def find(self, call: Call, place: Place) -> Stored | None:
        """The object at a place."""
        objects = call.engine.config.objects
        return await call.engine.read(lambda: objects.find(call.tenant, self._form, place))

    async def _written(
        self, call: Call, before: Stored | None, one: Object, expected: Expected
    ) -> tuple[Sequence[Step], Stored]:
        engine, tenant = call.engine, call.tenant
        if not expected.force:
            _check(call, _one(before), one)
            drafts = [Draft(item.key, item.value, item.labels, status=ENABLED) for item in expand(one)]
            await refuse_contradictions(call, [Step(Action.CHANGED, None, draft) for draft in drafts])

        def command() -> tuple[Sequence[Step], Stored | None]:
            objects = engine.config.objects
            if _revision(objects.find(tenant, self._form, one.place)) != _revision(before):
                raise _OutdatedError
            steps = objects.put(tenant, self._form, one, expected, engine.now())
            if isinstance(one, LaneGroup):
                mark(engine.catalog, tenant, _lanes(_one(before)), one, engine.now())
            return steps, objects.find(tenant, self._form, one.place)

        steps, after = await call.execute(command)
        assert after is not None  # noqa: S101  it was written by the same command
        return steps, after

    async def remove(self, call: Call, place: Place, expected: Expected) -> Sequence[Step]:
        """End an object; what became of its items. Raises 404001, 409002, 409003, 409004."""
        engine, tenant, objects = call.engine, call.tenant, call.engine.config.objects

        def command() -> Sequence[Step]:
            stored = objects.find(tenant, self._form, place)
            if stored is None:
                raise _unknown()
            one = stored.one
            if isinstance(one, GrayRelease) and not expected.force:
                _check_end(call, one)
            if isinstance(one, LaneGroup) and not expected.force:
                check_apart(call, one, None)
            steps = objects.remove(tenant, stored, expected, engine.now())
            if isinstance(one, LaneGroup):
                among = residents(engine.catalog, tenant, one.app, one.environment)
                unmark(engine.catalog, tenant, one.lanes, among, engine.now())
            return steps

        return await call.execute(command)

    def _kept(self, version: Version) -> Object | None:
        draft = version.draft
        return read_item(self._form, Item(draft.key, draft.labels, draft.value)) if draft is not None else None

    def _version(self, version: Version) -> Mapping[str, object]:
        facts = {"revision": version.revision, "at": version.at, "author": version.author, "action": version.action}
        one = self._kept(version)
        return {**facts, "object": document(one) if one is not None else None}


async def _answer(call: Call, stored: Stored) -> Mapping[str, object]:
    """An object with what runtimes would misread of its rule. What a degradation writes is for one runtime each."""
    found = shown(call.engine, call.tenant, stored)
    if not isinstance(stored.one, GrayRelease):
        return found
    drafts = [Draft(part.item.key, part.item.value, part.item.labels) for part in stored.parts]
    return {**found, **(await problems_of(call, drafts))[0]}


async def _told(call: Call, steps: Sequence[Step], after: Stored) -> Reply:
    return json_reply({**_became(call, steps), **await _answer(call, after)})


def _became(call: Call, steps: Sequence[Step]) -> Mapping[str, object]:
    """What became of the object, whose own item is the first, and of each item."""
    items = [{"action": step.action, "key": step.draft.key, "labels": dict(step.draft.labels)} for step in steps]
    others = {step.action for step in steps[1:]} - {Action.UNCHANGED}
    action = Action.CHANGED if steps[0].action is Action.UNCHANGED and others else steps[0].action
    return {"action": action, "at": call.engine.config.state.revision(call.tenant), "changes": items}


def _check(call: Call, before: Object | None, one: Object) -> None:
    """Raise 409003, 409004 for what instances and lanes do not allow."""
    if isinstance(one, GrayRelease):
        if before is None:
            check_released(call, one)
        _check_instances(call, before, one)
    elif isinstance(one, LaneGroup):
        check_members(call, one)
        if (there := _lanes(before)) is not None:
            check_apart(call, there, one)


def _check_instances(call: Call, before: Object | None, one: GrayRelease) -> None:
    """Raise 409003 where requests would go to a new version that nobody runs. What goes there already is no matter."""
    if isinstance(before, GrayRelease) and routes_of(before) == routes_of(one):
        return
    up = versions_up(running(call.engine.catalog, call.tenant, key_of(one, one.service)) or ())
    if (one.by_content or one.gray_share) and one.version not in up:
        runs = f"up are {', '.join(up)}" if up else "none is up at all"
        raise ConfigError(
            409003, f"no instance of {one.service} {one.version} is up ({runs}): write share 0 until one is"
        )


def _check_end(call: Call, one: GrayRelease) -> None:
    """Raise 409003 while two versions are up: without a rule, requests would go to both."""
    up = versions_up(running(call.engine.catalog, call.tenant, key_of(one, one.service)) or ())
    if len(up) > 1:
        raise ConfigError(
            409003,
            f"{one.service} runs in the versions {', '.join(up)}: without the rule, requests would go to all of them",
        )


def _versions_now(call: Call, given: Mapping[str, object]) -> Sequence[str]:
    """The versions that are up of the service that a body is about; none for an object that is about no service's versions."""
    service, app, environment = (given.get(name) or "" for name in ("service", "app", "environment"))
    key = ProviderKey(str(environment), str(app), str(service))
    return versions_up(running(call.engine.catalog, call.tenant, key) or ())


def _expected(call: Call) -> Expected:
    text = call.query.get("expected", "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ConfigError(400001, f"expected: a revision is a number, not {text[:64]!r}")
    return Expected(int(text) if text else None, flag(call, "force"))


def _lanes(one: Object | None) -> LaneGroup | None:
    return one if isinstance(one, LaneGroup) else None


def _one(stored: Stored | None) -> Object | None:
    return stored.one if stored is not None else None


def _revision(stored: Stored | None) -> int:
    return stored.kept.revision if stored is not None and stored.kept is not None else 0


def _unknown() -> ConfigError:
    return ConfigError(404001, "there is no such object")
