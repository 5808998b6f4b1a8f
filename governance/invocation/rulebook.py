"""The rules of one moment, as one service reads them: made once, asked at every call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from governance.rules.access import AccessList, AccessPart, access_list
from governance.rules.check import Rule
from governance.rules.darklaunch import DarkLaunch
from governance.rules.distribution import effective
from governance.rules.legacy import Setting, Settings
from governance.rules.marker import MatchGroup, Request
from governance.rules.policies import KINDS, Policy
from governance.rules.routes import RouteRules
from governance.rules.security import SecurityPart, SecurityPolicy, security_policy
from governance.rules.selection import Choices, OwnService

Kind = TypeVar("Kind", bound=Policy)
_KIND_OF = {policy: kind for kind, policy in reversed([*KINDS.items()])}
_LIFTED = "servicecomb.router.header"


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
    settings: Settings = field(default_factory=Settings)
    access: AccessList = field(default_factory=lambda: access_list(()))
    security: SecurityPolicy = field(default_factory=SecurityPolicy)
    choices: Mapping[type[Policy], Choices[Policy]] = field(default_factory=dict)
    lifted: frozenset[str] = frozenset()
    """Names, in lower case, of the headers that route rules ask for: a request's go along with the calls that it leads to."""
    asks_queries: bool = False
    """Whether any rule asks for parameters of the query."""

    narrow: frozenset[str] = frozenset()
    """Scopes of older keys that are narrower than a service."""

    def applied(self, kind: type[Kind], request: Request) -> Kind | None:
        """The one policy of a kind that applies to a request; None where none does."""
        found = self.choices.get(kind)
        return cast("Kind | None", found.applied(request)) if found is not None else None

    def routes_to(self, service: str) -> RouteRules | None:
        """The route rules for a callee: its own, else those for all."""
        return effective(self.routes.get(service), self.routes.get(None))

    @property
    def asks_callers(self) -> bool:
        """Whether any rule asks who calls."""
        return bool(self.access.white or self.access.black or self.security.mode)

    def names_operations(self, service: str) -> bool:
        """Whether an older key is for a part of a service alone."""
        return any(scope.startswith(f"{service}.") for scope in self.narrow)


def rulebook(own: OwnService, rules: Iterable[Rule], values: Mapping[str, str]) -> Rulebook:
    """Put rules together. Of two settings of one name, as `cse.` and `servicecomb.` write them, the later one counts."""
    found = list(rules)
    policies: dict[type[Policy], list[Policy]] = {}
    for rule in found:
        if isinstance(rule, Policy):
            policies.setdefault(type(rule), []).append(rule)
    groups = {rule.name: rule for rule in found if isinstance(rule, MatchGroup)}
    routes = {rule.service: rule for rule in found if isinstance(rule, RouteRules)}
    launches = {rule.service: rule for rule in found if isinstance(rule, DarkLaunch)}
    return Rulebook(
        own=own,
        values=values,
        policies={kind: tuple(some) for kind, some in policies.items()},
        groups=groups,
        routes=routes,
        darklaunches=launches,
        settings=Settings(rule for rule in found if isinstance(rule, Setting)),
        access=access_list(rule for rule in found if isinstance(rule, AccessPart)),
        security=security_policy(rule for rule in found if isinstance(rule, SecurityPart)),
        choices={kind: Choices(some, groups, own) for kind, some in policies.items()},
        narrow=frozenset(rule.scope for rule in found if isinstance(rule, Setting) and "." in rule.scope),
        lifted=_lifted(routes.values(), values),
        asks_queries=_asks_queries(groups.values(), routes.values(), launches.values()),
    )


def _lifted(routes: Iterable[RouteRules], values: Mapping[str, str]) -> frozenset[str]:
    matches = [rule.match for found in routes for rule in found.rules if rule.match is not None]
    asked = {name for match in matches for name in (*match.headers, *match.http_headers)}
    configured = {name.strip() for name in values.get(_LIFTED, "").split(",") if name.strip()}
    return frozenset(name.lower() for name in asked | configured)


def _asks_queries(groups: Iterable[MatchGroup], routes: Iterable[RouteRules], launches: Iterable[DarkLaunch]) -> bool:
    matches = [match for group in groups for match in group.matches]
    matches += [rule.match for found in routes for rule in found.rules if rule.match is not None]
    # The names in a dark launch may be those of parameters, of headers, or of the context.
    return any(match.queries for match in matches) or any(launch.policy_type == "RULE" for launch in launches)
