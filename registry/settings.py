"""The engine's settings: what each means, what it may be, and where its value came from.

A value comes from a flag, else from the environment (`WAGGLE_<NAME>`), else from a TOML file, else from the default.
docs/settings.md lists all; a test compares it with this model. A setting of type `SecretStr` is never shown.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, MinLen
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
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

PREFIX = "WAGGLE_"
DEFAULT_FILE = Path("waggle.toml")
_NOT_SETTINGS = frozenset(("WAGGLE_CONFIG", "WAGGLE_ENGINE", "WAGGLE_PASSWORD"))
# What Kubernetes adds to every container beside a Service named `waggle`; WAGGLE_PORT is then an address with a scheme.
_KUBERNETES = re.compile(r"SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP|SCTP)\w*")
_TOML_KEY = re.compile(r"""\s*+\[?\s*+["']?(\w+)["']?\s*[].=]""")

Readers = Literal["everyone", "accounts", "operators", "nobody"]
"""Whoever asks; whoever has a token; whoever may `ops`; nobody, whether access control is on or not."""


class SettingsError(Exception):
    """A setting that cannot be used; the text names it, its source, and what is allowed."""


def _pairs(value: object) -> object:
    """`k:v,k:v` as a mapping."""
    if not isinstance(value, str):
        return value
    pairs = [item.partition(":") for item in value.split(",") if item.strip()]
    if not all(separator and name.strip() for name, separator, _ in pairs):
        raise ValueError("write name:value,name:value")
    return {name.strip(): text.strip() for name, _, text in pairs}


def _items(value: object) -> object:
    """`a,b` as a list."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _networks(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names of networks, which must be some."""
    for name in names:
        ipaddress.ip_network(name, strict=False)
    return names


PORTS = ("port", "kie_port", "config_port", "config_push_port", "monitor_port")
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Names = Annotated[tuple[str, ...], BeforeValidator(_items)]
Networks = Annotated[tuple[str, ...], BeforeValidator(_items), AfterValidator(_networks)]
Pairs = Annotated[dict[str, str], BeforeValidator(_pairs)]


class Settings(BaseModel):
    """All settings of `waggle serve`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: Annotated[str, Field(min_length=1)] = Field(
        "127.0.0.1", description="Address to listen on. Anything but loopback is a decision: set TLS too."
    )
    port: Port = Field(30100, description="Main port, Service Center's. 0 takes a free one.")
    kie_port: Port = Field(30110, description="Extra port, KIE's. 0 turns it off.")
    config_port: Port = Field(30103, description="Extra port, Config Center's. 0 turns it off.")
    config_push_port: Port = Field(
        0, description="Extra port that old clients of Config Center are told of changes on: 30104. 0 turns it off."
    )
    monitor_port: Port = Field(30109, description="Extra port, the dashboard upload's. 0 turns it off.")
    advertise_host: str = Field(
        "", description="Host that the engine registers itself under; empty: the one it listens on."
    )
    data_dir: Path = Field(Path("waggle-data"), description="Folder of everything that outlives the process.")
    storage: Literal["sqlite", "memory"] = Field(
        "sqlite", description="Store of the journal; memory forgets at the end."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="How log lines look; auto: console on a terminal, JSON elsewhere."
    )
    access: Literal["off", "observe", "enforce"] = Field(
        "off", description="Access control of a new data folder; later it is switched by `waggle access`."
    )
    metrics_access: Readers = Field("everyone", description="Who may read /metrics while access control is on.")
    openapi_access: Readers = Field("everyone", description="Who may read /openapi.json while access control is on.")
    dump_access: Readers = Field("operators", description="Who may read the dump while access control is on.")
    reset_root: bool = Field(
        False, description="Whether root gets another password at this start, as at the first one: it was lost."
    )
    token_rate: Count = Field(300, description="Most tries to sign in from one address in a minute.")
    trusted_proxies: Networks = Field(
        (), description="Proxies whose X-Forwarded-For says where a sign-in comes from, as addresses or networks."
    )
    tls_cert: str = Field("", description="PEM file of the certificate chain; empty: no TLS.")
    tls_key: str = Field("", description="PEM file of the certificate's key; empty: it is in tls_cert.")
    tls_client_ca: str = Field("", description="PEM file of the authorities whose client certificates are required.")
    quota_services: Count = Field(50000, description="Most services of a domain and project.")
    quota_instances: Count = Field(150000, description="Most instances of a domain and project.")
    quota_schemas: Count = Field(100, description="Most schemas of a service.")
    quota_config: Count = Field(10000, description="Most key-values of a domain and project.")
    quota_lane_groups: Count = Field(300, description="Most lane groups of an application in its environment.")
    quota_accounts: Count = Field(1000, description="Most accounts.")
    quota_roles: Count = Field(100, description="Most roles, the two built-in ones among them.")
    max_body_bytes: Count = Field(2097152, description="Largest request body, in bytes.")
    max_instance_body_bytes: Count = Field(5120, description="Largest body of an instance registration, in bytes.")
    max_properties_body_bytes: Count = Field(3072, description="Largest body of a properties update, in bytes.")
    max_config_body_bytes: Count = Field(2621440, description="Largest body of a configuration request, in bytes.")
    max_answer_bytes: Count = Field(67108864, description="Largest answer of a batch find, in bytes.")
    max_header_bytes: Count = Field(32768, description="Longest header line, in bytes.")
    max_connections: Count = Field(20000, description="Most open connections; one more is dropped.")
    request_timeout: Annotated[float, Field(gt=0)] = Field(
        60.0, description="Seconds until a request's head, and then its body, must be complete."
    )
    idle_timeout: Annotated[float, Field(ge=75)] = Field(
        120.0, description="Seconds that an idle connection stays open. Vert.x clients need 75 at least."
    )
    shutdown_timeout: Seconds = Field(10.0, description="Seconds that requests in flight get when the engine stops.")
    instance_ttl: Seconds = Field(
        0, description="Seconds of every lease, whatever the instance asks for; 0: as it asks."
    )
    instance_min_interval: Count = Field(
        5, description="Least seconds between heartbeats; lower ones are raised to it."
    )
    instance_min_times: Annotated[int, Field(ge=0)] = Field(
        3, description="Least number of heartbeats that may be missed; lower ones are raised to it."
    )
    instance_properties: Pairs = Field(
        default_factory=dict, description="Properties that every instance gets, as name:value,name:value."
    )
    instance_update_on_register: bool = Field(
        False,
        description="Whether an instance that registers again with its id is updated; "
        "the original only renews its lease.",
    )
    flap_damping: Seconds = Field(
        0.0, description="Seconds that watchers are not told of a deletion, in case it is taken back; the original: 2."
    )
    protection_min_instances: Annotated[int, Field(ge=0)] = Field(
        5, description="Self-preservation needs more registered instances than this."
    )
    protection_ratio: Share = Field(0.8, description="Share of silent instances from which on self-preservation acts.")
    protection_max_seconds: Seconds = Field(600, description="Longest time that self-preservation keeps an instance.")
    last_known_ratio: Share = Field(
        0.8, description="Share of a service's instances that must be silent for its last known ones to be kept."
    )
    last_known_seconds: Seconds = Field(
        300, description="Seconds that the last known instances of a service are kept; 0 turns it off."
    )
    shared_services: Names = Field((), description="Services of application default that all environments may find.")
    schema_read_only: bool = Field(False, description="Whether uploading schemas is refused (403001).")
    self_register: bool = Field(True, description="Whether the engine is listed as default/SERVICECENTER.")
    watch_max: Count = Field(20000, description="Most open websockets.")
    watch_buffer_bytes: Count = Field(1048576, description="Bytes that may wait for a watcher before it is cut off.")
    watch_ping_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        30.0, description="Seconds between the pings that websockets get. Clients drop a socket silent for 60."
    )
    config_check_values: bool = Field(
        False,
        description="Whether what clients of KIE write must parse, and rules be in order (400006); the original stores anything.",
    )
    lane_header: Annotated[str, Field(pattern="[a-z][a-z0-9_-]{0,63}")] = Field(
        "x_cse_canary", description="Header that carries the lane of a call, of lane groups that name none."
    )
    poll_max: Count = Field(20000, description="Most requests that wait for a change of the configuration.")
    stream_max: Count = Field(1000, description="Most open event streams.")
    monitor_seconds: Annotated[int, Field(ge=60, le=3600)] = Field(
        300, description="Seconds that data for dashboards is kept."
    )
    monitor_instances: Count = Field(20000, description="Most instances that data for dashboards is kept of.")
    monitor_interfaces: Count = Field(100, description="Most interfaces of an instance that data is kept of.")
    monitor_all_interfaces: Count = Field(400000, description="Most interfaces of all instances together.")
    monitor_listeners: Count = Field(1000, description="Most open streams of live data.")
    monitor_metrics: Literal["off", "service", "instance", "interface"] = Field(
        "off",
        description="How much of the data for dashboards is in /metrics, too, which whoever reads that then sees.",
    )
    monitor_metrics_series: Count = Field(10000, description="Most series of it in /metrics.")
    monitor_access: Literal["roles", "everyone"] = Field(
        "roles",
        description="Who may upload data for dashboards while access control is on; cse-collector has no token: everyone.",
    )
    alarm_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        5.0, description="Seconds between two looks at everything that alarm rules are about."
    )
    alarms_max: Count = Field(1000, description="Most alarms that are raised at once; one more is only counted.")
    alarm_history: Count = Field(1000, description="Alarms that are over and still listed.")
    quota_alarm_rules: Count = Field(200, description="Most alarm rules of a domain and project, built-in ones aside.")
    quota_silences: Count = Field(1000, description="Most silences of alarms of a domain and project.")
    quota_webhooks: Count = Field(20, description="Most webhooks of a domain and project.")
    webhook_queue: Count = Field(1000, description="Most messages that wait for one webhook; the oldest gives way.")
    webhook_timeout: Annotated[float, Field(gt=0, le=300)] = Field(
        10.0, description="Seconds that a webhook has to take a message."
    )
    webhook_retry_seconds: Annotated[float, Field(gt=0, le=300)] = Field(
        1.0, description="Seconds until a message is sent again; each time twice as many, 300 at most."
    )
    webhook_allow: Networks = Field(
        (), description="Networks that webhooks may be in although they are refused otherwise: link-local, metadata."
    )
    journal_batch: Count = Field(1000, description="Most events of one commit.")
    journal_queue: Count = Field(
        100000, description="Most changes that wait for a commit; one more is refused (500011)."
    )
    journal_history: Count = Field(100000, description="Newest events among which superseded ones are kept.")
    hot_path: bool = Field(True, description="Whether repeated requests are answered by the hot path.")
    hot_path_entries: Count = Field(200000, description="Most answers that the hot path remembers.")

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_as_number(cls, value: object, info: ValidationInfo) -> object:
        """Pydantic would read `port = true` as 1."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("true and false are no numbers")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        for name in ("tls_key", "tls_client_ca"):
            if getattr(self, name) and not self.tls_cert:
                raise _conflict(f"{name} needs tls_cert", name)
        taken: dict[int, str] = {}
        for name in PORTS:
            number = getattr(self, name)
            if number in taken:
                raise _conflict(f"{taken[number]} and {name} are both {number}; they must differ", taken[number], name)
            if number:
                taken[number] = name
        return self


def _conflict(text: str, *names: str) -> PydanticCustomError:
    return PydanticCustomError("conflict", "{text}", {"text": text, "names": names})


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings and, by name, where each came from: `flag`, the variable, `FILE:LINE`, or nothing for a default."""

    settings: Settings
    sources: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, str, str]]:
        """Name, value as it is written in flags and variables, and source of every setting; secrets are masked."""
        values = [(name, written(getattr(self.settings, name))) for name in type(self.settings).model_fields]
        return [(name, value, self.sources.get(name, "default")) for name, value in values]

    def document(self) -> list[dict[str, object]]:
        """The same for a program: values keep their JSON type."""
        values = self.settings.model_dump(mode="json")
        return [
            {"name": name, "value": value, "source": self.sources.get(name, "default")}
            for name, value in values.items()
        ]


def written(value: object) -> str:
    """A setting's value as it is written in a flag or a variable; a secret is masked."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{key}:{text}" for key, text in value.items())
    return ",".join(value) if isinstance(value, tuple) else str(value)


def allowed(field: FieldInfo) -> str:
    """What a setting may be, for messages and documentation."""
    kind = field.annotation
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if kind in (int, float):
        return ("a whole number" if kind is int else "a number") + _bounds(field)
    if kind is Path:
        return "a path"
    if any(isinstance(rule, MinLen) for rule in field.metadata):
        return "text, not empty"
    return _ALLOWED.get(get_origin(kind) or kind, "text")


_ALLOWED: Mapping[object, str] = {bool: "true or false", tuple: "name,name", dict: "name:value,name:value"}


def _bounds(field: FieldInfo) -> str:
    least = [f"at least {rule.ge}" for rule in field.metadata if isinstance(rule, Ge)]
    least += [f"above {rule.gt}" for rule in field.metadata if isinstance(rule, Gt)]
    most = [f"at most {rule.le}" for rule in field.metadata if isinstance(rule, Le)]
    return "".join(f", {bound}" for bound in (*least, *most))


def load(flags: Mapping[str, object], environ: Mapping[str, str], config: Path | None = None) -> LoadedSettings:
    """Gather the settings from everywhere, strongest source last. Raises `SettingsError`."""
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    file = config or (Path(environ["WAGGLE_CONFIG"]) if environ.get("WAGGLE_CONFIG") else None)
    if file is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    if file is not None:
        for name, (value, source) in _read_file(file).items():
            values[name], sources[name] = value, source
    known, warnings = _read_environment(environ)
    for variable, name in known:
        values[name], sources[name] = environ[variable], variable
    for name, value in flags.items():
        if value is not None:
            values[name], sources[name] = value, "flag"
    return LoadedSettings(_validated(values, sources), sources, tuple(warnings))


def _read_file(file: Path) -> Mapping[str, tuple[object, str]]:
    """Value and `FILE:LINE` by name."""
    try:
        text = file.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"the settings file {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {file} is no TOML: {error}") from error
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if found := _TOML_KEY.match(line):
            lines.setdefault(found[1], number)
    places = {name: f"{file}:{lines[name]}" if name in lines else str(file) for name in values}
    unknown = [name for name in values if name not in Settings.model_fields]
    if unknown:
        raise SettingsError("\n".join(f"{places[name]}: there is no setting {name!r}{_hint(name)}" for name in unknown))
    return {name: (value, places[name]) for name, value in values.items()}


def _read_environment(environ: Mapping[str, str]) -> tuple[list[tuple[str, str]], list[str]]:
    known, warnings = [], []
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or variable in _NOT_SETTINGS or _is_of_kubernetes(variable, environ):
            continue
        if name in Settings.model_fields:
            known.append((variable, name))
        else:
            warnings.append(f"{variable} is no setting{_hint(name)}; it is ignored")
    return known, warnings


def _is_of_kubernetes(variable: str, environ: Mapping[str, str]) -> bool:
    name = variable.removeprefix(PREFIX)
    return bool(_KUBERNETES.fullmatch(name)) or (name == "PORT" and "://" in environ[variable])


def _hint(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, 1)
    return f"; do you mean {near[0]!r}?" if near else ""


def _validated(values: Mapping[str, object], sources: Mapping[str, str]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = [
            _refusal(str(problem["loc"][0]), values, sources)
            if problem["loc"]
            else _conflict_text(problem["msg"], problem["ctx"]["names"], sources)
            for problem in error.errors(include_url=False)
        ]
        raise SettingsError("\n".join(dict.fromkeys(lines))) from error


def _refusal(name: str, values: Mapping[str, object], sources: Mapping[str, str]) -> str:
    field = Settings.model_fields[name]
    shown = "the value" if field.annotation is SecretStr else repr(values[name])
    return f"{name} (from {_place(name, sources)}): {shown} is not allowed; it must be {allowed(field)}"


def _conflict_text(text: str, names: Sequence[str], sources: Mapping[str, str]) -> str:
    return f"{text} ({', '.join(f'{name} is from {_place(name, sources)}' for name in names)})"


def _place(name: str, sources: Mapping[str, str]) -> str:
    source = sources.get(name, "the default")
    return "--" + name.replace("_", "-") if source == "flag" else source
