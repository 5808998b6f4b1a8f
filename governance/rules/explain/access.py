"""Whether the access lists and the security policy of a provider let a consumer pass, and by which of their entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from governance.rules.access import AccessPart, AccessRule, Decision, access_list
from governance.rules.explain.model import Considered, Read, Verdict
from governance.rules.explain.policies import considered, not_read
from governance.rules.explain.reasons import shown
from governance.rules.marker import Request
from governance.rules.security import SecurityPart, security_policy

KINDS = ("accessControl", "securityPolicy")
Part = TypeVar("Part")
Explained = tuple[Sequence[Considered], str]
"""The entries, and what they come to: no text where there are none."""


def explain_access(reads: Sequence[Read], facts: Mapping[str, str] | None) -> Explained:
    """The entries of the access lists, and what they come to for a consumer of which these facts are known."""
    entries: dict[tuple[str, str, bool], list[tuple[Read, AccessPart]]] = {}
    for read, part in _parts(reads, AccessPart):
        entries.setdefault((part.colour, part.item, part.spring), []).append((read, part))
    rows = [_entry(colour, pairs, facts) for (colour, *_), pairs in sorted(entries.items())]
    lists = access_list(part for pairs in entries.values() for _, part in pairs)
    return rows, _comes_to("access list", lists.decide(facts)) if lists.white or lists.black else ""


def _entry(colour: str, pairs: Sequence[tuple[Read, AccessPart]], facts: Mapping[str, str] | None) -> Considered:
    lists = access_list(part for _, part in pairs)
    shows = next((read for read, part in pairs if part.part == "rule"), pairs[0][0])
    rule = next(iter((*lists.white, *lists.black)), None)
    if rule is None:
        return considered(shows, Verdict.SKIPPED, "category, propertyName or rule is missing", colour)
    does = f"{colour}: {shown(rule.property_name)} {shown(rule.rule)}"
    fits = facts is not None and rule.matches(facts)
    return considered(shows, Verdict.APPLIES if fits else Verdict.SKIPPED, _fact(rule, facts), does)


def _fact(rule: AccessRule, facts: Mapping[str, str] | None) -> str:
    if facts is None:
        return "nothing is known of the consumer"
    fact = facts.get(rule.property_name)
    return f"the consumer's {shown(rule.property_name)} is {'missing' if fact is None else shown(fact)}"


def explain_security(reads: Sequence[Read], request: Request) -> Explained:
    """The items of the security policy, and what they come to for a request with this caller."""
    parts = _parts(reads, SecurityPart)
    policy = security_policy(part for _, part in parts)
    if not policy.mode:
        return [], ""
    entries: dict[tuple[str, str], list[tuple[Read, SecurityPart]]] = {}
    for read, part in parts:
        if part.effect:
            entries.setdefault((part.effect, part.item), []).append((read, part))
    rows = [_item(effect, pairs, request) for (effect, _), pairs in sorted(entries.items())]
    return rows, _comes_to("security policy", policy.decide(request.source, request.method, request.path))


def _item(effect: str, pairs: Sequence[tuple[Read, SecurityPart]], request: Request) -> Considered:
    policy = security_policy(part for _, part in pairs)
    shows = next((read for read, part in pairs if part.part == "uri"), pairs[0][0])
    item = next(iter((*policy.allow, *policy.deny)), None)
    if item is None:
        return considered(shows, Verdict.SKIPPED, "consumer, method or uri is missing", effect)
    fits = item.matches(request.source or "", request.method, request.path)
    does = shown(f"{effect}: {item.consumer} {item.method} {item.uri}")
    return considered(
        shows,
        Verdict.APPLIES if fits else Verdict.SKIPPED,
        "the call is one of them" if fits else "it is another call",
        does,
    )


def _parts(reads: Sequence[Read], kind: type[Part]) -> list[tuple[Read, Part]]:
    """The parts that the provider's runtime reads."""
    return [(read, read.checked.rule) for read in reads if isinstance(read.checked.rule, kind) and not not_read(read)]


def _comes_to(what: str, decision: Decision) -> str:
    verb = "lets it pass" if decision.allowed else "refuses it"
    return f"the {what} {verb}: {decision.why}" + (", in the mode permissive" if decision.tolerated else "")
