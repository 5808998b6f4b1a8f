"""A service's settings: from code, the environment and a YAML file, by the names that ServiceComb users know.

Code is stronger than the environment, which is stronger than the file. docs/sdk.md lists every name.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

DEFAULT_FILE = Path("microservice.yaml")


class SettingsError(Exception):
    """A setting that cannot be used; the text names the place (file with line and column, or variable) and what is wrong."""


class DataCenter(BaseModel):
    """Where an instance runs; all three parts are required by the protocol."""

    model_config = ConfigDict(frozen=True)

    name: str
    region: str
    zone: str


class ServiceSettings(BaseModel):
    """What a service is called and how it talks to the engine. Intervals and timeouts are seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    app: str = "default"
    version: str = "0.0.1"
    environment: str = ""
    description: str = ""
    alias: str = ""
    addresses: tuple[str, ...] = ("http://127.0.0.1:30100",)
    project: str = "default"
    domain: str = "default"
    endpoints: tuple[str, ...] = ()
    host_name: str = Field(default_factory=lambda: socket.gethostname()[:64] or "localhost")
    instance_id: str | None = None
    instance_properties: dict[str, str] = Field(default_factory=dict)
    service_properties: dict[str, str] = Field(default_factory=dict)
    data_center: DataCenter | None = None
    schemas: dict[str, str] = Field(default_factory=dict)
    heartbeat_interval: float = Field(30.0, gt=0)
    heartbeat_times: int = Field(3, ge=0)
    heartbeat_timeout: float = Field(3.0, gt=0)
    pull_interval: float = Field(30.0, gt=0)
    request_timeout: float = Field(5.0, gt=0)
    watch: bool = True
    status: str = "UP"
    register_timeout: float | None = None
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""

    @classmethod
    def load(
        cls, path: Path | None = None, environ: Mapping[str, str] = os.environ, **overrides: object
    ) -> ServiceSettings:
        """Gather the settings. Without a path, `microservice.yaml` is read where it is there. Raises `SettingsError`."""
        file = path or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
        known = _flatten(_read(file)) if file else {}
        values = {**_from_file(known), **_from_environment(environ), **_properties(known, environ), **overrides}
        try:
            return cls(**{name: _typed(name, value) for name, value in values.items()})  # type: ignore[arg-type]
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            raise SettingsError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error


_SPRING = "spring.cloud.servicecomb.discovery."
NAMES: Mapping[str, tuple[str, ...]] = {
    "name": ("servicecomb.service.name", _SPRING + "serviceName", "spring.application.name"),
    "app": ("servicecomb.service.application", _SPRING + "appName"),
    "version": ("servicecomb.service.version", _SPRING + "version"),
    "environment": ("servicecomb.service.environment",),
    "description": ("servicecomb.service.description",),
    "addresses": ("servicecomb.service.registry.address", _SPRING + "address"),
    "project": ("servicecomb.config.client.domainName",),
    "domain": ("servicecomb.config.client.tenantName",),
    "endpoints": ("servicecomb.rest.address",),
    "heartbeat_interval": (
        "servicecomb.service.registry.instance.healthCheck.interval",
        _SPRING + "healthCheckInterval",
    ),
    "heartbeat_times": ("servicecomb.service.registry.instance.healthCheck.times",),
    "pull_interval": ("servicecomb.service.registry.instance.pull.interval", _SPRING + "pollInterval"),
    "watch": ("servicecomb.service.registry.instance.watch", _SPRING + "watch"),
    "status": ("servicecomb.service.registry.instance.initialStatus",),
}
"""The names of ServiceComb and Spring Cloud Huawei for each setting: YAML keys, and variables with `_` for `.` in any case."""

