"""A service's settings: from code, the environment and a YAML file, by the names that ServiceComb users know.

Code is stronger than the environment, which is stronger than the file. docs/sdk.md lists every name.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from yarl import URL

from governance.sdk.names import CARRIED, INSTANCE_PROPERTIES, KEYS, MILLISECONDS, SERVICE_PROPERTIES, ZONE_KEYS
from governance.sdk.sources import Given, SettingsError, Sources, parse_properties

__all__ = ["DEFAULT_FILE", "DataCenter", "ServiceSettings", "SettingsError", "Status"]

DEFAULT_FILE = Path("microservice.yaml")
Status: TypeAlias = Literal["UP", "DOWN", "STARTING", "TESTING", "OUTOFSERVICE"]

_NAME = r"^[a-zA-Z0-9]([a-zA-Z0-9_\-.]*[a-zA-Z0-9])?$"
_LABEL = r"^([a-zA-Z0-9]([a-zA-Z0-9_\-.]{0,30}[a-zA-Z0-9])?)?$"
_LABEL_VALUE = r"^([a-zA-Z0-9]([a-zA-Z0-9_\-.]{0,158}[a-zA-Z0-9])?)?$"
_ENVIRONMENT = r"^(development|testing|acceptance|production)?$"


def _listed(value: object) -> object:
    return tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value


def _engine_address(address: str) -> str:
    try:
        url = URL(address)
        good = url.scheme in ("http", "https") and bool(url.host) and bool(url.port)
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{address!r} is no address such as http://127.0.0.1:30100")
    return address.rstrip("/")


def _endpoint(address: str) -> str:
    endpoint = address if "://" in address else f"rest://{address}"
    if not re.fullmatch(r"[a-z]+://[^/\s]+:\d+([/?]\S*)?", endpoint):
        raise ValueError(f"{address!r} is no endpoint such as rest://10.0.0.7:8080 or 10.0.0.7:8080")
    return endpoint


def _listening(address: str) -> str:
    host, _, port = address.rpartition(":")
    if address and not (host.strip("[]") and re.fullmatch(r"\d{1,5}", port) and int(port) <= 65535):
        raise ValueError(f"{address!r} is no address and port such as 0.0.0.0:9696")
    return address


def _version(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+){0,3}", text) or any(int(part) > 32767 for part in text.split(".")):
        raise ValueError("a version is one to four numbers up to 32767, such as 1.2.0")
    return text


Address: TypeAlias = Annotated[str, AfterValidator(_engine_address)]
Endpoint: TypeAlias = Annotated[str, AfterValidator(_endpoint)]


class DataCenter(BaseModel):
    """Where an instance runs; the protocol requires all three parts."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")
    region: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")
    zone: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")


