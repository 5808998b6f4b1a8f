"""The keys of Java Chassis's older handlers: one scalar each, for all callees, for a service, or for an operation."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ruamel.yaml.nodes import ScalarNode

from governance.rules.problems import Code, Notes
from governance.rules.reading import Reader, choice, whole

Value: TypeAlias = "str | int | bool"
_FLAG = choice("true", "false", fold=True)
_COUNT = whole(0)
_PERCENT = whole(0, 100)


@dataclass(frozen=True, slots=True)
class Setting:
    """One key, read. `side` is Consumer, Provider or empty; `scope` is empty, a service, or service.schema.operation."""

    namespace: str
    side: str
    scope: str
    property: str
    value: Value


@dataclass(frozen=True, slots=True)
class _Spec:
    """What a property may be, and what it is where no key says it; None where it is then off."""

    reader: Reader
    default: Value | None


_BIZKEEPER: Mapping[str, Mapping[str, _Spec]] = {
    "isolation": {
        "timeout.enabled": _Spec(_FLAG, default=False),
        "timeoutInMilliseconds": _Spec(_COUNT, 30_000),
        "maxConcurrentRequests": _Spec(_COUNT, 1000),
    },
    "circuitBreaker": {
        "enabled": _Spec(_FLAG, default=True),
        "forceOpen": _Spec(_FLAG, default=False),
        "forceClosed": _Spec(_FLAG, default=False),
        "sleepWindowInMilliseconds": _Spec(_COUNT, 15_000),
        "requestVolumeThreshold": _Spec(_COUNT, 20),
        "errorThresholdPercentage": _Spec(_PERCENT, 50),
    },
    "fallback": {
        "enabled": _Spec(_FLAG, default=True),
        "force": _Spec(_FLAG, default=False),
        "maxConcurrentRequests": _Spec(_COUNT, 10),
    },
    "fallbackpolicy": {"policy": _Spec(choice("returnnull", "throwexception", "fromcache", fold=True), None)},
}
_LOAD_BALANCE: Mapping[str, _Spec] = {
    "strategy.name": _Spec(choice("RoundRobin", "Random", "WeightedResponse", "SessionStickiness"), "RoundRobin"),
    "retryEnabled": _Spec(_FLAG, default=False),
    "retryOnNext": _Spec(_COUNT, 0),
    "retryOnSame": _Spec(_COUNT, 0),
    "waitDuration": _Spec(_COUNT, 1),
    "SessionStickinessRule.sessionTimeoutInSeconds": _Spec(_COUNT, 30),
    "SessionStickinessRule.successiveFailedTimes": _Spec(_COUNT, 5),
    "isolation.enabled": _Spec(_FLAG, default=True),
    "isolation.errorThresholdPercentage": _Spec(_PERCENT, 0),
    "isolation.enableRequestThreshold": _Spec(_COUNT, 5),
    "isolation.continuousFailureThreshold": _Spec(whole(-(2**31)), 5),
    "isolation.singleTestTime": _Spec(_COUNT, 60_000),
    "isolation.maxSingleTestWindow": _Spec(_COUNT, 60_000),
    "isolation.minIsolationTime": _Spec(_COUNT, 3000),
    "isolation.recoverImmediatelyWhenSuccess": _Spec(_FLAG, default=True),
}
_FLOW: Mapping[str, _Spec] = {
    "qps.enabled": _Spec(_FLAG, default=True),
    "qps.global.limit": _Spec(_COUNT, 2**31 - 1),
    "qps.global.bucket": _Spec(_COUNT, None),
    "qps.limit": _Spec(_COUNT, None),
    "qps.bucket": _Spec(_COUNT, None),
    "strategy": _Spec(choice("FixedWindow", "LeakyBucket", "TokenBucket"), "FixedWindow"),
}
_FAULT: Mapping[str, _Spec] = {
    "delay.fixedDelay": _Spec(whole(-1), None),
    "delay.percent": _Spec(whole(-1, 100), None),
    "abort.httpStatus": _Spec(whole(-1, 600), None),
    "abort.percent": _Spec(whole(-1, 100), None),
}
_SIDED = re.compile(r"(isolation|circuitBreaker|fallback|fallbackpolicy)\.(Consumer|Provider)\.(.+)")
_QPS = re.compile(r"flowcontrol\.(Consumer|Provider)\.(qps\..+)")
_FAULTS = re.compile(r"governance\.Consumer\.(.+)\.policy\.fault\.protocols\.(rest|highway)\.(.+)")
_PLAIN = re.compile(
    r"loadbalance\.(?:enabled|(?:filter|stats|userDefinedEndpoint)\..+"
    r"|(?:.+\.)?(?:transactionControl\..+|emptyInstanceProtectionEnabled))"
)
_FAULT_SCOPE = re.compile(r"(.+?)(?:\.schemas\.(.+?)(?:\.operations\.(.+))?)?")


@dataclass(frozen=True, slots=True)
class LegacyKey:
    """A key of this kind, taken apart; `known` are the properties that its namespace has."""

    namespace: str
    side: str
    rest: str
    known: Mapping[str, _Spec]
    fault_scope: str | None = None


def is_plain(rest: str) -> bool:
    """Whether what follows `servicecomb.` or `cse.` is a switch or a fact of load balancing, which looks like a policy but is no rule."""
    return _PLAIN.fullmatch(rest) is not None


def legacy_key(rest: str) -> LegacyKey | None:
    """What a key is that follows `servicecomb.` or `cse.`; None where it is none of these."""
    if found := _SIDED.fullmatch(rest):
        return LegacyKey(found[1], found[2], found[3], _BIZKEEPER[found[1]])
    if found := _QPS.fullmatch(rest):
        return LegacyKey("flowcontrol", found[1], found[2], _FLOW)
    if rest == "flowcontrol.strategy":
        return LegacyKey("flowcontrol", "", "strategy", _FLOW)
    if found := _FAULTS.fullmatch(rest):
        return LegacyKey("fault", "Consumer", f"{found[2]}.{found[3]}", _FAULT, _fault_scope(found[1]))
    if rest.startswith("loadbalance.") and _ending(rest.removeprefix("loadbalance."), _LOAD_BALANCE):
        return LegacyKey("loadbalance", "", rest.removeprefix("loadbalance."), _LOAD_BALANCE)
    return None


def _fault_scope(written: str) -> str:
    found = _FAULT_SCOPE.fullmatch(written)
    return "" if written == "_global" or found is None else ".".join(part for part in found.groups() if part)


def _ending(rest: str, known: Iterable[str]) -> str | None:
    """The property at the end of a key, the longest that fits."""
    return max((name for name in known if rest == name or rest.endswith(f".{name}")), key=len, default=None)


def asked_by(key: LegacyKey) -> tuple[Reader, Value | None] | None:
    """What the value of a key must be, and what it is where no key says it; None where the key is in error."""
    found = _scope_and_property(key)
    return (key.known[found[1]].reader, key.known[found[1]].default) if found is not None else None


def _scope_and_property(key: LegacyKey) -> tuple[str, str] | None:
    return _qps_parts(key) if key.namespace == "flowcontrol" else _parts(key)


def read_legacy(key: LegacyKey, value: str, notes: Notes) -> Setting | None:
    """Read a value; None where the key or the value is in error."""
    found = _scope_and_property(key)
    if found is None:
        near = difflib.get_close_matches(key.rest.rpartition(".")[2][:100], [*key.known], 1, 0.5)
        notes.error((), Code.KEY, "the key ends in nothing that is known", f"write {' or '.join(near or key.known)}")
        return None
    scope, name = found
    if key.namespace in _BIZKEEPER and scope.count(".") == 1:
        notes.warn(
            (), Code.NO_EFFECT, "a schema has no setting of its own", "name a service, or service.schema.operation"
        )
    read = key.known[name].reader(ScalarNode("tag:yaml.org,2002:str", value.strip()), notes, (name,))
    if read is None:
        return None
    typed = read == "true" if key.known[name].reader is _FLAG else read
    return Setting(key.namespace, key.side, scope, _property(key, name), typed)


def _property(key: LegacyKey, name: str) -> str:
    return f"{key.rest.partition('.')[0]}.{name}" if key.namespace == "fault" else name


def _parts(key: LegacyKey) -> tuple[str, str] | None:
    if key.fault_scope is not None:
        name = key.rest.partition(".")[2]
        return (key.fault_scope, name) if name in key.known else None
    name = _ending(key.rest, key.known) or ""
    return (key.rest.removesuffix(name).removesuffix("."), name) if name else None


def _qps_parts(key: LegacyKey) -> tuple[str, str] | None:
    if key.rest in key.known and key.rest not in ("qps.limit", "qps.bucket"):
        return "", key.rest
    for name in ("qps.limit", "qps.bucket"):
        scope = key.rest.removeprefix(f"{name}.")
        if scope and scope != key.rest:
            return scope, name
    return None


def legacy_text(setting: Setting) -> str:
    """A setting's value as it is written."""
    return str(setting.value).lower() if isinstance(setting.value, bool) else str(setting.value)


