"""Where Config Center is, and that it is well. Protocol: Config Center section B.5."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from registry.api.call import Call, Handler, Reply, json_reply

_WELL = json_reply({"status": "UP"})


async def health(_call: Call) -> Reply:
    """GET configuration/health: that Config Center answers, which it does even while nothing can be stored."""
    return _WELL


def members_of(addresses: Callable[[], Sequence[str]]) -> Handler:
    """The handler that lists this engine; `addresses` are where it is reached, such as `https://10.0.0.1:30103`, the best first.

    Clients take the first endpoint alone, and a list without members leaves them without any address.
    """

    async def members(_call: Call) -> Reply:
        """GET configuration/members: this engine, as a group of one."""
        found = addresses()
        instance = {
            "status": "UP",
            "endpoints": [f"rest://{address.partition('://')[2]}" for address in found],
            "hostName": socket.gethostname(),
            "serviceName": "configServer",
            "isHttps": found[0].startswith("https://"),
        }
        return json_reply({"instances": [instance]})

    return members
