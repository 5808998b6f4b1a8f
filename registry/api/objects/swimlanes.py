"""The lane API of ServiceStage over the same groups of lanes, for programs that know that one: see docs/lanes.md.

Groups are named by ids there. It knows neither application nor environment: the query may say them, else the target service's are taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from governance.rules.objects.forms import LANES
from governance.rules.objects.items import Place
from governance.rules.objects.lane import ANY, BASE, CONTENT, SHARE, HeaderRule, Lane, LaneGroup
from governance.rules.printing import plain_record
from registry.api.call import NOTHING, Call, Parameter, Reply, Route, Tenancy, json_reply
from registry.api.kie.bodies import in_our_words
from registry.api.objects.handlers import Handlers
from registry.api.shapes import parse
from registry.config.objects import Expected, Stored, objects_of
from registry.config.rules import check_project
from registry.errors import ConfigError

_ROOT = "/v3/:project/cas/swimlane-group"
_ROUTINGS = {"CONTENT": CONTENT, "WEIGHT": SHARE}
_STATES = {"ENABLE": True, "DISABLED": False}
_GATEWAY = {"name": "edge", "target_services": [{"host": "unit-controller"}]}
_GROUP = {"name": "lane-test", "gateways": [_GATEWAY]}
_LANE = {"name": "gray", "tag": "gray", "type": "GRAY"}
_RULE = {"type": "HEADER", "key": "type", "condition": "PREFIX", "value": "gray"}
_ROUTE = {"gray_release_type": "CONTENT", "swimlanes": [{"id": "1", "rule_match_mode": "ANY", "rules": [_RULE]}]}
_WHERE = (
    Parameter("app", "the application; where it is missing, that of the target service"),
    Parameter("environment", "the environment; where it is missing, that of the target service"),
)
_NONE = {404: "No such group or lane"}
_CONFLICT = {409: "Others wrote it, or instances or lanes do not allow it"}
_does = Handlers(LANES)


def swimlane_routes() -> Sequence[Route]:
    """The table of routes."""
    group, lane = f"{_ROOT}/:gid", f"{_ROOT}/:gid/swimlane/:lid"
    return (
        _row("GET", _ROOT, list_groups, "Every group of lanes."),
        _row("POST", _ROOT, create_group, "Creates a group of lanes.", _CONFLICT, sample=_GROUP, parameters=_WHERE),
        _row("GET", group, get_group, "One group of lanes.", _NONE),
        _row("DELETE", group, delete_group, "Deletes a group of lanes.", _NONE | _CONFLICT, answers=NOTHING),
        _row("POST", f"{group}/swimlane", create_lane, "Adds a lane.", _NONE | _CONFLICT, sample=_LANE),
        _row("DELETE", lane, delete_lane, "Removes a lane.", _NONE | _CONFLICT),
        _row("PUT", f"{group}/route", set_route, "Sets how requests get into lanes.", _NONE | _CONFLICT, sample=_ROUTE),
        _row(
            "PUT",
            f"{group}/route-status",
            set_status,
            "Turns the lanes of a group on or off.",
            _NONE | _CONFLICT,
            sample={"route_status": "ENABLE"},
        ),
    )


def _row(
    method: str,
    path: str,
    handler: Callable[[Call], Awaitable[Reply]],
    about: str,
    failures: Mapping[int, str] | None = None,
    **more: object,
) -> Route:
    return Route(
        method,
        path,
        handler,
        "config",
        about,
        Tenancy.CONFIG,
        refused=in_our_words,
        failures=failures or {},
        **more,  # type: ignore[arg-type]
    )


async def list_groups(call: Call) -> Reply:
    """GET: all groups."""
    _check(call)
    engine, tenant = call.engine, call.tenant
    items = await engine.read(lambda: engine.config.objects.items(tenant))
    return json_reply({"swimlane_groups": list(map(_shown, objects_of(items, tenant, LANES)))})


async def create_group(call: Call) -> Reply:
    """POST: a group without lanes."""
    body = _body(call)
    gateways = _listed(body, "gateways")
    targets = _listed(gateways[0], "target_services") if gateways else []
    if len(gateways) != 1 or len(targets) != 1:
        raise ConfigError(400001, "gateways: a group has one gateway with one of its target_services")
    target = targets[0].get("host")
    app, environment = _place_of_service(call, str(target or ""))
    members = {"name": body.get("name"), "app": app, "environment": environment, "gateway": gateways[0].get("name")}
    given = {**members, "target": target, "description": body.get("description"), "reason": ""}
    return await _changed(call, given, Expected(0))


async def get_group(call: Call) -> Reply:
    """GET one."""
    return json_reply(_shown(await _asked(call)))


async def delete_group(call: Call) -> Reply:
    """DELETE: the group and its lanes."""
    stored = await _asked(call)
    await _does.remove(call, stored.one.place, _as_seen(stored))
    return Reply(204)


async def create_lane(call: Call) -> Reply:
    """POST: the first lane is the baseline."""
    body, stored = _body(call), await _asked(call)
    kind = body.get("type")
    if kind not in ("BASE", "GRAY") or (kind == "BASE") != (body.get("tag") in (BASE, *([None] * (kind == "BASE")))):
        raise ConfigError(400001, f"type: BASE, which has the tag {BASE}, or GRAY, which has another")
    lane = {"name": body.get("name"), "label": BASE if kind == "BASE" else body.get("tag")}
    return await _with_lanes(call, stored, [*map(plain_record, _group(stored).lanes), lane])


async def delete_lane(call: Call) -> Reply:
    """DELETE one lane."""
    stored = await _asked(call)
    kept = [lane for lane in _group(stored).lanes if _lane_id(stored, lane) != call.params["lid"]]
    if len(kept) == len(_group(stored).lanes):
        raise ConfigError(404001, "there is no such lane")
    return await _with_lanes(call, stored, list(map(plain_record, kept)))


async def set_route(call: Call) -> Reply:
    """PUT route: by content or by weight. A lane that the body does not name stays as it is."""
    body, stored = _body(call), await _asked(call)
    routing = _ROUTINGS.get(str(body.get("gray_release_type")))
    if routing is None:
        raise ConfigError(400001, "gray_release_type: WEIGHT or CONTENT")
    given = {str(one.get("id")): one for one in _listed(body, "swimlanes")}
    known = {_lane_id(stored, lane): lane for lane in _group(stored).lanes}
    for name in given:
        if name not in known:
            raise ConfigError(404001, f"there is no lane with the id {name[:64]}")
    lanes = [{**plain_record(lane), **_routed(given.get(name), routing)} for name, lane in known.items()]
    return await _with_lanes(call, stored, lanes, routing=routing)


async def set_status(call: Call) -> Reply:
    """PUT route-status: on or off."""
    body, stored = _body(call), await _asked(call)
    wanted = _STATES.get(str(body.get("route_status")))
    if wanted is None:
        raise ConfigError(400001, "route_status: ENABLE or DISABLED")
    return await _changed(call, {**_names(stored), "on": wanted}, _as_seen(stored))


def _routed(given: Mapping[str, object] | None, routing: str) -> Mapping[str, object]:
    """What a lane of the body says of the way into it."""
    if given is None:
        return {}
    if routing == SHARE:
        return {"weight": given.get("weight", 0)}
    rules = [_rule(one) for one in _listed(given, "rules")]
    return {"match": given.get("rule_match_mode") or ANY, "rules": rules}


def _rule(given: Mapping[str, object]) -> Mapping[str, object]:
    if given.get("type", "HEADER") != "HEADER":
        raise ConfigError(400001, "rules: the type is HEADER")
    header = given.get("key")
    folded = header.lower() if isinstance(header, str) else header
    return {"header": folded, "condition": given.get("condition", "EXACT"), "value": given.get("value")}


async def _with_lanes(call: Call, stored: Stored, lanes: Sequence[object], **more: object) -> Reply:
    return await _changed(call, {**_names(stored), "lanes": lanes, **more}, _as_seen(stored))


async def _changed(call: Call, given: Mapping[str, object], expected: Expected) -> Reply:
    _, after = await _does.change(call, given, expected)
    return json_reply(_shown(after))


async def _asked(call: Call) -> Stored:
    """The group that the path names. Raises 404001."""
    _check(call)
    engine, tenant = call.engine, call.tenant

    def find() -> Stored | None:
        item = engine.config.state.table(tenant).by_id.get(call.params["gid"])
        if item is None:
            return None
        return engine.config.objects.find(tenant, LANES, Place(item.draft.key, item.draft.labels))

    stored = await engine.read(find)
    if stored is None:
        raise ConfigError(404001, "there is no such group of lanes")
    return stored


def _check(call: Call) -> None:
    check_project("Path", call.params["project"])


def _body(call: Call) -> Mapping[str, object]:
    _check(call)
    body = parse(call.body)
    if not isinstance(body, dict):
        raise ConfigError(400001, "the body is no JSON object")
    return body


def _listed(body: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    found = body.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ConfigError(400001, f"{name}: a list of objects is expected")
    return found


def _place_of_service(call: Call, service: str) -> tuple[str, str]:
    """Application and environment of a group: those of the query, else those of the only place that the service is in."""
    app, environment = call.query.get("app"), call.query.get("environment")
    known = {
        (key.app, key.environment)
        for key in call.engine.catalog.state.existing(call.tenant).by_name
        if key.name == service
    }
    fitting = sorted(one for one in known if app in (None, one[0]) and environment in (None, one[1]))
    if len(fitting) > 1:
        raise ConfigError(400001, f"{service[:256]} is in several places: name app and environment in the query")
    found = fitting[0] if fitting else ("default", "")
    return app or found[0], found[1] if environment is None else environment


def _group(stored: Stored) -> LaneGroup:
    assert isinstance(stored.one, LaneGroup)  # noqa: S101  asked for as one
    return stored.one


def _names(stored: Stored) -> Mapping[str, object]:
    group = _group(stored)
    return {"name": group.name, "app": group.app, "environment": group.environment}


def _as_seen(stored: Stored) -> Expected:
    return Expected(stored.kept.revision if stored.kept is not None else None)


def _lane_id(stored: Stored, lane: Lane) -> str:
    return f"{stored.kept.key_id if stored.kept is not None else ''}-{lane.name}"


def _shown(stored: Stored) -> Mapping[str, object]:
    group = _group(stored)
    return {
        "id": stored.kept.key_id if stored.kept is not None else "",
        "name": group.name,
        "description": group.description,
        "app": group.app,
        "environment": group.environment,
        "gateways": [{"id": group.gateway, "name": group.gateway, "target_services": [{"host": group.target}]}],
        "route_status": _word(_STATES, group.on),
        "gray_release_type": _word(_ROUTINGS, group.routing),
        "swimlanes": [_lane(stored, lane) for lane in group.lanes],
    }


def _lane(stored: Stored, lane: Lane) -> Mapping[str, object]:
    return {
        "id": _lane_id(stored, lane),
        "name": lane.name,
        "tag": lane.label,
        "type": "BASE" if lane.is_base else "GRAY",
        "components": list(lane.components),
        "weight": lane.weight,
        "rule_match_mode": lane.match.upper(),
        "rules": list(_rules(lane.rules)),
    }


def _rules(rules: Iterable[HeaderRule]) -> Iterable[Mapping[str, str]]:
    for one in rules:
        yield {"type": "HEADER", "key": one.header, "condition": one.condition.upper(), "value": one.value}


def _word(words: Mapping[str, object], meant: object) -> str:
    return next(word for word, value in words.items() if value == meant)
