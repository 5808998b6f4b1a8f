"""Servers behind the gateway: one of an upstream, or an instance of a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from governance.sdk.model import Instance

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, eq=False)
class Server:
    """Where a request can go to. `base` stands before its path; `authority` is the Host that it is asked by."""

    instance_id: str
    service: str
    host: str
    port: int
    secure: bool = False
    authority: bytes = b""
    base: bytes = b""
    version: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    data_center: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1

    @property
    def key(self) -> tuple[str, int, bool]:
        """What connections to it have in common."""
        return self.host, self.port, self.secure


def server_at(
    url: str, service: str, *, version: str = "", properties: Mapping[str, str] | None = None, weight: int = 1
) -> Server:
    """A server that does not register. Raises `ValueError`."""
    parts = urlsplit(url)
    return Server(
        instance_id=url,
        service=service,
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        secure=parts.scheme == "https",
        authority=parts.netloc.encode("ascii"),
        base=parts.path.rstrip("/").encode("ascii"),
        version=version,
        properties=properties or {},
        weight=weight,
    )


def server_of(instance: Instance) -> Server | None:
    """An instance that was found; None where it has no address for HTTP."""
    try:
        found = server_at(instance.url, instance.service)
    except (ValueError, KeyError):
        return None
    return Server(
        instance_id=instance.instance_id,
        service=instance.service,
        host=found.host,
        port=found.port,
        secure=found.secure,
        authority=found.authority,
        version=instance.version,
        properties=instance.properties,
        data_center=instance.data_center,
    )
