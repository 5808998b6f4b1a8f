"""Which route rule or dark launch a request obeys, and which instances that leads to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from governance.rules.darklaunch import DarkLaunch
from governance.rules.distribution import Outcome, Plan, Target, effective
from governance.rules.explain.model import Considered, Read, Routing, Verdict
from governance.rules.explain.policies import considered, groups_of, not_read, unread, wrong
from governance.rules.explain.reasons import Groups, route_miss, shown
from governance.rules.marker import Request
from governance.rules.parsing import Position
from governance.rules.problems import Problem
from governance.rules.routes import RouteItem, RouteRule, RouteRules, first_match

ROUTED = "route "
"""How the reason of an outcome begins where an item of the rule led to it."""
ROUTES = ("routeRule", "globalRouteRule", "darklaunch")
_ALL = Fraction(1)


def explain_routes(
    reads: Sequence[Read], callee: str, request: Request, instances: Sequence[Target]
) -> Routing[Target]:
    """Where a request to a callee goes, of which these instances may be chosen."""
    concerned = [read for read in reads if read.key.kind in ROUTES]
    rules = list(unread(concerned, ROUTES))
    own, everyone, launch = (_first(concerned, kind) for kind in ROUTES)
    chosen = effective(_routes(own), _routes(everyone))
    used = own if chosen is not None and chosen is _routes(own) else everyone
    rule = None
    if used is not None and chosen is not None:
        groups = groups_of(reads)
        rule = first_match(chosen, request, groups)
        rules += _tried(used, chosen, rule, request, groups)
    if everyone is not None and used is not everyone:
        why = f"servicecomb.routeRule.{shown(callee)} replaces it; the two are never merged"
        rules.append(considered(everyone, Verdict.SKIPPED, why))
    if launch is not None and chosen is not None:
        rules.append(considered(launch, Verdict.SKIPPED, "there are route rules, which go before it"))
    rules += wrong(concerned, ROUTES)
    if chosen is None and launch is not None and isinstance(launch.checked.rule, DarkLaunch):
        return _launched(launch, launch.checked.rule, request, instances, rules)
    return _routed(rule, chosen, tuple(instances), rules)


def _first(reads: Sequence[Read], kind: str) -> Read | None:
    """The rule of a kind; of two keys for one service, `servicecomb.` goes before `cse.`."""
    obeyed = [read for read in reads if read.checked.rule is not None and not not_read(read)]
    found = [read for read in obeyed if read.key.kind == kind]
    return min(found, key=lambda read: read.key.prefix != "servicecomb", default=None)


def _routes(read: Read | None) -> RouteRules | None:
    rule = read.checked.rule if read is not None else None
    return rule if isinstance(rule, RouteRules) else None


def _tried(
    read: Read, rules: RouteRules, chosen: RouteRule | None, request: Request, groups: Groups
) -> Iterator[Considered]:
    """The rules of an item in the order in which they are tried."""
    for rule in rules.ordered:
        miss = route_miss(rule.match, request, groups)
        if rule is chosen:
            why = "it is for all requests" if rule.match is None else "all that it asks for holds"
        else:
            why = miss or f"the rule of precedence {chosen.precedence if chosen is not None else None} goes first"
        at = read.checked.places.get((rules.rules.index(rule),))
        verdict = Verdict.APPLIES if rule is chosen else Verdict.SKIPPED
        yield replace(considered(read, verdict, why, _does(rule)), at=at, problems=_problems_of(read, at))


def _problems_of(read: Read, at: Position | None) -> tuple[Problem, ...]:
    """Those of the rule of an item that begins here."""
    begins = sorted(place for path, place in read.checked.places.items() if len(path) == 1)
    return tuple(
        one for one in read.checked.problems if max((begin for begin in begins if begin <= one.at), default=None) == at
    )


def _does(rule: RouteRule) -> str:
    named = f"precedence {rule.precedence}: " if rule.precedence is not None else ""
    spare = f"; fallback {_items(rule.fallback)}" if rule.fallback else ""
    empty = "" if rule.empty_protection else "; nobody where that is nobody"
    return named + _items(rule.route) + spare + empty


def _items(items: Sequence[RouteItem]) -> str:
    return ", ".join(f"{item.weight} % {tags_text(item)}" for item in items)


def tags_text(item: RouteItem) -> str:
    """The tags of an item in a line."""
    return shown(" ".join(f"{name}={value}" for name, value in item.tags.items()))


def _routed(
    rule: RouteRule | None, rules: RouteRules | None, instances: tuple[Target, ...], tried: Sequence[Considered]
) -> Routing[Target]:
    if not instances:
        return Routing(tuple(tried), (), "no instance is up")
    if rule is not None:
        return Routing(tuple(tried), Plan(rule, instances).outcomes(), "by the rule that applies", rule)
    why = "there is no route rule" if rules is None else "no rule is for the request"
    return Routing(tuple(tried), (Outcome(_ALL, instances, f"{why}, so all instances"),), why)


def _launched(
    read: Read, launch: DarkLaunch, request: Request, instances: Sequence[Target], tried: Sequence[Considered]
) -> Routing[Target]:
    rows = (*tried, considered(read, Verdict.APPLIES, "there are no route rules", f"by {launch.policy_type}"))
    if not instances:
        return Routing(rows, (), "no instance is up")
    groups: dict[str | None, list[Target]] = {}
    for instance in instances:
        facts = {**instance.properties, "version": instance.version}
        groups.setdefault(launch.group_of_instance(facts), []).append(instance)
    outcomes = []
    for group, share in _group_shares(launch, request).items():
        found = groups.get(group) or groups.get(None)
        name = f"group {shown(group)}" if group is not None and group in groups else "the default group"
        outcomes.append(
            Outcome(share, tuple(found or instances), name if found else "all: its groups have no instance")
        )
    return Routing(rows, tuple(outcomes), "by the dark launch")


def _group_shares(launch: DarkLaunch, request: Request) -> dict[str | None, Fraction]:
    """Groups with their shares of such requests; None is the default group."""
    if launch.policy_type == "RULE":
        return {launch.group_of_request({**request.queries, **request.headers}): _ALL}
    shares: dict[str | None, Fraction] = {}
    for chance in range(100):
        group = launch.group_of_rate(chance)
        shares[group] = shares.get(group, Fraction(0)) + Fraction(1, 100)
    return shares
