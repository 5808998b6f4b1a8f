"""What the names of interfaces tell: `Provider.weather.weather.show`, `Provider.GET /show`, `Consumer.weather.weather.show`.

Governance libraries put the names of rules in the same place (`Provider.limit-all`): those calls are counted by their interfaces already.
"""

from __future__ import annotations

from collections.abc import Callable

_PROVIDER = "Provider."
_CONSUMER = "Consumer."


def is_provided(name: str, own: str) -> bool:
    """Whether an interface is one that the service of this name serves."""
    rest = name.removeprefix(_PROVIDER)
    return rest != name and ("/" in rest or rest.count(".") >= 2 or rest == own)


def called_by(name: str, known: Callable[[str], bool]) -> str:
    """The service that an interface calls; empty where it calls none. Names have dots, too, so those of registered services count first."""
    rest = name.removeprefix(_CONSUMER)
    if rest == name:
        return ""
    parts = rest.partition("/")[0].split(".")
    for length in range(len(parts), 0, -1):
        if known(service := ".".join(parts[:length])):
            return service
    return ".".join(parts[:-2])
