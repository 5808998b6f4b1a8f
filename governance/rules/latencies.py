"""Latencies as counts of calls in buckets: what both sides of a report mean by a bucket.

Each bucket is a ninth wider than the one before, from a millisecond to a minute, so that a percentile is told to within a tenth.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping

_A_DOUBLING = 8
_DOUBLINGS = 16
BOUNDS = tuple(2 ** (step / _A_DOUBLING) for step in range(_A_DOUBLING * _DOUBLINGS + 1))
"""Milliseconds up to which the calls of each bucket take; one more bucket is for all that take longer."""
LAST = len(BOUNDS)
"""The number of that last bucket."""


def bucket_of(milliseconds: float) -> int:
    """The bucket of a call."""
    return bisect_left(BOUNDS, milliseconds)


def quantile(calls: Mapping[int, int], share: float) -> float:
    """The milliseconds within which a share of the calls (0.99 for the 99th percentile) were answered; 0 where there are none.

    What takes longer than the last bound counts as that.
    """
    rank = math.ceil(share * sum(calls.values()))
    for bucket in sorted(calls):
        if 0 < rank <= calls[bucket]:
            low, high = BOUNDS[bucket - 1] if bucket else 0.0, BOUNDS[min(bucket, LAST - 1)]
            return low + (high - low) * rank / calls[bucket]
        rank -= calls[bucket]
    return 0.0
