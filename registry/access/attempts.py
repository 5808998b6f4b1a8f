"""How often one address may try to sign in: a bucket for each, filled anew within a minute. Bounded; times are in milliseconds."""

from __future__ import annotations

_MINUTE = 60_000
_MOST = 10_000


class Attempts:
    """At most `rate` tries a minute from one address."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._buckets: dict[str, tuple[float, int]] = {}

    def allow(self, address: str, now: int) -> bool:
        """Whether one more try is within the rate; it counts if so."""
        left, at = self._buckets.pop(address, (float(self._rate), now))
        left = min(self._rate, left + max(now - at, 0) * self._rate / _MINUTE)
        allowed = left >= 1
        if len(self._buckets) >= _MOST:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[address] = (left - 1 if allowed else left, now)
        return allowed