class ServiceSettings(BaseModel):
    """What a service is called and how it talks to the engine. Intervals and timeouts are seconds.

    `ServiceSettings.load` gathers them; `ServiceSettings(name=…)` takes nothing but what it is given (and raises pydantic's error).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=128, pattern=_NAME, description="Name of the service. Required.")
    app: str = Field(
        "default", min_length=1, max_length=160, pattern=_NAME, description="Application that it belongs to."
    )
    version: Annotated[str, AfterValidator(_version)] = Field("0.0.1", description="Version: one to four numbers.")
    environment: str = Field(
        "", pattern=_ENVIRONMENT, description="`development`, `testing`, `acceptance`, `production` or none."
    )
    description: str = Field("", max_length=256, description="What the service is for.")
    alias: str = Field("", max_length=128, description="Second name, by which it is found too.")
    service_properties: dict[str, str] = Field(default_factory=dict, description="Properties of the service.")
    schemas: dict[str, str] = Field(
        default_factory=dict, description="Interfaces to upload: OpenAPI text by schema id; from code only."
    )
    endpoints: Annotated[tuple[Endpoint, ...], BeforeValidator(_listed)] = Field(
        (), description="Where the instance answers: `rest://host:port`, or `host:port`; `?sslEnabled=true` for https."
    )
    publish_address: str = Field(
        "", description="Host to register in place of `0.0.0.0`, `[::]` and `*`; none: this machine's address."
    )
    host_name: str = Field(
        default_factory=lambda: socket.gethostname()[:64] or "localhost",
        min_length=1,
        max_length=64,
        description="Name of the machine; none: its own.",
    )
    instance_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Id of the instance; none: a new one for each process."
    )
    status: Status = Field("UP", description="Status to begin with.")
    instance_properties: dict[str, str] = Field(
        default_factory=dict, description="Properties of the instance: lane tags and whatever else."
    )
    data_center: DataCenter | None = Field(None, description="Where the instance runs: all three parts or none.")
    addresses: Annotated[tuple[Address, ...], BeforeValidator(_listed)] = Field(
        ("http://127.0.0.1:30100",), min_length=1, description="Addresses of the engine, all of one cluster."
    )
    project: str = Field("default", min_length=1, description="Project, a part of every path.")
    domain: str = Field("default", min_length=1, description="Domain, the header `X-Domain-Name`.")
    heartbeat_interval: float = Field(30.0, gt=0, le=600, description="Seconds between heartbeats.")
    heartbeat_times: int = Field(
        3, ge=0, description="Heartbeats that may be missed: a lease is the interval times one more."
    )
    heartbeat_timeout: float = Field(3.0, gt=0, description="Seconds that one address has to answer a heartbeat.")
    request_timeout: float = Field(5.0, gt=0, description="Seconds that one address has to answer anything else.")
    register_timeout: float | None = Field(
        None, gt=0, description="Seconds to wait for the registration at the start; none: do not wait."
    )
    drain_wait: float = Field(
        15.0,
        ge=0,
        description="Seconds that a service which leaves is DOWN before it refuses: until all callers have asked again.",
    )
    drain_timeout: float = Field(
        10.0, ge=0, description="Seconds that a service which leaves waits for the requests it has accepted."
    )
    pull_interval: float = Field(30.0, gt=0, description="Seconds between asking for the providers in use.")
    watch: bool = Field(True, description="Whether to be told of changes at once, over a websocket.")
    empty_protection: bool = Field(
        False, description="Whether the last known instances are kept when the engine says that there is none."
    )
    sign_calls: bool = Field(
        False, description="Whether calls carry a signed token, by which the access lists of providers know who calls."
    )
    config: bool = Field(True, description="Whether to read configuration from the engine.")
    config_addresses: Annotated[tuple[Address, ...], BeforeValidator(_listed)] = Field(
        (), description="Addresses of the configuration's engine; none: those of `addresses`."
    )
    config_wait: float = Field(
        20.0, gt=0, le=300, description="Seconds that the engine may wait for a change before it answers a poll."
    )
    config_timeout: float | None = Field(
        None, gt=0, description="Seconds to wait for the configuration at the start; none: do not wait."
    )
    config_label: str = Field(
        "public", pattern=_LABEL, description="Name of the label that the strongest items have; none: no such items."
    )
    config_label_value: str = Field("", pattern=_LABEL_VALUE, description="Value of that label.")
    config_cache: str = Field(
        "~/.cache/waggle", description="Folder for the last known configuration; empty: it is not kept."
    )
    config_secrets: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        ("/run/secrets",), description="Folders whose files a value may refer to."
    )
    account_password: SecretStr = Field(
        SecretStr(""),
        description="Password of `account_name`, or `${file:…}` or `${env:…}`, where it is read at each login.",
    )
    account_name: str = Field(
        "", validate_default=True, description="Account that the service logs in with at the engine; none: it does not."
    )
    account_cipher: Literal["default"] = Field("default", description="How the password is written: as it is.")
    account_enabled: bool = Field(True, description="Whether the account is used.")
    monitor: bool = Field(True, description="Whether to tell the engine of calls and resources, for dashboards.")
    monitor_addresses: Annotated[tuple[Address, ...], BeforeValidator(_listed)] = Field(
        (), description="Addresses that this is told to; none: those of `addresses`."
    )
    monitor_interval: float = Field(10.0, ge=1, le=100, description="Seconds between two documents of this.")
    metrics_address: Annotated[str, AfterValidator(_listening)] = Field(
        "",
        description="Address and port of the service's own `/metrics`, by custom `0.0.0.0:9696`; port 0: a free one; "
        "empty: it is not served.",
    )
    tls_ca: str = Field("", description="PEM file of the authority of the engine's certificate.")
    tls_cert: str = Field("", description="PEM file of the certificate to show to the engine.")
    tls_key: str = Field("", description="PEM file of its key; none: it is in `tls_cert`.")

    # The password is not the field that this is told of: errors of pydantic show the field's value.
    @field_validator("account_name")
    @classmethod
    def _both_or_none(cls, name: str, info: ValidationInfo) -> str:
        if bool(name) != bool(info.data["account_password"].get_secret_value()):
            raise ValueError("an account needs account_name and account_password")
        return name

    @property
    def lease(self) -> float:
        """Seconds that an instance stays registered without a heartbeat."""
        return self.heartbeat_interval * (self.heartbeat_times + 1)

    @classmethod
    def load(
        cls, path: Path | str | None = None, environ: Mapping[str, str] | None = None, **overrides: object
    ) -> ServiceSettings:
        """Gather the settings; `overrides` are settings from code. Raises `SettingsError`.

        Without a path, `microservice.yaml` of the working folder is read where it is there.
        """
        file = Path(path) if path is not None else (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
        environ = os.environ if environ is None else environ
        sources = Sources(file, environ)
        given = {field: found for field in KEYS if (found := sources.setting(field)) is not None}
        zone = {part: found for part, keys in ZONE_KEYS.items() if (found := sources.value(keys)) is not None}
        values: dict[str, object] = {field: _seconds(found) for field, found in given.items()}
        if zone:
            values["data_center"] = {part: found.text for part, found in zone.items()}
        values |= _properties(sources, environ)
        try:
            return cls.model_validate({**values, **overrides})
        except ValidationError as error:
            places = {field: found for field, found in given.items() if field not in overrides}
            raise SettingsError(_complaint(error.errors(include_url=False)[0], places, zone)) from error


def _seconds(given: Given) -> str:
    if given.key not in MILLISECONDS:
        return given.text
    try:
        return str(float(given.text) / 1000)
    except ValueError:
        return given.text


def _properties(sources: Sources, environ: Mapping[str, str]) -> dict[str, object]:
    of_instance = {
        **sources.below(INSTANCE_PROPERTIES),
        **{name: environ[name] for name in CARRIED if environ.get(name)},
        **parse_properties("SERVICECOMB_INSTANCE_PROPS", environ.get("SERVICECOMB_INSTANCE_PROPS", "")),
    }
    of_service = {
        **sources.below(SERVICE_PROPERTIES),
        **parse_properties("SERVICECOMB_SERVICE_PROPS", environ.get("SERVICECOMB_SERVICE_PROPS", "")),
    }
    given = {"instance_properties": of_instance, "service_properties": of_service}
    return {name: properties for name, properties in given.items() if properties}


def _complaint(problem: ErrorDetails, given: Mapping[str, Given], zone: Mapping[str, Given]) -> str:
    field, *rest = map(str, problem["loc"])
    if problem["type"] == "missing":
        keys = ZONE_KEYS[rest[0]] if rest else KEYS[field]
        return (
            f"{'.'.join([field, *rest])} is missing: give it in code, as {keys[0]} in {DEFAULT_FILE}, or as a variable"
        )
    if problem["type"] == "extra_forbidden":
        return f"{field}: there is no such setting"
    found = zone.get(rest[0]) if field == "data_center" and rest else given.get(field)
    place = f"{found.place}: {field}" if found else field
    if problem["type"] == "value_error":
        return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
    return f"{place}: {problem['msg']}, not {found.text if found else problem['input']!r}"
