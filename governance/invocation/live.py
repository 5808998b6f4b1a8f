"""The rules as they are now: read again when the configuration changes, with the state of each policy while that stays the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar, cast, runtime_checkable

from governance.invocation.measures import Measured
from governance.invocation.rulebook import Rulebook, kind_of, rulebook
from governance.logs import logger
from governance.rules.check import Checked, check, rule_key
from governance.rules.policies import Policy
from governance.rules.problems import Severity
from governance.rules.selection import OwnService

MOST_PROCESSORS = 10_000
"""States that are kept at once: limiters of callers, breakers of instances. The one that was not used for longest goes first."""
_Processor = TypeVar("_Processor", bound=Measured)
log = logger(__name__)


@runtime_checkable
class Passing(Protocol):
    """A rule that is no policy, and that says itself whether it is still there."""

    def is_in(self, book: Rulebook) -> bool:
        """Whether these rules have it."""


class LiveRules:
    """The rules of one service. What is in error counts for nothing, and is told once."""

    def __init__(self, own: OwnService) -> None:
        self._own = own
        self._checked: dict[str, tuple[str, Checked]] = {}
        self._processors: OrderedDict[str, tuple[object, Measured]] = OrderedDict()
        self.book = Rulebook(own)
        """The rules of this moment. A call looks here anew at each stage, so a change counts for calls under way, too."""

    def update(self, values: Mapping[str, str]) -> None:
        """The configuration has changed and is this now. Texts that stayed as they were are not read again."""
        keys = [key for key in values if rule_key(key) is not None]
        before, self._checked = self._checked, {}
        # What begins with servicecomb. comes last, so that it counts.
        for key in sorted(keys):
            known = before.get(key)
            if known is None or known[0] != values[key]:
                known = (values[key], check(key, values[key]))
                _tell(key, known[1])
            self._checked[key] = known
        rules = [checked.rule for _, checked in self._checked.values() if checked.rule is not None]
        self.book = rulebook(self._own, rules, values)
        self._dispose()

    def processor(self, policy: Policy, make: Callable[[], _Processor], suffix: str = "") -> _Processor:
        """The state of a policy, and of whom the suffix names: a caller, or `service.instance`. It begins anew when the policy changes."""
        key = f"servicecomb.{kind_of(type(policy))}.{policy.name}{'.' if suffix else ''}{suffix}"
        return self.state(key, policy, make)

    def state(self, key: str, rule: object, make: Callable[[], _Processor]) -> _Processor:
        """The state under a key, for as long as the rule that it is of stays equal. `key` is its name in metrics."""
        found = self._processors.get(key)
        if found is not None and (found[0] is rule or found[0] == rule):
            self._processors.move_to_end(key)
            return cast(_Processor, found[1])
        made = make()
        self._processors[key] = (rule, made)
        self._processors.move_to_end(key)
        if len(self._processors) > MOST_PROCESSORS:
            self._processors.popitem(last=False)
        return made

    def processors(self) -> Iterator[tuple[str, Measured]]:
        """All states with their keys, for metrics."""
        for key, (_, processor) in tuple(self._processors.items()):
            yield key, processor

    def _dispose(self) -> None:
        """States of rules that are gone measure nothing any more."""
        for key, (rule, _) in tuple(self._processors.items()):
            if not self._is_there(rule):
                del self._processors[key]

    def _is_there(self, rule: object) -> bool:
        if isinstance(rule, Policy):
            return rule in self.book.policies.get(type(rule), ())
        return not isinstance(rule, Passing) or rule.is_in(self.book)


def _tell(key: str, checked: Checked) -> None:
    wrong = [problem for problem in checked.problems if problem.severity is Severity.ERROR]
    if wrong:
        log.warning("rule.ignored", key=key, error=str(wrong[0]), more=len(wrong) - 1)
