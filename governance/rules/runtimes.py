"""The runtimes that obey rules, by what they register as: a framework's name and version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


class Family(Enum):
    """Runtimes that read rules alike."""

    CHASSIS_2 = "Java Chassis 2"
    CHASSIS_3 = "Java Chassis 3"
    SPRING = "Spring Cloud Huawei"
    GO = "go-chassis"
    PYTHON = "the SDK"
    OTHER = "other"


JAVA = (Family.CHASSIS_2, Family.CHASSIS_3, Family.SPRING)
CHASSIS = (Family.CHASSIS_2, Family.CHASSIS_3)


@dataclass(frozen=True, slots=True, order=True)
class Runtime:
    """A framework with its version, as services register it: `servicecomb-java-chassis`, `ServiceComb:2.7.9`."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version as numbers; none where it has none."""
        found = _NUMBERS.search(self.version)
        return tuple(int(part[:9]) for part in found[0].split(".")) if found else ()

    @property
    def family(self) -> Family:
        """A Java Chassis without a version counts as 2."""
        name = self.name.casefold().replace("-", "").replace("_", "")
        if "javachassis" in name:
            return Family.CHASSIS_3 if self.numbers >= (3,) else Family.CHASSIS_2
        if "springcloud" in name:
            return Family.SPRING
        if "gochassis" in name:
            return Family.GO
        return Family.PYTHON if "waggle" in name else Family.OTHER

    @property
    def names_callers(self) -> bool:
        """Whether a provider takes the caller's name for the `serviceName` of a request. Others know no name there."""
        return self.family in (Family.SPRING, Family.PYTHON)

    def before(self, *version: int) -> bool:
        """Whether it is a Java Chassis older than a version; false where that is not known."""
        return self.family in CHASSIS and bool(self.numbers) and self.numbers < version
