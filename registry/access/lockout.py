"""Lock-outs: who guesses passwords has to wait. Protocol: Service Center section 14.4.

What is locked is a name *from one address*, so that nobody locks others out. Kept in memory only and bounded; times are unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

_BURST = 2.0
_REFILL_SECONDS = 15 * 60
_BAN_SECONDS = 15 * 60
_RETAIN_SECONDS = 20 * 60
_MOST = 10_000
ATTEMPTED = "attempted"
BANNED = "banned"


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: int
    status: str = ATTEMPTED
    release_at: int = 0


class Lockouts:
    """A bucket of attempts for every `name::address`: two failures are free, one more comes back in a quarter of an hour."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def banned(self, key: str, now: int) -> bool:
        """Whether even the right password is refused."""
        bucket = self._buckets.get(key)
        return bucket is not None and bucket.status == BANNED and now < bucket.release_at

    def failed(self, key: str, now: int) -> None:
        """Note a wrong password; the third locks. A right one takes none of them back."""
        bucket = self._buckets.pop(key, None) or _Bucket(_BURST, now)
        bucket.tokens = min(_BURST, bucket.tokens + max(now - bucket.at, 0) / _REFILL_SECONDS)
        bucket.at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            bucket.status, bucket.release_at = ATTEMPTED, now + _RETAIN_SECONDS
        else:
            bucket.status, bucket.release_at = BANNED, now + _BAN_SECONDS
        if len(self._buckets) >= _MOST:
            self._make_room()
        self._buckets[key] = bucket

    def listed(self, now: int) -> list[dict[str, object]]:
        """What the API shows; what is over is not shown."""
        return [
            {"key": key, "status": bucket.status, "releaseAt": bucket.release_at}
            for key, bucket in self._buckets.items()
            if now < bucket.release_at
        ]

    def _make_room(self) -> None:
        """Forget the oldest attempt; one that is locked only where all are."""
        attempts = (key for key, bucket in self._buckets.items() if bucket.status == ATTEMPTED)
        del self._buckets[next(attempts, next(iter(self._buckets)))]
