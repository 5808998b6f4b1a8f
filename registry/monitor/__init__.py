"""What services report of themselves, kept for a minute: what became of the calls that consumers made.

It does no I/O and has no clock: the second of now is an argument. Reports may come twice and in any order; the sums are the same.
"""

from __future__ import annotations

from registry.monitor.monitor import Monitor
from registry.monitor.outcomes import Callee, Outcome

__all__ = ["Callee", "Monitor", "Outcome"]
