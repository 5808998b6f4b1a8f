"""The bounds and choices that an operator sets for the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from registry.errors import RegistryError


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds where a name ends in `_ttl`, `_interval` or `_seconds`; numbers of records where it starts with `quota_`."""

    quota_services: int = 50000
    quota_instances: int = 150000
    quota_schemas: int = 100
    instance_ttl: float = 0
    instance_min_interval: int = 5
    instance_min_times: int = 3
    instance_properties: Mapping[str, str] = field(default_factory=dict)
    instance_update_on_register: bool = False
    schema_read_only: bool = False
    max_answer_bytes: int = 64 * 2**20
    shared_services: frozenset[str] = frozenset()
    protection_min_instances: int = 5
    protection_ratio: float = 0.8
    protection_max_seconds: float = 600
    last_known_ratio: float = 0.8
    last_known_seconds: float = 300


def check_quota(kind: str, limit: int, current: int, wanted: int = 1) -> None:
    """Raise 400100 where `wanted` more of a kind would pass its limit. Protocol: section 15.1."""
    if current + wanted > limit:
        raise RegistryError(
            400100, f"no quota to create {kind}, max num is {limit}, curNum is {current}, apply num is {wanted}"
        )
