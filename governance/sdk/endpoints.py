"""Where an instance says that it answers: an address that others can reach, in place of one that only means "all of mine"."""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

from governance.sdk.settings import ServiceSettings

EVERYWHERE = frozenset(("0.0.0.0", "::", "*"))  # noqa: S104  looked for, not listened on
"""Hosts that only mean "all of mine"."""


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
    if parts.hostname not in EVERYWHERE:
        return endpoint
    host = reachable(settings, find_own)
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return parts._replace(netloc=f"{shown}:{parts.port}").geturl()


def reachable(settings: ServiceSettings, find_own: Callable[[str], str] = own_address) -> str:
    """The host that stands for all of this machine's addresses."""
    return settings.publish_address or find_own(settings.addresses[0])


def place(written: str) -> tuple[str, int]:
    """Address and port of `address:port`."""
    host, _, port = written.rpartition(":")
    return host.strip("[]"), int(port)
