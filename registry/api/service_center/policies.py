"""Governance policies as Service Center shows them: a kind, a name and a spec, which together are an item of configuration.

The item's key is `servicecomb.<kind>.<name>`, its value the spec as YAML. Protocol: Service Center section 12.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from governance.rules.check import rule_key
from governance.rules.flatten import DEEPEST
from governance.rules.parsing import ParseError, Position
from governance.rules.policies import KINDS as POLICIES
from governance.rules.printing import Plain, print_plain
from governance.rules.problems import Code, Notes, Problem, Severity
from governance.rules.reading import items_of, mapping_of
from governance.rules.scalars import Kind, scalar_of
from governance.rules.yaml_nodes import compose, place_of
from registry.config.records import Draft
from registry.config.rules import check_draft
from registry.config.values import rule_problems
from registry.errors import RegistryError, invalid

MATCH_GROUP = "match-group"
_METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH")
_GROWTH = 4
_LEAST_ROOM = 10_000


class _Kind(NamedTuple):
    """How a kind is spelled in keys, and what its spec must have."""

    spelled: str
    required: Sequence[str]


KINDS: Mapping[str, _Kind] = {
    MATCH_GROUP: _Kind("matchGroup", ("matches", "alias")),
    "retry": _Kind("retry", ("maxAttempts",)),
    "rate-limiting": _Kind("rateLimiting", ("rate",)),
    "loadbalance": _Kind("loadbalance", ("rule",)),
    "circuit-breaker": _Kind("circuitBreaker", ("minimumNumberOfCalls",)),
    "instance-isolation": _Kind("instanceIsolation", ("minimumNumberOfCalls",)),
    "fault-injection": _Kind("faultInjection", ("percentage",)),
    "bulkhead": _Kind("bulkhead", ("maxConcurrentCalls",)),
}


def prefix_of(kind: str) -> str:
    """How the keys of a kind begin."""
    return f"servicecomb.{KINDS[kind].spelled}."


def policy_name(kind: str, key: str) -> str:
    """The name that a key gives to a policy of the kind; empty where the key is of something else, as the old keys of Java are."""
    found = rule_key(key)
    fits = found is not None and found.legacy is None and key.startswith(prefix_of(kind))
    return found.name if found is not None and fits else ""


def belongs_to_group(key: str, name: str) -> bool:
    """Whether a key is that of the match group of a name or of a policy of any kind that is bound to it."""
    found = rule_key(key)
    if found is None or found.legacy is not None or found.name != name:
        return False
    return found.kind in (KINDS[MATCH_GROUP].spelled, *POLICIES)


def draft_of(kind: str, name: str, selector: Mapping[str, str], spec: Mapping[str, Plain], status: str) -> Draft:
    """The item that a policy is. Raises 400001 for what is no policy, or a wrong one. A large spec takes seconds."""
    if kind == MATCH_GROUP and not spec.get("alias"):
        spec = {**spec, "alias": name}
    broken = [*_broken(kind, spec)]
    if broken:
        raise _illegal(kind, "; ".join(broken))
    draft = Draft(prefix_of(kind) + name, spec_text(kind, spec), selector, status=status, priority=-1)
    check_draft(draft)
    if not name or policy_name(kind, draft.key) != name:
        raise invalid(f"the policy has no name, or one that makes another rule of its key, {draft.key[:256]}")
    for problem in rule_problems(draft):
        if problem.severity is Severity.ERROR:
            raise _illegal(kind, _told(draft.value, problem))
    return draft


def changed(before: Draft, wanted: Draft, *, keep_status: bool) -> Draft:
    """The item with another spec and status. It becomes text, since clients read rules from nothing else."""
    status = before.status if keep_status else wanted.status
    return replace(before, value=wanted.value, value_type=wanted.value_type, status=status)


def spec_text(kind: str, spec: Mapping[str, Plain]) -> str:
    """A spec as YAML, its names in order. Raises 400001 for one that is nested too deeply for clients."""
    try:
        return print_plain(_sorted(spec, DEEPEST))
    except RecursionError as error:
        raise _illegal(kind, f"it is nested more than {DEEPEST} levels deep") from error


def spec_of(text: str) -> Mapping[str, Plain]:
    """What YAML says, in terms of JSON. Raises `ParseError` for what is no mapping. A large text takes seconds."""
    root = compose(text)
    if not isinstance(root, MappingNode):
        at = place_of(root) if root is not None else Position(1, 1)
        raise ParseError(at, "a mapping is expected here")
    found = _Specs(_LEAST_ROOM + _GROWTH * len(text)).value(root, DEEPEST)
    assert isinstance(found, dict)  # noqa: S101  made of a mapping
    return found


def spec_or_problem(text: str) -> Mapping[str, Plain] | Problem:
    """A spec, or why the text is none."""
    try:
        return spec_of(text)
    except ParseError as error:
        return Problem(Severity.ERROR, Code.SYNTAX, error.at, error.why)


def _sorted(value: Plain, levels: int) -> Plain:
    if levels < 0:
        raise RecursionError
    match value:
        case dict():
            return {name: _sorted(value[name], levels - 1) for name in sorted(value)}
        case list():
            return [_sorted(item, levels - 1) for item in value]
    return value


class _Specs:
    """Makes plain values of nodes, of at most so many characters: an alias is small, and what it stands for may not be."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._notes = Notes()

    def value(self, node: Node, levels: int) -> Plain:
        """Mappings, lists and scalars, as Java understands them."""
        if levels < 0:
            raise ParseError(place_of(node), f"it is nested more than {DEEPEST} levels deep")
        match node:
            case MappingNode():
                entries = mapping_of(node, self._notes, ()) or {}
                return {self._taken(name, node): self.value(inner, levels - 1) for name, inner in entries.items()}
            case SequenceNode():
                return [self.value(item, levels - 1) for item in items_of(node, self._notes, ()) or ()]
        return _scalar(self._taken(str(node.value), node), plain=isinstance(node, ScalarNode) and node.style is None)

    def _taken(self, text: str, node: Node) -> str:
        self._room -= 1 + len(text)
        if self._room < 0:
            raise ParseError(place_of(node), "aliases make it too large")
        return text


