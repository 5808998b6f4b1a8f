"""What data for dashboards takes: memory of a fleet after five minutes of documents, and the time of one document.

`python -m benchmarks.dashboards [INSTANCES [INTERFACES]]`; it takes two minutes or three.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from registry.monitor import Bounds, Dashboard, VersionKey
from registry.monitor.uploads import Reading, Resources, Upload

INTERVAL = 10
KEPT = 300
_INSTANCES_OF_A_SERVICE = 10


def main(instances: int = 10_000, interfaces: int = 20) -> None:
    """Print what was measured."""
    dice = random.Random(1)
    dashboard = Dashboard(Bounds(KEPT, instances, interfaces, instances * interfaces))
    before, began = _resident(), time.process_time()
    for second in range(0, KEPT, INTERVAL):
        for number in range(instances):
            key, upload = _document(number, interfaces, dice)
            dashboard.add(key, upload, 1_000_000_000 + second, lambda _name: False)
    seconds = time.process_time() - began
    taken = _resident() - before
    each = taken / (instances * interfaces)
    print(f"{instances} instances of {interfaces} interfaces, {KEPT // INTERVAL} points each")
    print(f"memory {taken / 2**20:.0f} MiB, {each:.0f} bytes for an interface")
    print(f"a document {seconds / dashboard.documents * 1e6:.0f} us, with its making")


def _document(number: int, interfaces: int, dice: random.Random) -> tuple[VersionKey, Upload]:
    service = f"service-{number // _INSTANCES_OF_A_SERVICE}"
    readings = [
        Reading(
            f"Provider.{service}.schema.operation{place}",
            dice.random() * 100,
            latency := dice.random() * 50,
            (latency * 5, latency * 4, latency * 3, latency * 2, latency, latency / 2, latency / 4),
            dice.random() / 100,
            dice.randrange(1000),
            dice.randrange(10),
            0,
            0,
            breaker_open=False,
        )
        for place in range(interfaces)
    ]
    resources = Resources(20, dice.random() * 100, dice.randrange(2**30), 2**30, 1.0, 1000)
    key = VersionKey("default/default", "fleet", "", service, "1.0.0")
    return key, Upload(service, f"{number:032x}", f"host-{number}", resources, readings)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
