"""Why a rule is not for a request, part by part. What holds is asked of the rules themselves, so that the two cannot differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from governance.rules.conditions import Condition
from governance.rules.marker import Match, MatchGroup, Request, in_scope
from governance.rules.routes import RouteMatch, route_matches
from governance.rules.selection import OwnService

_LONGEST = 100
_MOST = 3
Groups = Mapping[str, MatchGroup]


def shown(text: str) -> str:
    """A text of a rule or a request, as much of it as a line has room for."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def misses(one: Match, request: Request) -> Iterator[str]:
    """Each part of a match that does not hold, with what the request has in its place."""
    for name, part in _parts(one):
        if not part.holds(request):
            yield _miss(name, part, request)


def _parts(one: Match) -> Iterator[tuple[str, Match]]:
    """The match taken apart: each asks for one thing."""
    for field in dataclasses.fields(one):
        value = getattr(one, field.name)
        if field.name in ("name", "refer") or value is None:
            continue
        each = [{name: asked} for name, asked in value.items()] if isinstance(value, Mapping) else [value]
        yield from ((field.name, _alone(one, field.name, part)) for part in each)


def _alone(one: Match, name: str, value: Any) -> Match:
    return dataclasses.replace(type(one)(), **{name: value})


def _miss(name: str, part: Match, request: Request) -> str:
    match name:
        case "method":
            return (
                f"the method is {shown(request.method)}, asked for is {shown(', '.join(part.method or ())) or 'none'}"
            )
        case "api_path":
            return f"the path is {shown(request.path) or 'empty'}, asked for is {_asked(part.api_path)}"
        case "service_name":
            known = shown(request.service_name) if request.service_name is not None else "not known at the provider"
            return f"serviceName is {known}, asked for is {shown(part.service_name or '')}"
        case "custom_matcher":
            return "a class of Java decides, which is not known here"
        case "source":
            source = part.source if isinstance(part, RouteMatch) else ""
            return f"the caller is {shown(request.source or '')}, asked for is {shown(source)}"
    return _miss_of_mapping(name, part, request)


def _miss_of_mapping(name: str, part: Match, request: Request) -> str:
    ((entry, asked),) = getattr(part, name).items()
    words = {"queries": "parameter", "source_tags": "caller's tag"}
    if name == "queries":
        value = request.queries.get(entry)
    elif name == "source_tags":
        value = request.source_tags.get(entry)
    else:
        folded = {header.casefold(): text for header, text in request.headers.items()}
        value = folded.get(entry.casefold())
    has = "missing" if value is None else shown(value) or "empty"
    return f"the {words.get(name, 'header')} {shown(entry)} is {has}, asked for is {_asked(asked)}"


def _asked(asked: Condition | str | None) -> str:
    if not isinstance(asked, Condition):
        return shown(asked or "")
    return shown(", ".join(f"{operator} {pattern}" for operator, pattern in asked.operators.items())) or "nothing"


def group_misses(group: MatchGroup, request: Request) -> str:
    """Why a request is not of a group: the first miss of each of its matches."""
    found = [next(misses(one, request), "") for one in group.matches]
    more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(found[:_MOST]) + more


def scope_miss(services: str, own: OwnService) -> str:
    """Why a rule is not for a service; empty where it is."""
    if in_scope(services, own.name, own.version):
        return ""
    blanks = " (blanks count)" if any(part != part.strip() for part in services.split(",")) else ""
    return f"services is {shown(services)!r}, which does not name {own.name}{blanks}"


def route_miss(asked: RouteMatch | None, request: Request, groups: Groups) -> str:
    """Why a route rule is not for a request; empty where it is."""
    if asked is None or route_matches(asked, request, groups):
        return ""
    if not asked.refer:
        return next(misses(asked, request))
    group = groups.get(asked.refer)
    if group is None:
        return f"it refers to servicecomb.matchGroup.{shown(asked.refer)}, which is not there"
    return f"the request is not of the group {shown(asked.refer)}: {group_misses(group, request)}"


def group_fit(group: MatchGroup, request: Request) -> str:
    """By which match a request is of a group."""
    if not group.holds(request):
        return ""
    place, one = next((place, one) for place, one in enumerate(group.matches, 1) if one.holds(request))
    named = f" ({shown(one.name)})" if one.name else ""
    return f"match {place}{named} of its group holds"
