"""What a gateway is told to do: routes, upstreams and bounds, read from YAML with the place of every mistake. See docs/gateway.md."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from ruamel.yaml.nodes import Node, ScalarNode

from governance.rules.check import check, rule_key
from governance.rules.conditions import MARKER, Condition, condition
from governance.rules.marker import methods
from governance.rules.parsing import ParseError
from governance.rules.problems import Code, Notes, Path, Problem, Severity
from governance.rules.reading import (
    by,
    duration,
    flag,
    list_of,
    mapping_by,
    read_record,
    some_text,
    text,
    whole,
)
from governance.rules.yaml_nodes import compose

Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
_PREFIX = re.compile(r"/[!-~]*")
_HOST = re.compile(r"(?:\*\.)?[a-z0-9.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)
_LISTEN = re.compile(r"(.+):([0-9]{1,5})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _url(node: Node, notes: Notes, path: Path) -> str | None:
    written = some_text(node, notes, path)
    if written is None:
        return None
    try:
        parts = urlsplit(written)
        good = (
            parts.scheme in ("http", "https")
            and parts.hostname
            and not (parts.query or parts.fragment or parts.username)
        )
        port = parts.port
    except ValueError:
        good, port = None, None
    if not good or port == 0:
        notes.error(path, Code.EXPRESSION, f"{written[:100]!r} is no address", "write http://host:port")
        return None
    return written.rstrip("/")


def _prefix(node: Node, notes: Notes, path: Path) -> str | None:
    written = text(node, notes, path)
    if written is None or (_PREFIX.fullmatch(written) and not {"?", "#", "%", ";"} & set(written)):
        return written
    notes.error(path, Code.EXPRESSION, f"{written[:100]!r} is no path", "write one that begins with /")
    return None


def _host(node: Node, notes: Notes, path: Path) -> str | None:
    written = text(node, notes, path)
    if written is None or _HOST.fullmatch(written):
        return written.lower().removesuffix(".") if written is not None else None
    notes.error(
        path, Code.EXPRESSION, f"{written[:100]!r} is no host", "write api.example.com or *.example.com, without a port"
    )
    return None


def _listen(node: Node, notes: Notes, path: Path) -> str | None:
    written = some_text(node, notes, path)
    found = _LISTEN.fullmatch(written) if written is not None else None
    if written is None or (found and int(found[2]) <= 65535):
        return written
    notes.error(path, Code.EXPRESSION, f"{written[:100]!r} is no place to listen at", "write address:port")
    return None


def _network(node: Node, notes: Notes, path: Path) -> Network | None:
    written = some_text(node, notes, path)
    if written is None:
        return None
    try:
        return ipaddress.ip_network(written)
    except ValueError:
        notes.error(path, Code.EXPRESSION, f"{written[:100]!r} is no network", "write 10.0.0.0/8 or an address")
        return None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. `weight` is its share beside the others that are in question."""

    url: str = field(metadata=by(_url))
    weight: int = field(default=1, metadata=by(whole(0, 1000)))


def _address(node: Node, notes: Notes, path: Path) -> Address | None:
    if isinstance(node, ScalarNode):
        url = _url(node, notes, path)
        return None if url is None else Address(url)
    return read_record(Address, node, notes, path)