_ZONE_NAMES = {
    "name": ("servicecomb.datacenter.name", _SPRING + "datacenter.name"),
    "region": ("servicecomb.datacenter.region", _SPRING + "datacenter.region"),
    "zone": ("servicecomb.datacenter.availableZone", _SPRING + "datacenter.availableZone"),
}
_VARIABLES = {"CAS_INSTANCE_VERSION": "version", "PAAS_CSE_ENDPOINT": "addresses", "PAAS_CSE_SC_ENDPOINT": "addresses"}
_MAPPINGS = {"APP_MAPPING": "app", "SERVICE_MAPPING": "name", "VERSION_MAPPING": "version"}
_CARRIED = (
    "CAS_APPLICATION_ID",
    "CAS_COMPONENT_NAME",
    "CAS_INSTANCE_VERSION",
    "CAS_INSTANCE_ID",
    "CAS_ENVIRONMENT_ID",
)
_LISTS = ("addresses", "endpoints")


def _read(path: Path) -> object:
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(f"{path}{place}: {error.problem}") from error
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _flatten(value: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, object] = {}
    for name, inner in value.items():
        flat |= _flatten(inner, f"{prefix}.{name}" if prefix else str(name))
    return flat


def _from_file(known: Mapping[str, object]) -> dict[str, object]:
    values = {
        field: known[key] for field, keys in NAMES.items() for key in reversed(keys) if known.get(key) is not None
    }
    zone = {part: known[key] for part, keys in _ZONE_NAMES.items() for key in keys if known.get(key) is not None}
    return {**values, **({"data_center": zone} if zone else {})}


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    folded = {_folded(name): value for name, value in environ.items()}
    values: dict[str, object] = {}
    for field, keys in NAMES.items():
        for key in reversed(keys):
            if _folded(key) in folded:
                values[field] = folded[_folded(key)]
    zone = {part: folded[_folded(key)] for part, keys in _ZONE_NAMES.items() for key in keys if _folded(key) in folded}
    if zone:
        values["data_center"] = zone
    values |= {field: environ[variable] for variable, field in _VARIABLES.items() if environ.get(variable)}
    for variable, field in _MAPPINGS.items():
        named = environ.get(variable)
        if named and environ.get(named):
            values[field] = environ[named]
    return values


def _folded(name: str) -> str:
    return name.replace(".", "_").replace("-", "_").lower()


def _properties(known: Mapping[str, object], environ: Mapping[str, str]) -> dict[str, object]:
    of_instance = {
        **_under(known, "servicecomb.instance.properties.", "instance_description.properties."),
        **{name: environ[name] for name in _CARRIED if environ.get(name)},
        **parse_properties("SERVICECOMB_INSTANCE_PROPS", environ.get("SERVICECOMB_INSTANCE_PROPS", "")),
    }
    of_service = {
        **_under(known, "servicecomb.service.properties.", "service_description.properties."),
        **parse_properties("SERVICECOMB_SERVICE_PROPS", environ.get("SERVICECOMB_SERVICE_PROPS", "")),
    }
    given = {"instance_properties": of_instance, "service_properties": of_service}
    return {name: properties for name, properties in given.items() if properties}


def _under(known: Mapping[str, object], *prefixes: str) -> dict[str, str]:
    return {
        key.removeprefix(prefix): _text(value)
        for prefix in prefixes
        for key, value in known.items()
        if key.startswith(prefix)
    }


def parse_properties(variable: str, text: str) -> dict[str, str]:
    """`name:value,name:value` as the Java frameworks read it: a piece without exactly one colon is dropped.

    Raises `SettingsError` for a name that comes twice.
    """
    properties: dict[str, str] = {}
    for piece in text.split(","):
        name, _, value = (part.strip() for part in piece.partition(":"))
        if piece.count(":") != 1 or not name:
            continue
        if name in properties:
            raise SettingsError(f"{variable}: the property {name!r} is given twice")
        properties[name] = value
    return properties


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(name: str, value: object) -> object:
    if name in _LISTS and isinstance(value, str):
        items = [item.strip() for item in value.split(",") if item.strip()]
        return tuple(_endpoint(item) if name == "endpoints" else item for item in items)
    if name in ("name", "app", "version", "environment", "description") and value is not None:
        return _text(value)
    return value


def _endpoint(address: str) -> str:
    return address if "://" in address else f"rest://{address}"
