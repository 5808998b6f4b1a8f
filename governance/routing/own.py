"""Who calls, as far as it matters for whom it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OwnInstance:
    """The instance that calls. `data_center` has `name`, `region` and `availableZone`, or nothing."""

    service: str
    version: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    data_center: Mapping[str, str] = field(default_factory=dict)
