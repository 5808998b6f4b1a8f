"""The one way into the rule language: what an item of configuration means, and what is wrong with it."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson
from ruamel.yaml.nodes import Node

from governance.rules.access import PREFIX as ACCESS
from governance.rules.access import AccessPart, read_access
from governance.rules.darklaunch import DarkLaunch, read_darklaunch
from governance.rules.entries import Entries
from governance.rules.gochassis import Marker
from governance.rules.inside import keys_inside
from governance.rules.lanes import check_lanes
from governance.rules.legacy import LegacyKey, Setting, is_plain, legacy_key, read_legacy
from governance.rules.marker import MatchGroup
from governance.rules.parsing import ParseError, Position
from governance.rules.policies import KINDS, Policy, check_window
from governance.rules.problems import MOST_PROBLEMS, Code, Notes, Path, Problem, Severity
from governance.rules.properties import Property
from governance.rules.reading import read_record, readers_of
from governance.rules.routes import RouteRules, read_routes
from governance.rules.runtimes import Runtime
from governance.rules.security import SecurityPart, read_security
from governance.rules.spring import spring_key
from governance.rules.support import note_support
from governance.rules.yaml_nodes import compose

Rule: TypeAlias = "Policy | MatchGroup | Marker | RouteRules | DarkLaunch | Setting | AccessPart | SecurityPart"
_FLATTENED = ("yaml", "yml", "properties")
_NAMED = ("matchGroup", "match", "routeRule", *KINDS)
_DARK = "darklaunch.policy."
_GLOBAL = "globalRouteRule"


@dataclass(frozen=True, slots=True)
class Checked:
    """A rule, None where it has an error or the key is of no rule, and what is wrong with it, in the order of its text."""

    rule: Rule | None
    problems: tuple[Problem, ...] = ()
    places: Mapping[Path, Position] = field(default_factory=dict, repr=False)
    """Where the parts of the rule stand in its text."""


@dataclass(frozen=True, slots=True)
class RuleKey:
    """What a key stands for: a kind, and the name or the service that follows it."""

    prefix: str
    kind: str
    name: str
    legacy: LegacyKey | None = None


def rule_key(key: str) -> RuleKey | None:
    """What a key stands for; None where it is of no rule."""
    prefix, _, rest = key.partition(".")
    if is_plain(rest):
        return None
    legacy = legacy_key(rest) if prefix in ("servicecomb", "cse") else None
    if legacy is not None:
        return RuleKey(prefix, legacy.namespace, rest, legacy)
    spring = spring_key(key) if prefix == "spring" else None
    if spring is not None:
        return RuleKey(prefix, *spring)
    if prefix == "cse" and rest.startswith(_DARK):
        return RuleKey(prefix, "darklaunch", rest.removeprefix(_DARK))
    return _kind_and_name(rest) if prefix == "servicecomb" else None


def _kind_and_name(rest: str) -> RuleKey | None:
    for beginning, kind in ((_DARK, "darklaunch"), (ACCESS, "accessControl")):
        if rest.startswith(beginning):
            return RuleKey("servicecomb", kind, rest.removeprefix(beginning))
    kind, dot, name = rest.partition(".")
    named = kind in _NAMED if dot else kind == _GLOBAL
    return RuleKey("servicecomb", kind, name) if named else None


def not_a_rule(key: str, value_type: str) -> tuple[Problem, ...]:
    """What to say of an item that is no rule and has none in it, where somebody means one; nothing where it is one."""
    if rule_key(key) is not None or value_type in _FLATTENED:
        return ()
    notes = Notes()
    notes.warn((), Code.KEY, f"{key[:100]} is the key of no rule", "write one such as servicecomb.retry.<name>")
    return tuple(notes.problems)


def check(key: str, value: str, runtimes: Iterable[Runtime] = (), *, value_type: str = "text") -> Checked:
    """Check an item. Nothing raises. `runtimes` are those that are registered: warnings name which of them would misread the rule.

    Of an item of type yaml or properties, the keys within its text are checked; it is no rule itself.
    """
    found = rule_key(key)
    if found is None:
        return Checked(None, _inside(value, value_type, runtimes) if value_type in _FLATTENED else _misspelt(key))
    notes = Notes()
    rule = None
    try:
        rule = _read(found, value, notes)
    except ParseError as error:
        notes.places[("?",)] = error.at
        notes.error(("?",), Code.SYNTAX, error.why)
    if value_type in _FLATTENED:
        notes.error(
            (),
            Code.VALUE_TYPE,
            f"clients take a {value_type} value apart, and its key with it",
            "store the item as text",
        )
    if rule is not None:
        note_support(found.kind, found.prefix, rule, sorted(set(runtimes)), notes)
    problems = tuple(sorted(notes.problems, key=lambda problem: problem.at))
    return Checked(None if notes.failed else rule, problems, notes.places)


def _inside(value: str, value_type: str, runtimes: Iterable[Runtime]) -> tuple[Problem, ...]:
    """The problems of the rules within a text, each where its key stands, up to a number of them; an error is never left out."""
    who, apart = tuple(runtimes), dict[str, Position]()
    checked: list[tuple[Property, Checked]] = []
    for found in keys_inside(value, value_type):
        whole = _taken_apart(found.key, found.value)
        if whole:
            apart.setdefault(whole, found.at)
        else:
            checked.append((found, check(found.key, found.value, who)))
    problems = [_moved(one, key, at) for key, at in apart.items() for one in _apart()]
    problems += [_moved(problem, found.key, found.at) for found, one in checked for problem in one.problems]
    # A part that is in error would be told a second time, as one that its entry lacks.
    if not any(one.severity is Severity.ERROR for one in problems):
        entries = Entries(one.rule for _, one in checked)
        lacking = ((found, problem) for found, one in checked for problem in entries.problems(one.rule))
        problems += [_moved(problem, found.key, found.at) for found, problem in lacking]
    kept = sorted(problems, key=lambda problem: problem.at)[:MOST_PROBLEMS]
    if not any(one.severity is Severity.ERROR for one in kept):
        kept += [one for one in problems if one.severity is Severity.ERROR][:1]
    return tuple(kept)


def _taken_apart(key: str, value: str) -> str:
    """The key of the rule that a key is a part of, where its fields are keys of their own; empty where the value may be the rule."""
    head, bracket, _ = key.partition("[")
    found = rule_key(head)
    if found is None or found.kind not in (*_NAMED, _GLOBAL) or (not bracket and ":" in value):
        return ""
    parent, _, last = head.rpartition(".")
    record = MatchGroup if found.kind == "matchGroup" else Marker if found.kind == "match" else KINDS.get(found.kind)
    if record is not None and "." in found.name and last in readers_of(record):
        return parent
    return head if bracket else ""


def _apart() -> Sequence[Problem]:
    notes = Notes()
    notes.error(
        (), Code.VALUE_TYPE, "the rule is taken apart here, and no client finds it", "write it as a text, after |"
    )
    return notes.problems


def _moved(problem: Problem, key: str, at: Position) -> Problem:
    within = f", {problem.at}" if problem.line > 1 else ""
    return dataclasses.replace(problem, at=at, why=f"{key[:200]}{within}: {problem.why}")


def _misspelt(key: str) -> tuple[Problem, ...]:
    """A kind that is nearly one that is known names no rule at all, and nobody would say so."""
    prefix, _, rest = key.partition(".")
    kind, dot, _ = rest.partition(".")
    if prefix != "servicecomb" or not dot or kind in _NAMED:
        return ()
    near = difflib.get_close_matches(kind[:50].lower(), [one.lower() for one in _NAMED], 1, 0.88)
    if not near:
        return ()
    meant = next(one for one in _NAMED if one.lower() == near[0])
    notes = Notes()
    notes.warn((), Code.KEY, f"{kind[:50]} is no kind of rule", f"write servicecomb.{meant}.")
    return tuple(notes.problems)


def _read(key: RuleKey, value: str, notes: Notes) -> Rule | None:
    if key.legacy is not None:
        return read_legacy(key.legacy, value, notes)
    if key.kind == "accessControl":
        return read_access(key.name, value, notes, spring=key.prefix == "spring")
    if key.kind == "securityPolicy":
        return read_security(key.name, value, notes)
    if not key.name and key.kind != _GLOBAL:
        notes.error((), Code.KEY, "nothing follows the kind in the key", "add a name to the key")
        return None
    node = _json(value) if key.kind == "darklaunch" else compose(value)
    if node is None:
        notes.error((), Code.MISSING, "the rule is empty, so it does nothing", "write the rule, or delete the item")
        return None
    return _read_node(key, node, notes)


def _json(value: str) -> Node | None:
    """JSON is YAML but for its tabs."""
    try:
        if value.strip():
            orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ParseError(Position(error.lineno, error.colno), error.msg) from error
    return compose(value.replace("\t", " "))


def _read_node(key: RuleKey, node: Node, notes: Notes) -> Rule | None:
    match key.kind:
        case "darklaunch":
            return read_darklaunch(key.name, node, notes)
        case "routeRule":
            return read_routes(key.name, node, notes)
        case "globalRouteRule":
            routes = read_routes(None, node, notes)
            check_lanes(routes, notes)
            return routes
        case "matchGroup":
            return read_record(MatchGroup, node, notes, (), name=key.name)
        case "match":
            return read_record(Marker, node, notes, (), name=key.name)
    policy = read_record(KINDS[key.kind], node, notes, (), name=key.name)
    if policy is not None:
        check_window(policy, notes)
    return policy
