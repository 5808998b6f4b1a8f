"""Degradation: a consumer no longer calls a service, or one operation of it, and gets nothing or an error at once instead.

Each runtime knows it in a form of its own and ignores the others', so all forms are written: the fallback keys of Java Chassis 2, fault
injection by a traffic marker for Spring Cloud Huawei, and the fault keys of Java Chassis 3. All are read by the consumer, so they are at
its own level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from governance.rules.conditions import Condition, Operator
from governance.rules.marker import Match, MatchGroup
from governance.rules.objects.items import PREFIX, Item, Place
from governance.rules.policies import FaultInjection
from governance.rules.printing import plain_record, print_plain, print_rule
from governance.rules.problems import Code, Notes
from governance.rules.reading import by, choice, some_text, text, whole

THROW = "throwexception"
POLICIES = ("returnnull", THROW, "fromcache")
_KEY = f"{PREFIX}degrade."
_FIRST = -100
"""The order of the fault, so that no other fault of the consumer goes before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrade:
    """What `consumer` no longer calls: `target` is a service, or service.schema.operation.

    `error_code` is the status that it gets by throwexception. Spring Cloud Huawei knows no operations: for one, `path` is the beginning of
    its path there, and without it that form is not written.
    """

    consumer: str = field(metadata=by(some_text, "the service that calls"))
    target: str = field(metadata=by(some_text, "what it no longer calls: a service, or service.schema.operation"))
    app: str = field(metadata=by(some_text, "the application of both"))
    environment: str = field(default="", metadata=by(text, "the environment of the consumer"))
    policy: str = field(
        default=POLICIES[0],
        metadata=by(
            choice(*POLICIES, fold=True),
            "what the caller gets: nothing (returnnull), an error (throwexception), or the last good answer of the operation (fromcache)",
        ),
    )
    error_code: int = field(default=500, metadata=by(whole(200, 600), "the status of the error"))
    path: str = field(default="", metadata=by(text, "for an operation: how its path begins"))
    reason: str = field(default="", metadata=by(text, "why, for those who look later"))

    @property
    def place(self) -> Place:
        """Where its item is; all others have the same labels."""
        return degrade_place(self.consumer, self.target, self.app, self.environment)

    @property
    def operation(self) -> tuple[str, str, str] | None:
        """Service, schema and operation; None where the target is a whole service."""
        parts = self.target.split(".")
        return (parts[0], parts[1], parts[2]) if len(parts) == 3 and all(parts) else None

    @property
    def service(self) -> str:
        """The service that is called, or that has the operation."""
        return self.operation[0] if self.operation else self.target


def degrade_place(consumer: str, target: str, app: str, environment: str) -> Place:
    """Where the degradation of a target is kept."""
    return Place(f"{_KEY}{consumer}.{target}", {"app": app, "environment": environment, "service": consumer})


def check_degrade(degrade: Degrade, notes: Notes) -> None:
    """Note what single fields do not show."""
    if degrade.path and not degrade.operation:
        notes.error(("path",), Code.TWICE, "a path is for an operation", "name service.schema.operation, or no path")
    if degrade.path and not degrade.path.startswith("/"):
        notes.error(("path",), Code.TYPE, f"{degrade.path[:100]!r} is no path", "begin it with /")


def degrade_items(degrade: Degrade) -> Sequence[Item]:
    """The item that keeps the degradation, then those that do it."""
    written = {degrade.place.key: print_plain(plain_record(degrade))}
    for form in (_fallback, _marker, _fault):
        written |= form(degrade)
    return [Item(key, degrade.place.labels, value) for key, value in written.items()]


def _fallback(degrade: Degrade) -> Mapping[str, str]:
    target = degrade.target
    return {
        f"servicecomb.fallback.Consumer.{target}.force": "true",
        f"servicecomb.fallbackpolicy.Consumer.{target}.policy": degrade.policy,
    }


def _marker(degrade: Degrade) -> Mapping[str, str]:
    path = degrade.path if degrade.operation else "/"
    if not path:
        return {}
    name = f"degrade-{degrade.target}"
    asked = Match(api_path=Condition({Operator.PREFIX: path}), service_name=degrade.service)
    kind = "ThrowException" if degrade.policy == THROW else "ReturnNull"
    fault = FaultInjection(
        name=name, order=_FIRST, type="abort", percentage=100, error_code=degrade.error_code, fallback_type=kind
    )
    return {
        f"servicecomb.matchGroup.{name}": print_rule(MatchGroup(name, (asked,))),
        f"servicecomb.faultInjection.{name}": print_rule(fault),
    }


def _fault(degrade: Degrade) -> Mapping[str, str]:
    scope = degrade.target
    if degrade.operation:
        service, schema, operation = degrade.operation
        scope = f"{service}.schemas.{schema}.operations.{operation}"
    begin = f"servicecomb.governance.Consumer.{scope}.policy.fault.protocols"
    abort = {"percent": "100", "httpStatus": str(degrade.error_code)}
    return {
        f"{begin}.{protocol}.abort.{name}": value for protocol in ("rest", "highway") for name, value in abort.items()
    }


def degrade_of(values: Mapping[str, str], labels: Mapping[str, str]) -> Sequence[Degrade]:
    """The degradations of which all that the fallback keys say is there, at the labels of one consumer; whoever wrote them."""
    if set(labels) != {"app", "environment", "service"}:
        return []
    begin, end = "servicecomb.fallback.Consumer.", ".force"
    targets = [key[len(begin) : -len(end)] for key in values if key.startswith(begin) and key.endswith(end)]
    found = []
    for target in filter(None, targets):
        policy = values.get(f"servicecomb.fallbackpolicy.Consumer.{target}.policy", "").strip().lower()
        if values[f"{begin}{target}{end}"].strip().lower() == "true" and policy in POLICIES:
            found.append(
                Degrade(
                    consumer=labels["service"],
                    target=target,
                    app=labels["app"],
                    environment=labels["environment"],
                    policy=policy,
                )
            )
    return found
