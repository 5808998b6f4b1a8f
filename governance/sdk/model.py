"""What the SDK knows of instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance as it was found."""

    instance_id: str
    service_id: str
    app: str
    service: str
    version: str
    endpoints: tuple[str, ...]
    status: str = "UP"
    properties: Mapping[str, str] = field(default_factory=dict)
    data_center: Mapping[str, str] = field(default_factory=dict)
    url: str = field(init=False)
    """`http(s)://host:port` of the first REST endpoint; empty where there is none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _url(self.endpoints))

    @classmethod
    def of(cls, app: str, service: str, document: Mapping[str, object]) -> Instance:
        """From the wire; what is missing is empty. Raises `ValueError` for what is no instance."""
        endpoints = document.get("endpoints") or []
        if not isinstance(endpoints, list) or not document.get("instanceId"):
            raise ValueError("an instance needs an instanceId, and endpoints are a list")
        return cls(
            instance_id=str(document["instanceId"]),
            service_id=str(document.get("serviceId", "")),
            app=app,
            service=service,
            version=str(document.get("version", "")),
            endpoints=tuple(map(str, endpoints)),
            status=str(document.get("status") or "UP"),
            properties=_mapping(document.get("properties")),
            data_center=_mapping(document.get("dataCenterInfo")),
        )


def _url(endpoints: tuple[str, ...]) -> str:
    for endpoint in endpoints:
        parts = urlsplit(endpoint)
        if parts.scheme == "rest" and parts.netloc:
            secure = "sslenabled=true" in parts.query.lower()
            return f"{'https' if secure else 'http'}://{parts.netloc}"
    return ""


def _mapping(value: object) -> Mapping[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}
