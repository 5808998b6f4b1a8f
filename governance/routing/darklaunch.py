"""Dark launch at work: groups of instances, and the one that a call is for."""

from __future__ import annotations

import random
from functools import partial

from governance.invocation.invocation import Invocation, Target
from governance.routing.lots import Lot, Targets, no_fallback
from governance.routing.router import seen
from governance.rules.darklaunch import DarkLaunch


class _Groups:
    """The instances of each group by the number of its first item, those of none behind the last."""

    def __init__(self, names: list[str], launch: DarkLaunch, instances: Targets) -> None:
        self._instances = instances
        self._names = names
        groups: dict[str | None, list[Target]] = {}
        for one in instances:
            groups.setdefault(launch.group_of_instance({**one.properties, "version": one.version}), []).append(one)
        self._groups = {name: tuple(group) for name, group in groups.items()}

    def falls_back(self, drawn: int) -> bool:
        return False

    def chosen(self, drawn: int, fallback: int) -> tuple[Targets, str]:
        name = self._names[drawn] if drawn < len(self._names) else None
        if name is not None and name in self._groups:
            return self._groups[name], f"the group {name}"
        if None in self._groups:
            return self._groups[None], "the default group"
        return self._instances, "all instances, because the groups have nobody"


class DarkLauncher:
    """The dark launch of one callee."""

    def __init__(self, launch: DarkLaunch, dice: random.Random) -> None:
        self._launch = launch
        self._dice = dice
        self._names = [item.group_name for item in launch.rule_items]
        self._plan = partial(_Groups, self._names, launch)

    def lot(self, invocation: Invocation) -> Lot:
        """The group that a call is for."""
        name = self._group(invocation)
        return Lot(0, self._plan, len(self._names) if name is None else self._names.index(name), no_fallback)

    def _group(self, invocation: Invocation) -> str | None:
        if self._launch.policy_type == "RATE":
            return self._launch.group_of_rate(self._dice.randrange(100))
        request = seen(invocation)
        return self._launch.group_of_request({**request.queries, **request.headers})