_ADDRESSES = list_of(_address, empty=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Servers of one kind. Route rules see them with these tags, and with their group's name as the tag `group`."""

    addresses: tuple[Address, ...] = field(metadata=by(_ADDRESSES))
    tags: Mapping[str, str] = field(default_factory=dict, metadata=by(mapping_by(some_text)))


def _group(node: Node, notes: Notes, path: Path) -> Group | None:
    return read_record(Group, node, notes, path)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Servers that do not register: one kind of them, or groups that route rules choose among."""

    addresses: tuple[Address, ...] = field(default=(), metadata=by(_ADDRESSES))
    groups: Mapping[str, Group] = field(default_factory=dict, metadata=by(mapping_by(_group, empty=False)))


def _upstream(node: Node, notes: Notes, path: Path) -> Upstream | None:
    found = read_record(Upstream, node, notes, path)
    if found is not None and bool(found.addresses) == bool(found.groups):
        notes.error(path, Code.MISSING, "an upstream has either addresses or groups", "write one of them")
        return None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Requests of a kind, and where they go: to instances of a `service`, or to an `upstream`. What is empty is not asked for."""

    name: str = field(default="", metadata=by(text))
    host: str = field(default="", metadata=by(_host))
    path: str = field(default="/", metadata=by(_prefix))
    methods: tuple[str, ...] = field(default=(), metadata=by(methods))
    headers: Mapping[str, Condition] = field(default_factory=dict, metadata=by(mapping_by(condition(MARKER))))
    service: str = field(default="", metadata=by(text))
    upstream: str = field(default="", metadata=by(text))
    rewrite: str | None = field(default=None, metadata=by(_prefix))
    """What stands for `path` in the request that goes on; None: it stays."""
    preserve_host: bool = field(default=False, metadata=by(flag))
    timeout: int = field(default=60_000, metadata=by(duration(1)))
    """Milliseconds until an answer must begin, and between two parts of a body."""
    tries: int = field(default=2, metadata=by(whole(1, 10)))
    """How often a request is sent at most, where it is safe to send it again."""


def _route(node: Node, notes: Notes, path: Path) -> Route | None:
    found = read_record(Route, node, notes, path)
    if found is not None and bool(found.service) == bool(found.upstream):
        notes.error(path, Code.MISSING, "a route leads either to a service or to an upstream", "write one of them")
        return None
    return found


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of the listener's certificate and key."""

    cert: str = field(metadata=by(some_text))
    key: str = field(default="", metadata=by(text))


@dataclass(frozen=True, slots=True)
class Service:
    """How the gateway itself is registered, and where. What is empty comes from the SDK's own settings."""

    name: str = field(metadata=by(some_text))
    version: str = field(default="1.0.0", metadata=by(some_text))
    app: str = field(default="", metadata=by(text))
    engine: str = field(default="", metadata=by(text))
    advertise: str = field(default="", metadata=by(text))


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds. Durations in milliseconds."""

    connections: int = field(default=10_000, metadata=by(whole(1)))
    """Of clients."""
    upstream_connections: int = field(default=1024, metadata=by(whole(1)))
    """To one server."""
    replay_bytes: int = field(default=65_536, metadata=by(whole(0, 2**24)))
    """Of a request's body that are kept so that it can be sent again."""
    head_timeout: int = field(default=10_000, metadata=by(duration(1)))
    idle_timeout: int = field(default=75_000, metadata=by(duration(1)))
    connect_timeout: int = field(default=3_000, metadata=by(duration(1)))
    drain_timeout: int = field(default=30_000, metadata=by(duration(0)))


def _part(record: type[Tls] | type[Service] | type[Limits]) -> Mapping[str, object]:
    return by(lambda node, notes, path: read_record(record, node, notes, path))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """The whole of it. `listen`, `admin`, `tls`, `service` and `limits` count from the start of the process."""

    listen: str = field(default="127.0.0.1:8080", metadata=by(_listen))
    admin: str = field(default="127.0.0.1:8081", metadata=by(_listen))
    tls: Tls | None = field(default=None, metadata=_part(Tls))
    service: Service | None = field(default=None, metadata=_part(Service))
    limits: Limits = field(default_factory=Limits, metadata=_part(Limits))
    trusted_peers: tuple[Network, ...] = field(default=(), metadata=by(list_of(_network)))
    access_log: bool = field(default=True, metadata=by(flag))
    upstreams: Mapping[str, Upstream] = field(default_factory=dict, metadata=by(mapping_by(_upstream)))
    routes: tuple[Route, ...] = field(default=(), metadata=by(list_of(_route)))
    rules: Mapping[str, str] = field(default_factory=dict, metadata=by(mapping_by(some_text)))
    """Items of the rule language by their keys; an item of the engine with the same key goes before."""


def read_config(written: str, *, registered: bool = False) -> tuple[GatewayConfig | None, tuple[Problem, ...]]:
    """Read a configuration; None where it is in error. Nothing raises. `registered`: that the gateway is a service is said elsewhere."""
    notes = Notes()
    config = None
    try:
        node = compose(written)
        if node is None:
            notes.error((), Code.MISSING, "the configuration is empty", "write routes")
        else:
            config = read_record(GatewayConfig, node, notes, ())
            if config is not None:
                _check(config, notes, registered=registered or config.service is not None)
    except ParseError as error:
        notes.places[("?",)] = error.at
        notes.error(("?",), Code.SYNTAX, error.why)
    problems = tuple(sorted(notes.problems, key=lambda problem: problem.at))
    return None if notes.failed else config, problems


def _check(config: GatewayConfig, notes: Notes, *, registered: bool) -> None:
    """What one part says about another."""
    names: set[str] = set()
    for index, route in enumerate(config.routes):
        path: Path = ("routes", index)
        if route.upstream and route.upstream not in config.upstreams:
            known = ", ".join(config.upstreams) or "none"
            notes.error(
                (*path, "upstream"), Code.CHOICE, f"there is no upstream {route.upstream[:100]!r}", f"known are {known}"
            )
        if route.service and not registered:
            notes.error((*path, "service"), Code.MISSING, "services are found as a service", "add service: with a name")
        if label(route) in names:
            notes.error(path, Code.TWICE, f"two routes are called {label(route)[:100]}", "give them different names")
        names.add(label(route))
    _check_rules(config.rules, notes)


def _check_rules(rules: Mapping[str, str], notes: Notes) -> None:
    """What is wrong within an item is told with its place there."""
    for key, written in rules.items():
        if rule_key(key) is None:
            notes.error(
                ("rules", key),
                Code.KEY,
                f"{key[:100]} is the key of no rule",
                "write one such as servicecomb.rateLimiting.all",
            )
        for problem in check(key, written).problems:
            note = notes.error if problem.severity is Severity.ERROR else notes.warn
            note(("rules", key), problem.code, f"in its text, {problem.at}: {problem.why}", problem.instead)


def label(route: Route) -> str:
    """A route's name in metrics and logs."""
    return route.name or f"{route.host}{route.path}"
