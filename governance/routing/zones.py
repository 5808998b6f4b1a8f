"""Zone aware: instances that are near to the caller go before those that are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from governance.routing.lots import Targets
from governance.routing.switches import flag_of, percent_of, spring_flag_of


@dataclass(frozen=True, slots=True)
class Zones:
    """Where the caller is, and how much that counts.

    An instance is near where region and zone are the caller's. As in Java Chassis from 2.8 on, the near ones get all calls where they are
    from `ratio` to `ceiling` percent of all, else those of the region where these are, else all. As in Spring Cloud Huawei (`strict`), they
    get them however few they are, then those of the region; `deny` is to call nobody rather than anybody of another zone.
    """

    region: str
    zone: str
    ratio: int = 30
    ceiling: int = 70
    strict: bool = False
    deny: bool = False

    def kept(self, targets: Targets) -> Targets:
        """The instances that are near enough."""
        of_region = tuple(one for one in targets if one.data_center.get("region") == self.region)
        near = tuple(one for one in of_region if self.zone and one.data_center.get("availableZone") == self.zone)
        if self.strict:
            return near or (() if self.deny else of_region or targets)
        return next((some for some in (near, of_region) if self._enough(len(some), len(targets))), targets)

    def _enough(self, some: int, among: int) -> bool:
        return some > 0 and self.ratio <= some * 100 // among <= self.ceiling


def zones_of(values: Mapping[str, str], data_center: Mapping[str, str]) -> Zones | None:
    """What the configuration says; None where zones do not count, or the caller's own is not known."""
    region, zone = data_center.get("region", ""), data_center.get("availableZone", "")
    if not region:
        return None
    if spring_flag_of(values, "enabledZoneAware"):
        return Zones(region, zone, strict=True, deny=spring_flag_of(values, "denyCrossZoneLoadBalancing"))
    if not flag_of(values, "filter.zoneaware.enabled", default=True):
        return None
    ratio = percent_of(values, "filter.zoneaware.ratio", 30)
    return Zones(region, zone, ratio, percent_of(values, "filter.zoneaware.ratioCeiling", 100 - ratio))