class Settings:
    """All settings that a service reads, found by what they are for: made once for many calls. Of equal keys, the last counts."""

    def __init__(self, settings: Iterable[Setting] = ()) -> None:
        self._values: dict[tuple[str, str, str], dict[str, Value]] = {}
        for one in settings:
            self._values.setdefault((one.namespace, one.side, one.property), {})[one.scope] = one.value

    def scopes(self, namespace: str, side: str, name: str) -> Mapping[str, Value]:
        """The values of a property, by scope."""
        return self._values.get((namespace, side, name), _NONE)


_NONE: Mapping[str, Value] = {}
_DEFAULTS: Mapping[str, Mapping[str, _Spec]] = {**_BIZKEEPER, "loadbalance": _LOAD_BALANCE, "flowcontrol": _FLOW}


def setting_of(settings: Settings, namespace: str, side: str, name: str, target: tuple[str, str, str]) -> Value | None:
    """What holds for a call of (service, schema, operation): the narrowest that is set, else the default.

    Narrowest first these are the operation's, the schema's where there is such a one, the service's, and that for all.
    """
    found = settings.scopes(namespace, side, name)
    if found:
        service, schema, operation = target
        of_schema = () if namespace in _BIZKEEPER else (f"{service}.{schema}",)
        for scope in (f"{service}.{schema}.{operation}", *of_schema, service, ""):
            if scope in found:
                return found[scope]
    return None if namespace == "fault" else _DEFAULTS[namespace][name].default


def qps_limit(settings: Settings, side: str, target: tuple[str, str, str]) -> tuple[str, int]:
    """The limit in calls a second, and the scope whose counter is shared; for a provider the service is the caller."""
    limits = settings.scopes("flowcontrol", side, "qps.limit")
    if limits:
        service, schema, operation = target
        for scope in (
            f"{service}.{schema}.{operation}", f"{service}.{schema}", service,
            f"ANY.{schema}.{operation}", f"ANY.{schema}", "ANY",
        ):  # fmt: skip
            if scope in limits:
                return scope, int(limits[scope])
    return "", int(settings.scopes("flowcontrol", side, "qps.global.limit").get("", 2**31 - 1))