def _scalar(text: str, *, plain: bool) -> Plain:
    found = scalar_of(text, "", plain=plain)
    match found.kind:
        case Kind.NULL:
            return None
        case Kind.BOOL:
            return found.text == "true"
        case Kind.INT if -(2**63) <= int(found.text) < 2**64:
            return int(found.text)
        case Kind.FLOAT if found.text.lstrip("-") not in ("NaN", "Infinity"):
            return float(found.text)
    return text


def _broken(kind: str, spec: Mapping[str, Plain]) -> Iterator[str]:
    """What the original asks of a spec, in its words, and the rule language does not."""
    yield from (f"{kind}.{name} in body is required" for name in KINDS[kind].required if spec.get(name) is None)
    if not isinstance(spec.get("alias", ""), str) and kind == MATCH_GROUP:
        yield f"{kind}.alias in body must be of type string"
    matches = spec.get("matches")
    for match in matches if kind == MATCH_GROUP and isinstance(matches, list) else ():
        if isinstance(match, dict):
            yield from _broken_match(match)


def _broken_match(match: Mapping[str, Plain]) -> Iterator[str]:
    if not match.get("name"):
        yield f"{MATCH_GROUP}.matches.name in body is required"
    methods = match.get("method")
    if methods == []:
        yield f"{MATCH_GROUP}.matches.method in body should have at least 1 items"
    for method in methods if isinstance(methods, list) else ():
        if method not in _METHODS:
            yield f"{MATCH_GROUP}.matches.method in body should be one of [{' '.join(_METHODS)}]"
    if match.get("apiPath") == {}:
        yield f"{MATCH_GROUP}.matches.apiPath in body should have at least 1 properties"


def _told(text: str, problem: Problem) -> str:
    """Who sent JSON has not seen the YAML: its line is shown with its place."""
    line = text.split("\n")[problem.line - 1].strip()
    return f"{problem.at} of its YAML ({line[:100]}): {problem.text}"


def _illegal(kind: str, why: str) -> RegistryError:
    return invalid(f"illegal policy[{kind}] spec, msg: {why}")
