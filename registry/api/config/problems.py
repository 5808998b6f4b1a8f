"""What is wrong with rules, alone and with the others, for the answers that show what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from governance.rules.check import Checked, rule_key
from governance.rules.problems import Problem, Severity
from registry.api.call import Call
from registry.config.edits import Action, Step
from registry.config.records import Draft, id_of
from registry.config.ruled import Place, place_of
from registry.engine.rules import Scene
from registry.errors import ConfigError

_MOST_LISTED = 3
"""Problems of each item that a list shows, errors first."""
_EVERYONE = "globalRouteRule"
_ROUTES = ("routeRule", _EVERYONE)


async def problems_of(call: Call, drafts: Sequence[Draft | None]) -> Sequence[Mapping[str, object]]:
    """For each draft the member `problems`, left out where there are none, as if all were saved. Large rules take seconds."""
    named = [(id_of(call.tenant, draft.key, draft.labels), draft) if draft is not None else None for draft in drafts]
    over = dict(pair for pair in named if pair is not None)
    scene = await scene_of(call, over.values())
    checked = await asyncio.to_thread(scene.check, over, over)
    found = [checked[pair[0]].problems if pair is not None else () for pair in named]
    return [{"problems": list(map(shown, problems))} if problems else {} for problems in found]


async def listed_problems(call: Call, ids: Collection[str]) -> Mapping[str, Sequence[object]]:
    """The first problems of each item of a list that has any, by the item's id."""
    scene = await scene_of(call, None)
    checked = await asyncio.to_thread(scene.check, ids)
    return {name: list(map(shown, _first(one))) for name, one in checked.items() if one.problems}


def _first(checked: Checked) -> Sequence[Problem]:
    return sorted(checked.problems, key=lambda one: one.severity is not Severity.ERROR)[:_MOST_LISTED]


async def refuse_contradictions(call: Call, steps: Sequence[Step]) -> None:
    """Raise 400006 for a plan that would leave a route rule which contradicts others, as one of a service in lanes does.

    A change of others between this and the command is not seen; lists then show the rule in error.
    """
    over = {id_of(call.tenant, step.draft.key, step.draft.labels): step.after for step in steps}
    routes = [step for step in steps if _may_contradict(step)]
    if not routes:
        return
    scene = await scene_of(call, [step.draft for step in routes])
    errors = await asyncio.to_thread(_contradictions, scene, over, {place_of(step.draft) for step in routes})
    for step in routes:
        for draft, error in errors:
            its_own = (draft.key, draft.labels) == (step.draft.key, step.draft.labels)
            if its_own or (_kind(step.draft) == _EVERYONE and place_of(draft) == place_of(step.draft)):
                whose = "" if its_own else f"with {draft.key[:256]}, "
                refusal = ConfigError(400006, f"as a rule, {whose}{error.at}: {error.text}")
                raise step.edit.refused(refusal) if step.edit is not None else refusal


def _contradictions(
    scene: Scene, over: Mapping[str, Draft | None], places: Collection[Place]
) -> Sequence[tuple[Draft, Problem]]:
    """The errors that route rules have with others, not alone."""
    drafts = {name: draft for name, draft in {**scene.items, **over}.items() if draft is not None}
    wanted = {name: draft for name, draft in drafts.items() if _kind(draft) in _ROUTES and place_of(draft) in places}
    checked = scene.check(wanted, over)
    return [
        (draft, problem)
        for name, draft in wanted.items()
        for problem in checked[name].problems
        if problem.severity is Severity.ERROR and problem not in scene.alone(name, draft).problems
    ]


def _may_contradict(step: Step) -> bool:
    forced = step.edit is not None and step.edit.force
    return (
        step.after is not None and step.action is not Action.UNCHANGED and not forced and _kind(step.after) in _ROUTES
    )


def _kind(draft: Draft) -> str:
    key = rule_key(draft.key)
    return key.kind if key is not None else ""


async def scene_of(call: Call, drafts: Iterable[Draft] | None) -> Scene:
    """What drafts are checked against, or all items."""
    engine = call.engine
    places = {place_of(draft) for draft in drafts} if drafts is not None else None
    return await engine.read(lambda: Scene.of(engine.checked_items, engine.catalog, engine.config, call.tenant, places))


def shown(problem: Problem) -> Mapping[str, object]:
    """A problem as clients read it."""
    runtimes = [{"name": runtime.name, "version": runtime.version} for runtime in problem.runtimes]
    place = {"line": problem.line, "column": problem.column, "why": problem.why, "instead": problem.instead}
    return {"severity": problem.severity, "code": problem.code, **place, "runtimes": runtimes}
