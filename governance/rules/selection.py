"""Which policy of a kind applies to a request: exactly one, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from governance.rules.marker import MatchGroup, Request, in_scope
from governance.rules.policies import Policy

Kind = TypeVar("Kind", bound=Policy)


@dataclass(frozen=True, slots=True)
class OwnService:
    """The service that reads the rules, and that their `services` may name."""

    name: str
    version: str = ""


class Choices(Generic[Kind]):
    """The policies of one kind that a service obeys, ready to be chosen from: made once for many requests.

    The lowest order goes first, then the name. `groups` are the match groups by name.
    """

    def __init__(self, policies: Iterable[Kind], groups: Mapping[str, MatchGroup], own: OwnService) -> None:
        pairs = [(one, groups[one.name]) for one in policies if one.name in groups]
        pairs.sort(key=lambda pair: (pair[0].order, pair[0].name))
        self._pairs = [pair for pair in pairs if all(in_scope(rule.services, own.name, own.version) for rule in pair)]

    def applied(self, request: Request) -> Kind | None:
        """The one policy that applies to a request."""
        for policy, group in self._pairs:
            if group.holds(request):
                return policy
        return None


def applied(
    policies: Iterable[Kind], groups: Mapping[str, MatchGroup], request: Request, own: OwnService
) -> Kind | None:
    """The policy, of those of one kind, that applies to one request; for many requests, make `Choices` once."""
    return Choices(policies, groups, own).applied(request)
