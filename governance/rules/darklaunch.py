"""Dark launch, `servicecomb.darklaunch.policy.<service>`: the older gray release, in JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from ruamel.yaml.nodes import Node

from governance.rules.problems import Code, Notes, Path
from governance.rules.reading import by, choice, flag, list_of, read_record, record_of, some_text

_OPERATORS = (">=", "<=", "!=", "=", ">", "<", "~")
_NUMBER = re.compile(r"[-+]?[0-9]{1,300}(?:\.[0-9]{1,300})?")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A key with an operator and values, of which one must hold; with != all must."""

    key: str
    operator: str
    values: tuple[str, ...]

    def holds(self, facts: Mapping[str, str], *, fold: bool) -> bool:
        """Whether it holds for facts; a key that they do not have never does."""
        actual = facts.get(self.key)
        if actual is None:
            return False
        held = [_holds(self.operator, _folded(actual, fold), _folded(value, fold)) for value in self.values]
        return all(held) if self.operator == "!=" else any(held)


def _folded(text: str, fold: bool) -> str:
    return text.lower() if fold else text


def _holds(operator: str, actual: str, value: str) -> bool:
    if operator == "~":
        return _like(actual, value)
    if _NUMBER.fullmatch(actual) and _NUMBER.fullmatch(value):
        return _ordered(operator, (float(actual) > float(value)) - (float(actual) < float(value)))
    return _ordered(operator, (actual > value) - (actual < value))


def _ordered(operator: str, order: int) -> bool:
    match operator:
        case "=":
            return order == 0
        case "!=":
            return order != 0
        case ">=":
            return order >= 0
        case "<=":
            return order <= 0
        case ">":
            return order > 0
    return order < 0


def _like(actual: str, pattern: str) -> bool:
    """`*` stands for any characters and `?` for one. What stands between two stars is looked for once, from left to right."""
    first, *others = _segments(pattern)
    if not others:
        return first.fullmatch(actual) is not None
    begin, end = first.match(actual), len(actual) - len(pattern.rpartition("*")[2])
    if begin is None or end < begin.end() or others[-1].match(actual, end) is None:
        return False
    at = begin.end()
    for segment in others[:-1]:
        found = segment.search(actual, at, end)
        if found is None:
            return False
        at = found.end()
    return True


@lru_cache(maxsize=256)
def _segments(pattern: str) -> tuple[re.Pattern[str], ...]:
    """What stands between the stars of a pattern. Nothing in it is repeated, so nothing in it is slow."""
    return tuple(
        re.compile("".join("." if one == "?" else re.escape(one) for one in segment), re.DOTALL)
        for segment in pattern.split("*")
    )


@dataclass(frozen=True, slots=True)
class Expression:
    """Comparisons that must all hold (`&&`), or one of them (`||`)."""

    comparisons: tuple[Comparison, ...]
    every: bool = True

    def holds(self, facts: Mapping[str, str], *, fold: bool = False) -> bool:
        """Whether it holds for facts."""
        held = (comparison.holds(facts, fold=fold) for comparison in self.comparisons)
        return all(held) if self.every else any(held)


def parse_expression(text: str) -> Expression:
    """Raises `ValueError`."""
    if "&&" in text and "||" in text:
        raise ValueError("&& and || are mixed, so write one of the two")
    joiner = "||" if "||" in text else "&&"
    return Expression(tuple(_comparison(part) for part in text.split(joiner)), joiner == "&&")


def _comparison(text: str) -> Comparison:
    for operator in _OPERATORS:
        key, found, value = text.partition(operator)
        if found and key.strip() and value.strip():
            return Comparison(key.strip(), operator, tuple(one.strip() for one in value.split(",")))
    raise ValueError(
        f"{text.strip()[:100]!r} is no comparison, so write name=value or another of {' '.join(_OPERATORS)}"
    )


@dataclass(frozen=True)
class DarkItem:
    """A group of instances, and who goes to it: an expression, or a share in percent."""

    group_name: str = field(metadata=by(some_text, "for people"))
    group_condition: str = field(metadata=by(some_text, "expression on version and properties: which instances"))
    policy_condition: str = field(
        metadata=by(some_text, "expression on parameters and context, or percent: which requests")
    )
    case_insensitive: bool = field(default=False, metadata=by(flag, "upper and lower case are the same"))

    @cached_property
    def instances(self) -> Expression:
        """Which instances are of the group."""
        return parse_expression(self.group_condition)

    @cached_property
    def requests(self) -> Expression:
        """Which requests go there, where the policy is by expression."""
        return parse_expression(self.policy_condition)


@dataclass(frozen=True, slots=True)
class DarkLaunch:
    """A callee's groups. Instances of none are the default group, and requests that are for none go there."""

    service: str
    policy_type: str = field(metadata=by(choice("RULE", "RATE"), "by expression, or by share"))
    rule_items: tuple[DarkItem, ...] = field(
        metadata=by(list_of(record_of(DarkItem), empty=False), "groups of instances")
    )

    def group_of_rate(self, chance: int) -> str | None:
        """The group for a random number from 0 to 99; None is the default group."""
        for item in self.rule_items:
            share = int(item.policy_condition)
            if chance < share:
                return item.group_name
            chance -= share
        return None

    def group_of_request(self, facts: Mapping[str, str]) -> str | None:
        """The group for a request by its parameters and context; None is the default group."""
        for item in self.rule_items:
            if item.requests.holds(facts, fold=item.case_insensitive):
                return item.group_name
        return None

    def group_of_instance(self, facts: Mapping[str, str]) -> str | None:
        """The group of an instance by its version and properties; None is the default group."""
        for item in self.rule_items:
            if item.instances.holds(facts, fold=item.case_insensitive):
                return item.group_name
        return None


def read_darklaunch(service: str, node: Node, notes: Notes) -> DarkLaunch | None:
    """The policy of a node; None where something is in error."""
    found = read_record(DarkLaunch, node, notes, (), service=service)
    if found is None:
        return None
    for index, item in enumerate(found.rule_items):
        path: Path = ("ruleItems", index)
        _check_expression(item.group_condition, notes, (*path, "groupCondition"))
        if found.policy_type == "RULE":
            _check_expression(item.policy_condition, notes, (*path, "policyCondition"))
        else:
            _check_share(item.policy_condition, notes, (*path, "policyCondition"))
    if found.policy_type == "RATE" and not notes.failed:
        total = sum(int(item.policy_condition) for item in found.rule_items)
        if total > 100:
            notes.error(
                ("ruleItems",), Code.SUM, f"the shares add up to {total}", "write shares of at most 100 together"
            )
    return found


def _check_expression(text: str, notes: Notes, path: Path) -> None:
    try:
        parse_expression(text)
    except ValueError as error:
        why, _, instead = str(error).partition(", so ")
        notes.error(path, Code.EXPRESSION, why, instead)


def _check_share(text: str, notes: Notes, path: Path) -> None:
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > 100:
        notes.error(path, Code.RANGE, f"{text[:100]!r} is no share in percent", "write a number from 0 to 100")
