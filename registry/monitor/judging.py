"""Whether a gray release keeps its bounds."""

from __future__ import annotations

from governance.rules.objects.gray import RUNNING, GrayRelease
from registry.monitor.outcomes import Sums


def is_judged(release: GrayRelease) -> bool:
    """Whether a release has bounds, and the new version gets requests."""
    bounds = release.max_error_rate is not None or release.max_latency is not None
    return bounds and release.state == RUNNING and bool(release.by_content or release.gray_share)


def broken(release: GrayRelease, sums: Sums, seconds: int) -> str:
    """Which bound the new version breaks by its calls of so many seconds, for people; empty where it breaks none or too few are known."""
    if sums.calls < release.min_calls:
        return ""
    of = f"of {sums.calls} calls in {seconds} s is"
    if release.max_error_rate is not None and sums.error_rate > release.max_error_rate:
        return f"error rate {sums.error_rate:.3g} % {of} above {release.max_error_rate:g} %"
    took = sums.mean if release.latency == "mean" else sums.p99
    if release.max_latency is not None and took > release.max_latency:
        what = "mean latency" if release.latency == "mean" else "99th percentile of the latency"
        return f"{what} {took:.0f} ms {of} above {release.max_latency} ms"
    return ""
