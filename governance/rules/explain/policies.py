"""Which policy of each kind applies to a request, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from governance.rules.explain.model import Considered, Read, Verdict
from governance.rules.explain.reasons import Groups, group_fit, group_misses, scope_miss, shown
from governance.rules.marker import MatchGroup, Request
from governance.rules.policies import Policy
from governance.rules.printing import print_rule
from governance.rules.problems import Code, Severity
from governance.rules.runtimes import JAVA
from governance.rules.selection import OwnService, applied


def groups_of(reads: Sequence[Read]) -> Groups:
    """The match groups of a process by name."""
    rules = [read.checked.rule for read in reads]
    return {rule.name: rule for rule in rules if isinstance(rule, MatchGroup)}


def considered(read: Read, verdict: Verdict, why: str, does: str = "") -> Considered:
    """A rule with what became of it. One that the process's runtime does not know is not obeyed, whatever it says."""
    unread = not_read(read)
    if verdict is Verdict.APPLIES and unread:
        verdict, why = Verdict.SKIPPED, unread
    kind, name = read.key.kind, read.key.name.removeprefix(f"{read.key.kind}.")
    return Considered(kind, name, verdict, why, read.item, does, problems=read.checked.problems)


def not_read(read: Read) -> str:
    """Why the runtime of the process that reads a rule does not obey it; empty where it does."""
    java = read.runtime is not None and read.runtime.family in JAVA
    for one in read.checked.problems:
        unsupported = one.code is Code.UNSUPPORTED and one.runtimes
        if one.whole and (unsupported or (one.code is Code.NO_EFFECT and java)):
            return one.text
    return ""


def wrong(reads: Sequence[Read], kinds: Sequence[str]) -> Iterator[Considered]:
    """The rules of some kinds that have errors: for a client they are not there."""
    for read in reads:
        if read.key.kind in kinds and read.checked.rule is None:
            error = next((one for one in read.checked.problems if one.severity is Severity.ERROR), None)
            why = f"{error.at}: {error.text}" if error is not None else "it is no rule"
            yield considered(read, Verdict.WRONG, why)


def unread(reads: Sequence[Read], kinds: Sequence[str]) -> Iterator[Considered]:
    """The rules of some kinds that the process's runtime does not obey."""
    for read in reads:
        if read.key.kind in kinds and not_read(read):
            yield considered(read, Verdict.SKIPPED, not_read(read))


def explain_policies(
    reads: Sequence[Read], kinds: Sequence[str], request: Request, own: OwnService
) -> Iterator[Considered]:
    """The policies of some kinds, kind by kind in that order, each kind in the order in which its policies are tried."""
    groups = groups_of(reads)
    for kind in kinds:
        of_kind = [(read, read.checked.rule) for read in reads if read.key.kind == kind]
        policies = [(read, rule) for read, rule in of_kind if isinstance(rule, Policy)]
        chosen = applied([rule for _, rule in policies], groups, request, own)
        for read, policy in sorted(policies, key=lambda pair: (pair[1].order, pair[1].name)):
            if policy is chosen:
                yield considered(read, Verdict.APPLIES, group_fit(groups[policy.name], request), _does(policy))
            else:
                yield considered(read, Verdict.SKIPPED, _why_not(policy, chosen, groups, request, own), _does(policy))
        yield from wrong([read for read in reads if read.key.legacy is None], (kind,))


def _does(policy: Policy) -> str:
    return shown(", ".join(print_rule(policy).replace("{}", "").splitlines())) or "defaults"


def _why_not(
    policy: Policy, chosen: Policy | None, groups: Mapping[str, MatchGroup], request: Request, own: OwnService
) -> str:
    group = groups.get(policy.name)
    if group is None:
        return f"servicecomb.matchGroup.{shown(policy.name)} is missing or wrong"
    outside = scope_miss(policy.services, own) or scope_miss(group.services, own)
    if outside:
        return outside
    if chosen is not None and group_fit(group, request):
        return f"{shown(chosen.name)} goes first (order {chosen.order}, this has {policy.order})"
    return f"the request is not of its group: {group_misses(group, request)}"
