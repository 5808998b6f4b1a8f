"""What alarm rules can be about: each measure has a unit, a kind of source, and the direction in which it goes wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Scope(StrEnum):
    """Of what a measure is taken."""

    ENGINE = "engine"
    TENANT = "tenant"
    SERVICE = "service"
    CALLS = "calls"


PARTS = ("environment", "app", "service", "version", "instance", "interface")
"""The parts of a source's name, from the general to the special."""
GRAINS: Mapping[Scope, tuple[str, ...]] = {
    Scope.ENGINE: (),
    Scope.TENANT: (),
    Scope.SERVICE: ("service", "version"),
    Scope.CALLS: ("service", "version", "instance", "interface"),
}
"""What a rule may take as one source, by the scope of its measure; the first is the default."""


class Source(NamedTuple):
    """What an alarm is about. The engine and a tenant have no parts."""

    environment: str = ""
    app: str = ""
    service: str = ""
    version: str = ""
    instance: str = ""
    interface: str = ""

    @property
    def text(self) -> str:
        """For people: the parts that there are, application first."""
        place = "/".join(part for part in (self.app, self.service, self.version) if part)
        special = " ".join(part for part in (self.instance, self.interface) if part)
        return " ".join(part for part in (place, special, f"[{self.environment}]" if self.environment else "") if part)


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that is taken again and again; `below`: a low one is what is wrong."""

    name: str
    scope: Scope
    unit: str
    about: str
    below: bool = False


REPORTED = "reported"
"""The measure of alarms that the engine raises itself, at once, and not by a number."""
MEASURES: Mapping[str, Measure] = {
    one.name: one
    for one in (
        Measure(REPORTED, Scope.ENGINE, "", "what the engine reports itself, without a threshold"),
        Measure("instances-up", Scope.SERVICE, "", "instances that are UP", below=True),
        Measure("instances-lost", Scope.SERVICE, "%", "instances fewer than the most of the last ten minutes"),
        Measure("rate", Scope.CALLS, "/s", "calls a second"),
        Measure("failure-rate", Scope.CALLS, "%", "calls that failed"),
        Measure("latency", Scope.CALLS, "ms", "mean time of a call"),
        Measure("p99", Scope.CALLS, "ms", "time within which 99 of 100 calls were answered"),
        Measure("breaker-open", Scope.CALLS, "", "interfaces whose circuit breaker is open"),
        Measure("cpu", Scope.CALLS, "%", "processor time of an instance"),
        Measure("memory", Scope.CALLS, "MB", "memory of an instance"),
        Measure("threads", Scope.CALLS, "", "threads of an instance"),
        Measure("quota-services", Scope.TENANT, "%", "services, of quota_services"),
        Measure("quota-instances", Scope.TENANT, "%", "instances, of quota_instances"),
        Measure("quota-config", Scope.TENANT, "%", "key-values, of quota_config"),
        Measure("event-loop-lag", Scope.ENGINE, "s", "how late the engine's clock ticks"),
        Measure("protected-instances", Scope.ENGINE, "", "instances that are kept though their lease is over"),
        Measure("journal-queue", Scope.ENGINE, "%", "changes that wait for a commit, of journal_queue"),
        Measure("disk-free", Scope.ENGINE, "MB", "room on the disk of the data folder", below=True),
        Measure("engine-memory", Scope.ENGINE, "%", "the engine's memory, of the machine's"),
        Measure("connections", Scope.ENGINE, "%", "open connections, of max_connections"),
        Measure("certificate-days", Scope.ENGINE, "days", "until the certificate of the ports ends", below=True),
    )
}
OF_INSTANCES = frozenset(("cpu", "memory", "threads"))
"""Measures that are taken of a process, not of its interfaces."""


def listed(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(names)
