"""The rules of one moment, as one service reads them: compiled once, asked at every call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from governance.rules.access import AccessList, AccessPart, access_list
from governance.rules.check import Rule
from governance.rules.darklaunch import DarkLaunch
from governance.rules.distribution import effective
from governance.rules.legacy import Setting
from governance.rules.marker import MatchGroup, Request, in_scope
from governance.rules.policies import KINDS, Policy
from governance.rules.routes import RouteRules
from governance.rules.selection import OwnService, applied

Kind = TypeVar("Kind", bound=Policy)
_KIND_OF = {policy: kind for kind, policy in reversed([*KINDS.items()])}


def kind_of(policy: type[Policy]) -> str:
    """The kind in a key, such as `rateLimiting`."""
    return _KIND_OF[policy]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules that are in order. `values` is the whole configuration, for what is no rule, as `servicecomb.loadbalance.filter.…`."""

    own: OwnService
    values: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[type[Policy], tuple[Policy, ...]] = field(default_factory=dict)
    groups: Mapping[str, MatchGroup] = field(default_factory=dict)
    routes: Mapping[str | None, RouteRules] = field(default_factory=dict)
    darklaunches: Mapping[str, DarkLaunch] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    access: AccessList = field(default_factory=lambda: access_list(()))

    def applied(self, kind: type[Kind], request: Request) -> Kind | None:
        """The one policy of a kind that applies to a request; None where none does."""
        found = self.policies.get(kind)
        return applied(cast("tuple[Kind, ...]", found), self.groups, request, self.own) if found else None

    def routes_to(self, service: str) -> RouteRules | None:
        """The route rules for a callee: its own, else those for all."""
        return effective(self.routes.get(service), self.routes.get(None))


def rulebook(own: OwnService, rules: Iterable[Rule], values: Mapping[str, str]) -> Rulebook:
    """Put rules together. Of two settings of one name, as `cse.` and `servicecomb.` write them, the later one counts."""
    found = list(rules)
    policies: dict[type[Policy], list[Policy]] = {}
    for rule in found:
        if isinstance(rule, Policy) and in_scope(rule.services, own.name, own.version):
            policies.setdefault(type(rule), []).append(rule)
    settings = {(one.namespace, one.side, one.scope, one.property): one for one in found if isinstance(one, Setting)}
    return Rulebook(
        own=own,
        values=values,
        policies={kind: tuple(sorted(some, key=lambda one: (one.order, one.name))) for kind, some in policies.items()},
        groups={rule.name: rule for rule in found if isinstance(rule, MatchGroup)},
        routes={rule.service: rule for rule in found if isinstance(rule, RouteRules)},
        darklaunches={rule.service: rule for rule in found if isinstance(rule, DarkLaunch)},
        settings=tuple(settings.values()),
        access=access_list(rule for rule in found if isinstance(rule, AccessPart)),
    )
