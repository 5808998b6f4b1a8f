"""Checking rules takes time, so each is checked once: until it, or who is registered, changes."""

from __future__ import annotations

import pytest

from governance.rules.check import Checked, check
from governance.rules.runtimes import Runtime
from registry.config.records import Draft
from registry.engine import rules
from registry.engine.rules import CheckedItems

RETRY = "servicecomb.retry.a"
OLD = (Runtime("servicecomb-java-chassis", "2.7.9"),)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The values that are really checked."""
    values: list[str] = []

    def counted(key: str, value: str, runtimes: tuple[Runtime, ...], *, value_type: str) -> Checked:
        values.append(value)
        return check(key, value, runtimes, value_type=value_type)

    monkeypatch.setattr(rules, "check", counted)
    return values


def test_an_item_is_checked_again_when_it_or_the_runtimes_change(seen: list[str]) -> None:
    checks, draft = CheckedItems(10), Draft(RETRY, "maxAttempts: 0")
    first = checks.check("a", draft, ())
    assert first.problems
    assert checks.check("a", draft, ()) is first
    assert seen == ["maxAttempts: 0"]
    better = Draft(RETRY, "maxAttempts: 1")
    assert checks.check("a", better, ()).problems == ()
    checks.check("a", better, OLD)
    checks.check("a", better, OLD)
    assert seen == ["maxAttempts: 0", "maxAttempts: 1", "maxAttempts: 1"]


def test_it_keeps_no_more_than_it_may(seen: list[str]) -> None:
    checks = CheckedItems(3)
    drafts = {f"{place}": Draft(RETRY, f"maxAttempts: {place}") for place in range(1, 11)}
    for _ in range(2):
        for name, draft in drafts.items():
            assert checks.check(name, draft, ()).rule is not None
    assert len(seen) == 20, "ten do not fit into three"
    assert len(checks._kept) <= 3
