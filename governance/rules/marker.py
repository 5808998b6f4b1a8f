"""The traffic marker, `servicecomb.matchGroup.<name>`: which requests a policy of the same name applies to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ruamel.yaml.nodes import Node

from governance.rules.conditions import MARKER, Condition, condition
from governance.rules.problems import Code, Notes, Path
from governance.rules.reading import by, list_of, mapping_by, read_record, text

_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT")
CONDITION = condition(MARKER)


@dataclass(frozen=True, slots=True)
class Request:
    """What of a request rules look at. `service_name` is the callee's on the consumer's side, None where it is not known.

    `source` and `source_tags` are the caller's name and properties.
    """

    path: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)
    service_name: str | None = None
    source: str | None = None
    source_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CustomMatcher:
    """A class of Java that decides; without its name or without parameters it lets everything pass."""

    custom_matcher_handler: str = field(default="", metadata=by(text))
    custom_matcher_parameters: str = field(default="", metadata=by(text))


def _custom(node: Node, notes: Notes, path: Path) -> CustomMatcher | None:
    found = read_record(CustomMatcher, node, notes, path)
    if found is not None and found.custom_matcher_handler and found.custom_matcher_parameters:
        notes.warn(
            path,
            Code.UNSUPPORTED,
            "only Java Chassis from 2.8.1 and Spring Cloud Huawei run such a class; for others the rule never matches",
        )
    return found


def methods(node: Node, notes: Notes, path: Path) -> tuple[str, ...] | None:
    """Verbs of HTTP; the comparison heeds their case."""
    found: tuple[str, ...] | None = list_of(text)(node, notes, path)
    if found == ():
        notes.warn(
            path,
            Code.NEVER_MATCHES,
            "the list of methods is empty, so it matches nothing",
            "add a method or leave method away",
        )
    for index, method in enumerate(found or ()):
        if method not in _METHODS:
            instead = f"write {method.upper()}" if method.upper() in _METHODS else f"write one of {', '.join(_METHODS)}"
            notes.warn((*path, index), Code.NEVER_MATCHES, f"no request has the method {method[:100]!r}", instead)
    return found


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions that must all hold; what is None is not asked for."""

    name: str = field(default="", metadata=by(text))
    api_path: Condition | None = field(default=None, metadata=by(CONDITION))
    method: tuple[str, ...] | None = field(default=None, metadata=by(methods))
    headers: Mapping[str, Condition] = field(default_factory=dict, metadata=by(mapping_by(CONDITION)))
    queries: Mapping[str, Condition] = field(default_factory=dict, metadata=by(mapping_by(CONDITION)))
    service_name: str | None = field(default=None, metadata=by(text))
    custom_matcher: CustomMatcher | None = field(default=None, metadata=by(_custom))


def match(node: Node, notes: Notes, path: Path) -> Match | None:
    """Reads one item of `matches`."""
    return read_record(Match, node, notes, path)


@dataclass(frozen=True, slots=True)
class MatchGroup:
    """A request is of the group when one of its matches holds."""

    name: str
    matches: tuple[Match, ...] = field(metadata=by(list_of(match, empty=False)))
    services: str = field(default="", metadata=by(text))


def group_matches(group: MatchGroup, request: Request) -> bool:
    """Whether a request is of the group."""
    return any(item_matches(one, request) for one in group.matches)


def item_matches(one: Match, request: Request) -> bool:
    """Whether all that one match asks for holds. Names of headers are found in any case."""
    headers = {name.casefold(): value for name, value in request.headers.items()}
    return (
        (one.method is None or request.method in one.method)
        and (one.api_path is None or one.api_path.holds(request.path))
        and all(asked.holds(headers.get(name.casefold())) for name, asked in one.headers.items())
        and all(asked.holds(request.queries.get(name)) for name, asked in one.queries.items())
        and (one.service_name is None or one.service_name == request.service_name)
        and _custom_passes(one.custom_matcher)
    )


def _custom_passes(custom: CustomMatcher | None) -> bool:
    """What Java would decide is not known here."""
    return custom is None or not (custom.custom_matcher_handler and custom.custom_matcher_parameters)


def in_scope(services: str, name: str, version: str = "") -> bool:
    """Whether a rule's `services` names a service: a list with commas, of names or name:version; empty is everyone. Blanks count."""
    return not services or any(one in (name, f"{name}:{version}") for one in services.split(","))
