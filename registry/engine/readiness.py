"""Who would break if access control were enforced: every registered instance, by what it did within the last hour.

What an instance sends is judged by the roles as they are now, so a permission that was missing counts as soon as it is given. Requests
that name their service but not their instance are an instance's where its address, or there being no other one, tells which.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import orjson

from registry.access import Access
from registry.access.callers import NONE, VALID, Act, Caller, Origin
from registry.access.records import Scope
from registry.catalog import Catalog
from registry.catalog.records import Instance, Service
from registry.engine.askers import hosts
from registry.engine.logins import Login, login_of
from registry.engine.runtimes import runtime_of

UNHEARD = "unknown"
"""The credentials of an instance that has not been heard."""
_AT_ONCE = 500
_SILENCE = 5 * 60_000
"""Ten times as long, in milliseconds, as clients usually wait between asking for providers."""
_WORDS = {
    NONE: "sends no credentials",
    "invalid": "sends a token that is none",
    "expired": "sends a token that has ended",
    "deleted": "sends the token of an account that is deleted",
}


@dataclass(frozen=True, slots=True)
class Row:
    """An instance, or an address where there is none (`instance`); `why` it would break: not at all where there is nothing."""

    origin: Origin
    service: Service | None
    instance: Instance | None
    is_there: bool
    credentials: str
    account: str
    roles: Sequence[str]
    did: Sequence[str]
    last: int
    refused: Mapping[str, int]
    why: Sequence[str]

    @property
    def breaks(self) -> bool:
        """Whether it would break: what has left would not."""
        return bool(self.why) and self.is_there

    @property
    def login(self) -> Login | None:
        """What is to be set in it, where it would break."""
        return login_of(runtime_of(self.service)) if self.service is not None and self.breaks else None


@dataclass(frozen=True, slots=True)
class Readiness:
    """All rows, those that would break first. `others` are callers that are no registered instance, or cannot be told from another."""

    instances: Sequence[Row]
    others: Sequence[Row]

    @property
    def breaking(self) -> Sequence[Row]:
        """What would break of what is registered."""
        return [row for row in (*self.instances, *self.others) if row.breaks and row.service is not None]


async def assess(access: Access, catalog: Catalog, scope: Scope, now: int) -> Readiness:
    """Judge everything that is registered, as if enforcement had this scope. Others are served meanwhile."""
    callers = _Callers(catalog, access.callers.heard(now))
    rows: list[Row] = []
    for service in _services(catalog):
        for instance in tuple(catalog.state.existing(service.tenant).instances_of(service.service_id).values()):
            rows.append(_judged(access, scope, now, callers.of(service, instance), service, instance))
            if len(rows) % _AT_ONCE == 0:
                await asyncio.sleep(0)
    others = [_judged(access, scope, now, (caller,), callers.service_of(caller), None) for caller in callers.left()]
    return Readiness(_sorted(rows), _sorted(others))


class _Callers:
    """Who was heard, by the instance that it is."""

    def __init__(self, catalog: Catalog, heard: Iterable[Caller]) -> None:
        self._catalog = catalog
        self._of: dict[tuple[str, str, str], list[Caller]] = {}
        self._left: list[Caller] = []
        self._by_host = _by_host(catalog)
        for caller in heard:
            found = self._instance_of(caller.origin)
            if found is None:
                self._left.append(caller)
            else:
                self._of.setdefault((found.tenant, found.service_id, found.instance_id), []).append(caller)

    def of(self, service: Service, instance: Instance) -> Sequence[Caller]:
        """The callers that are an instance."""
        return self._of.get((service.tenant, service.service_id, instance.instance_id), ())

    def left(self) -> Sequence[Caller]:
        """The callers that are none, or one of several."""
        return self._left

    def service_of(self, caller: Caller) -> Service | None:
        """The registered service that a caller says it is of."""
        origin = caller.origin
        return self._catalog.state.existing(origin.tenant).services.get(origin.service_id)

    def _instance_of(self, origin: Origin) -> Instance | None:
        tenant = self._catalog.state.existing(origin.tenant)
        if origin.service_id:
            own = tenant.instances_of(origin.service_id)
            if origin.instance_id:
                return own.get(origin.instance_id)
            here = [instance for instance in own.values() if origin.address in hosts(instance.encoded)]
            return _only(here or list(own.values()))
        here = self._by_host.get((origin.tenant, origin.address), [])
        if origin.instance_id:
            return _only([instance for instance in here if instance.instance_id == origin.instance_id])
        return _only([one for one in here if _is_of(tenant.services.get(one.service_id), origin)])


def _by_host(catalog: Catalog) -> Mapping[tuple[str, str], list[Instance]]:
    found: dict[tuple[str, str], list[Instance]] = {}
    for name, tenant in catalog.state.tenants.items():
        for service_id in tenant.services:
            for instance in tenant.instances_of(service_id).values():
                for host in hosts(instance.encoded):
                    found.setdefault((name, host), []).append(instance)
    return found


def _only(found: Sequence[Instance]) -> Instance | None:
    return found[0] if len(found) == 1 else None


def _is_of(service: Service | None, origin: Origin) -> bool:
    """Whether a request for configuration may be a service's; one that says nothing of itself is an operator's just as well."""
    if service is None or not origin.app:
        return False
    return origin.app == service.key.app and origin.service in ("", service.key.name)


def _services(catalog: Catalog) -> Sequence[Service]:
    return [
        service
        for tenant in catalog.state.tenants.values()
        for service in tuple(tenant.services.values())
        if not catalog.services.is_shared(service)
    ]


def _sorted(rows: list[Row]) -> Sequence[Row]:
    return sorted(rows, key=lambda row: (not row.breaks, row.service is None, row.origin))


def _judged(
    access: Access,
    scope: Scope,
    now: int,
    callers: Sequence[Caller],
    service: Service | None,
    instance: Instance | None,
) -> Row:
    did = _of_now([act for caller in callers for act in caller.recent(now)])
    acts = [act for act in did if scope.covers(act.need.resource, act.about)]
    newest = max(acts, key=attrgetter("at"), default=None)
    worst = next((act for act in acts if act.credentials != VALID), newest)
    identity = newest.identity if newest is not None else None
    refused: dict[str, int] = {}
    for caller in callers:
        for reason, number in caller.refused.items():
            refused[reason] = refused.get(reason, 0) + number
    origin = callers[0].origin if callers else Origin(instance.tenant if instance else "", "")
    if service is not None and instance is not None:
        origin = Origin(service.tenant, origin.address, service.service_id, instance.instance_id)
    return Row(
        origin,
        service,
        instance,
        _is_there(callers, service, instance, now),
        worst.credentials if worst is not None else UNHEARD,
        identity.account if identity is not None else "",
        _enough(access, acts),
        sorted({f"{act.need.resource}:{act.need.verb}" for act in acts}),
        max((caller.last for caller in callers), default=0),
        refused,
        _why(access, acts) if callers else ["has not been heard since access control began to observe"],
    )


def _is_there(callers: Sequence[Caller], service: Service | None, instance: Instance | None, now: int) -> bool:
    """Whether callers may still call: one that names an instance which is not registered has left, or is offline already; one of a
    service that has been silent for minutes was an instance that has been replaced.
    """
    if instance is not None:
        return True
    (caller,) = callers
    return not caller.origin.instance_id and (service is None or now - caller.last <= _SILENCE)


def _of_now(acts: Sequence[Act]) -> Sequence[Act]:
    """What was done before good credentials came is judged with these: whoever has them now sends them with all that it does.

    Those of one moment are in the order in which they were done: the clock of what is noted stands still between ticks.
    """
    ordered = sorted(acts, key=attrgetter("at"))
    last = max((place for place, act in enumerate(ordered) if act.identity is not None), default=0)
    return [
        act._replace(identity=ordered[last].identity, credentials=VALID)
        if act.identity is None and place < last
        else act
        for place, act in enumerate(ordered)
    ]


def _why(access: Access, acts: Iterable[Act]) -> Sequence[str]:
    reasons: dict[str, None] = {}
    for act in acts:
        if act.identity is None:
            reasons[f"{_WORDS.get(act.credentials, act.credentials)}, for {act.need.resource}:{act.need.verb}"] = None
        elif (refusal := access.permit(act.identity, act.need)) is not None:
            reasons[f"account {act.identity.account}: {refusal.detail}"] = None
    return list(reasons)


def _enough(access: Access, acts: Sequence[Act]) -> Sequence[str]:
    """The roles of the tokens each of which allows all that was done by itself."""
    identities = [act.identity for act in acts if act.identity is not None]
    names = dict.fromkeys(role for identity in identities for role in identity.roles)
    return [
        name
        for name in names
        if identities and all(access.permit(replace(identities[0], roles=(name,)), act.need) is None for act in acts)
    ]


def document(row: Row, began: int, now: int) -> Mapping[str, object]:
    """A row as the API shows it."""
    shown: dict[str, object] = {
        "address": row.origin.address,
        "instanceId": row.origin.instance_id,
        **_of_service(row),
        **_of_instance(row),
        "credentials": row.credentials,
        "account": row.account,
        "roles": row.roles,
        "did": row.did,
        "lastSeen": row.last,
        "refused": row.refused,
        "breaks": row.breaks,
        "why": row.why,
    }
    if row.login is not None:
        shown["login"] = _login(row.login, began, now)
    return {name: value for name, value in shown.items() if value not in ("", 0, {}) or name == "breaks"}


def _of_service(row: Row) -> Mapping[str, object]:
    service = row.service
    if service is None:
        return {"serviceId": row.origin.service_id, "app": row.origin.app, "service": row.origin.service}
    key = service.key
    return {
        "serviceId": service.service_id,
        "app": key.app,
        "environment": key.environment,
        "service": key.name,
        "version": service.version,
        "runtime": str(runtime_of(service)),
    }


def _of_instance(row: Row) -> Mapping[str, object]:
    found = orjson.loads(row.instance.encoded) if row.instance is not None else {}
    return {"hostName": found.get("hostName", ""), "endpoints": found.get("endpoints") or ""}


def _login(login: Login, began: int, now: int) -> Mapping[str, object]:
    left = None if login.seconds is None else max(0, login.seconds - (now - began) // 1000)
    return {
        "runtime": login.runtime,
        "asksAgain": login.again,
        "withinSeconds": left,
        "properties": login.properties,
        "variables": login.variables,
    }
