"""What services report of themselves: what became of the calls that consumers made, and documents for dashboards.

It does no I/O and has no clock: the second of now is an argument. Reports of outcomes may come twice and in any order; the sums are the
same. Documents of one instance merge: the union of their interfaces, of which the newest counts.
"""

from __future__ import annotations

from registry.monitor.dashboard import Bounds, Dashboard
from registry.monitor.monitor import Monitor
from registry.monitor.outcomes import Outcome, VersionKey

__all__ = ["Bounds", "Dashboard", "Monitor", "Outcome", "VersionKey"]
