"""How long a retry waits: the same each time, or longer each time and by chance."""

from __future__ import annotations

from governance.rules.policies import Retry

LONGEST = 86_400.0
"""Seconds; no wait is longer."""


def wait_seconds(policy: Retry, further: int, chance: float) -> float:
    """The wait before a further try, from 1. `chance` is from 0 up to 1 and says where within its bounds a random wait is."""
    if policy.retry_strategy != "RandomBackoff":
        return min(policy.wait_duration / 1000, LONGEST)
    middle = _middle(policy, further)
    return min(middle * (1 + policy.randomization_factor * (2 * chance - 1)), LONGEST)


def _middle(policy: Retry, further: int) -> float:
    try:
        return min(float(policy.initial_interval / 1000 * policy.multiplier ** (further - 1)), LONGEST)
    except OverflowError:
        return LONGEST
