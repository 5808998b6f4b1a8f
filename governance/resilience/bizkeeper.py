"""What the older keys isolation, circuitBreaker, fallback and fallbackpolicy say for one operation (governance.md 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from governance.invocation.rulebook import Rulebook
from governance.resilience.older import Callee, OlderRule, Side, state_key
from governance.resilience.rolling_breaker import BreakerRule
from governance.rules.legacy import Settings, Value, setting_of

_NAMES = {
    "isolation": ("timeout.enabled", "timeoutInMilliseconds", "maxConcurrentRequests"),
    "circuitBreaker": (
        "enabled", "forceOpen", "forceClosed", "sleepWindowInMilliseconds", "requestVolumeThreshold", "errorThresholdPercentage",
    ),
    "fallback": ("enabled", "force", "maxConcurrentRequests"),
    "fallbackpolicy": ("policy",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bizkeeper:
    """`timeout` is in seconds, None where there is none. `policy` is empty where none is set. A state lasts as long as `breaker` does."""

    timeout: float | None
    most_calls: int
    breaker: OlderRule[BreakerRule]
    falls_back: bool
    force: bool
    policy: str


def read_bizkeeper(book: Rulebook, side: Side, callee: Callee) -> Bizkeeper | None:
    """What is to be done at calls of an operation; None where no key names it, its service or the side."""
    if side == "Provider":
        callee = (book.own.name, *callee[1:])
    if not _is_named(book.settings, side, callee):
        return None
    isolation, breaker, fallback, policy = (_of(book.settings, namespace, side, callee) for namespace in _NAMES)
    return Bizkeeper(
        timeout=int(isolation["timeoutInMilliseconds"] or 0) / 1000 if isolation["timeout.enabled"] else None,
        most_calls=int(isolation["maxConcurrentRequests"] or 0),
        breaker=OlderRule(
            state_key("bizkeeper", side, callee),
            _breaker(breaker),
            lambda now: _is_named(now.settings, side, callee),
        ),
        # Each fallback is over at once, so that there are never two of them; only a bound of zero has an effect.
        falls_back=bool(fallback["enabled"]) and bool(fallback["maxConcurrentRequests"]),
        force=bool(fallback["force"]),
        policy=str(policy["policy"] or ""),
    )


def _is_named(settings: Settings, side: Side, callee: Callee) -> bool:
    scopes = (".".join(callee), callee[0], "")
    keys = (settings.scopes(namespace, side, name) for namespace, names in _NAMES.items() for name in names)
    return any(scope in found for found in keys for scope in scopes)


def _of(settings: Settings, namespace: str, side: Side, callee: Callee) -> dict[str, Value | None]:
    return {name: setting_of(settings, namespace, side, name, callee) for name in _NAMES[namespace]}


def _breaker(found: dict[str, Value | None]) -> BreakerRule:
    return BreakerRule(
        enabled=bool(found["enabled"]),
        force_open=bool(found["forceOpen"]),
        force_closed=bool(found["forceClosed"]),
        sleep_window=int(found["sleepWindowInMilliseconds"] or 0),
        request_volume=int(found["requestVolumeThreshold"] or 0),
        error_threshold=int(found["errorThresholdPercentage"] or 0),
    )
