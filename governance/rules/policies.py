"""The policies of rule governance, `servicecomb.<kind>.<name>`, with their defaults and bounds. Durations are in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from governance.rules.durations import parse_duration
from governance.rules.problems import Code, Notes
from governance.rules.reading import (
    by,
    choice,
    duration,
    flag,
    list_of,
    mapping_by,
    number,
    some_text,
    status,
    text,
    unless_empty,
    whole,
)

_FAILURES = ("502", "503")
_LOWEST = -(2**31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What all kinds have. Of those that apply to a request, the one with the lowest order does; of equal ones, the first by name."""

    name: str
    services: str = field(
        default="",
        metadata=by(
            text,
            "which services obey: name or name:version, with commas and without blanks; everyone where it is empty",
        ),
    )
    order: int = field(default=0, metadata=by(whole(_LOWEST), "lower goes first; of equal ones, the first by name"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimiting(Policy):
    """So many calls in a period; one that would wait longer than the timeout is refused.

    The last two fields are go-chassis's alone: the marker whose requests it limits, and the calls above the rate that still pass.
    """

    rate: int = field(default=1000, metadata=by(whole(1), "calls in a period"))
    limit_refresh_period: int = field(default=1000, metadata=by(unless_empty(duration(1)), "the period"))
    timeout_duration: int = field(default=0, metadata=by(unless_empty(duration(0)), "how long a call may wait"))
    match: str = field(
        default="", metadata=by(text, "go-chassis alone: the marker whose requests are limited, or none")
    )
    burst: int = field(default=0, metadata=by(whole(0), "go-chassis alone: calls above the rate that still pass"))


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierRateLimiting(RateLimiting):
    """The same for each value of a header; without the header there is no limit. Go-chassis does not know it."""

    identifier: str = field(metadata=by(some_text, "name of the header"))
    match: str = ""
    burst: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(Policy):
    """Further tries after the first. Wait n is `initial_interval * multiplier ** (n - 1)` with the strategy RandomBackoff."""

    max_attempts: int = field(default=3, metadata=by(whole(1), "further tries"))
    wait_duration: int = field(
        default=1, metadata=by(unless_empty(duration(0)), "between tries; never below a millisecond")
    )
    retry_on_response_status: tuple[str, ...] = field(
        default=_FAILURES, metadata=by(list_of(status), "statuses; x is any digit, as 5xx")
    )
    retry_strategy: str = field(
        default="FixedInterval",
        metadata=by(
            unless_empty(choice("FixedInterval", "RandomBackoff")),
            "which of the waits counts",
        ),
    )
    initial_interval: int = field(
        default=1000, metadata=by(unless_empty(duration(10)), "RandomBackoff: the first wait")
    )
    multiplier: float = field(
        default=2.0, metadata=by(number(0), "RandomBackoff: each wait is so many times the one before")
    )
    randomization_factor: float = field(
        default=0.5, metadata=by(number(0, 1), "RandomBackoff: waits differ by this share")
    )
    fail_after_max_attempts: bool = field(
        default=False, metadata=by(flag, "an error even where the last try had an answer")
    )
    retry_on_same: int = field(
        default=0, metadata=by(whole(0), "tries on the same instance; Spring Cloud Huawei alone")
    )

    def __post_init__(self) -> None:
        """An empty list means the default, and no wait is shorter than a millisecond."""
        object.__setattr__(self, "retry_on_response_status", self.retry_on_response_status or _FAILURES)
        object.__setattr__(self, "wait_duration", max(self.wait_duration, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker(Policy):
    """Opens when the share of failures or of slow calls reaches its threshold, in percent. One for all requests of its group."""

    failure_rate_threshold: float = field(
        default=50.0, metadata=by(number(0, 100), "percent of failures at which it opens")
    )
    slow_call_rate_threshold: float = field(
        default=100.0, metadata=by(number(0, 100), "percent of slow calls at which it opens")
    )
    slow_call_duration_threshold: int = field(
        default=60_000, metadata=by(unless_empty(duration(1)), "from when a call is slow")
    )
    minimum_number_of_calls: int = field(default=100, metadata=by(whole(1), "calls before it judges"))
    sliding_window_type: str = field(
        default="TIME_BASED",
        metadata=by(unless_empty(choice("TIME_BASED", "COUNT_BASED")), "what the window's size is"),
    )
    sliding_window_size: str = field(default="100", metadata=by(unless_empty(text), "seconds (10, 10S), or calls"))
    permitted_number_of_calls_in_half_open_state: int = field(
        default=10, metadata=by(whole(1), "trial calls after the wait")
    )
    wait_duration_in_open_state: int = field(
        default=60_000, metadata=by(unless_empty(duration(1)), "how long it is open before trial calls")
    )
    record_failure_status: tuple[str, ...] = field(
        default=_FAILURES, metadata=by(list_of(status), "statuses that are failures; x is any digit")
    )
    force_open: bool = field(
        default=False, metadata=by(flag, "of instanceIsolation alone; has no effect on a circuitBreaker")
    )
    force_closed: bool = field(
        default=False, metadata=by(flag, "of instanceIsolation alone; has no effect on a circuitBreaker")
    )

    def __post_init__(self) -> None:
        """An empty list means the default."""
        object.__setattr__(self, "record_failure_status", self.record_failure_status or _FAILURES)

    @property
    def window(self) -> int:
        """Calls, or seconds where the type is TIME_BASED. Raises `ValueError` where the size is none."""
        size = self.sliding_window_size
        if size.isascii() and size.isdigit() and len(size) <= 9:
            found = int(size)
        elif self.sliding_window_type == "TIME_BASED" and not size.isdigit():
            found = parse_duration(size) // 1000
        else:
            raise ValueError(f"{size!r} is no number")
        if found < 1:
            raise ValueError("a window has at least one call or second")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceIsolation(CircuitBreaker):
    """A breaker for each instance that is called; an instance whose breaker is open is put aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulkhead(Policy):
    """So many calls at once; further ones wait for a place, and are refused after the wait."""

    max_concurrent_calls: int = field(default=1000, metadata=by(whole(0), "calls at once"))
    max_wait_duration: int = field(
        default=0, metadata=by(unless_empty(duration(0)), "how long a call may wait for its place")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceBulkhead(Bulkhead):
    """A bulkhead for each instance that is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInjection(Policy):
    """Delays or fails a share of calls, in percent; -1 is off."""

    type: str = field(default="delay", metadata=by(choice("delay", "abort"), "what happens"))
    # Java takes an empty text for -1 here, and drops the rule.
    delay_time: int = field(default=0, metadata=by(duration(0), "delay: how long"))
    percentage: int = field(default=-1, metadata=by(whole(-1, 100), "share of calls; -1 is off"))
    error_code: int = field(default=500, metadata=by(whole(200, 600), "abort: the status"))
    fallback_type: str = field(
        default="ThrowException",
        metadata=by(choice("ThrowException", "ReturnNull"), "abort: an error, or 200 without a body"),
    )
    force_closed: bool = field(default=False, metadata=by(flag, "off"))

    def fires(self, call: int) -> bool:
        """Whether the call of this number, from 1, is one of the share."""
        if self.force_closed or self.percentage < 0:
            return False
        return call * self.percentage // 100 != (call - 1) * self.percentage // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalance(Policy):
    """How an instance is chosen."""

    rule: str = field(
        default="RoundRobin",
        metadata=by(
            choice("RoundRobin", "Random", "WeightedResponse", "SessionStickiness"), "how an instance is chosen"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapper(Policy):
    """What of a request goes into its context: `$U` path, `$M` method, `$H{name}` header, `$Q{name}` query; all else stands for itself."""

    target: Mapping[str, str] = field(
        default_factory=dict,
        metadata=by(
            mapping_by(text), "key of the context: $U path, $M method, $H{name} header, $Q{name} query, or a text"
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimiter(Policy):
    """How long a call may take."""

    timeout_duration: int = field(default=1000, metadata=by(unless_empty(duration(1)), "how long a call may take"))
    cancel_running_future: bool = field(default=True, metadata=by(flag, "whether the call is given up"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache(Policy):
    """How long answers are kept, how many, and how many threads may write at once."""

    ttl: int = field(
        default=21_600_000, metadata=by(unless_empty(duration(0)), "how long an answer is kept; six hours")
    )
    maximum_size: int = field(default=60_000, metadata=by(whole(0), "answers"))
    concurrency_level: int = field(default=8, metadata=by(whole(1), "threads that write at once"))


KINDS: Mapping[str, type[Policy]] = {
    "rateLimiting": RateLimiting,
    "identifierRateLimiting": IdentifierRateLimiting,
    "retry": Retry,
    "circuitBreaker": CircuitBreaker,
    "instanceIsolation": InstanceIsolation,
    "bulkhead": Bulkhead,
    "instanceBulkhead": InstanceBulkhead,
    "faultInjection": FaultInjection,
    "loadbalance": LoadBalance,
    "mapper": Mapper,
    "contextMapper": Mapper,
    "timeLimiter": TimeLimiter,
    "cache": Cache,
}
"""By the kind in a key."""


@lru_cache(maxsize=4096)
def status_matches(patterns: tuple[str, ...], status: int) -> bool:
    """Whether a status is one of a list; x stands for any digit."""
    written = str(status)
    return any(
        len(pattern) == len(written) and all(a in ("x", b) for a, b in zip(pattern, written, strict=True))
        for pattern in patterns
    )


def check_window(policy: Policy, notes: Notes) -> None:
    """The size of a breaker's window is calls or seconds, by its type."""
    if not isinstance(policy, CircuitBreaker):
        return
    try:
        _ = policy.window
    except ValueError:
        what = "seconds, as 10 or 10S" if policy.sliding_window_type == "TIME_BASED" else "a number of calls"
        why = f"slidingWindowSize is {policy.sliding_window_size[:100]!r}"
        notes.error(("slidingWindowSize",), Code.RANGE, why, f"write {what}, 1 or more")
