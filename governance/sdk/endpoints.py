"""Where an instance says that it answers: an address that others can reach, in place of one that only means "all of mine"."""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from governance.sdk.settings import ServiceSettings

_EVERYWHERE = frozenset(("0.0.0.0", "::", "*"))  # noqa: S104  looked for, not listened on


def own_address(towards: str) -> str:
    """This machine's address on the way to a URL, without sending anything; loopback where there is no way."""
    parts = urlsplit(towards)
    try:
        family, kind, _, _, target = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"


def published(settings: ServiceSettings, find_own: Callable[[str], str] = own_address) -> list[str]:
    """The endpoints as they are registered."""
    return [_published(endpoint, settings, find_own) for endpoint in settings.endpoints]


def _published(endpoint: str, settings: ServiceSettings, find_own: Callable[[str], str]) -> str:
    parts = urlsplit(endpoint)
    if parts.hostname not in _EVERYWHERE:
        return endpoint
    host = settings.publish_address or find_own(settings.addresses[0])
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return parts._replace(netloc=f"{shown}:{parts.port}").geturl()
