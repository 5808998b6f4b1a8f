"""What one run of a load gives: a sample, or the reason why it does not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class LoadFailedError(Exception):
    """A run that does not count; its text says what came instead of good answers, `errors` is how many of them."""

    def __init__(self, text: str, errors: int = 1) -> None:
        self.errors = errors
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Sample:
    """One run that counts. `size` is the mean number of bytes of an answer, head included; `cpu_us` what an answer took of the server.

    `statuses` is how often each was answered, where that was counted.
    """

    count: int
    seconds: float
    p50_ms: float
    p99_ms: float
    size: float = 0.0
    cpu_us: float | None = None
    statuses: Mapping[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.count / self.seconds


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that so large a share of the ordered values does not exceed."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
