"""Which policy of a kind applies to a request: exactly one, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from governance.rules.marker import MatchGroup, Request, group_matches, in_scope
from governance.rules.policies import Policy

Kind = TypeVar("Kind", bound=Policy)


@dataclass(frozen=True, slots=True)
class OwnService:
    """The service that reads the rules, and that their `services` may name."""

    name: str
    version: str = ""


def applied(
    policies: Iterable[Kind], groups: Mapping[str, MatchGroup], request: Request, own: OwnService
) -> Kind | None:
    """The policy, of those of one kind, that applies: the lowest order first, then by name. `groups` are the match groups by name."""
    for policy in sorted(policies, key=lambda one: (one.order, one.name)):
        group = groups.get(policy.name)
        if (
            group is not None
            and in_scope(policy.services, own.name, own.version)
            and in_scope(group.services, own.name, own.version)
            and group_matches(group, request)
        ):
            return policy
    return None
