"""What becomes of one request from a consumer to a callee: which rules apply at each side, where it goes, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from governance.rules.check import rule_key
from governance.rules.distribution import Target
from governance.rules.explain.access import KINDS as ACCESS
from governance.rules.explain.access import explain_access, explain_security
from governance.rules.explain.model import Considered, Item, Process, Read, Routing, Side, Verdict
from governance.rules.explain.policies import explain_policies, unread, wrong
from governance.rules.explain.routes import ROUTED, ROUTES, explain_routes
from governance.rules.explain.settings import Call, explain_settings
from governance.rules.marker import Request
from governance.rules.runtimes import Family
from governance.rules.selection import OwnService

__all__ = [
    "Considered",
    "Item",
    "Process",
    "Read",
    "Routing",
    "Side",
    "Verdict",
    "explain_consumer",
    "explain_provider",
]
_AT_CONSUMER = ("retry", "loadbalance", "instanceIsolation", "instanceBulkhead", "timeLimiter", "faultInjection")
_OLDER_AT_CONSUMER = (
    "loadbalance",
    "flowcontrol",
    "fault",
    "isolation",
    "circuitBreaker",
    "fallback",
    "fallbackpolicy",
)
_BEFORE_LIMITS = ("mapper", "contextMapper")
_AT_PROVIDER = ("identifierRateLimiting", "rateLimiting", "circuitBreaker", "bulkhead")
_OLDER_AT_PROVIDER = ("flowcontrol", "isolation", "circuitBreaker", "fallback", "fallbackpolicy")
_MARKER = ("matchGroup",)
_OF_CONSUMER = frozenset((*_MARKER, *_AT_CONSUMER, *_OLDER_AT_CONSUMER, *ROUTES))
_OF_PROVIDER = frozenset((*_MARKER, *_BEFORE_LIMITS, *ACCESS, *_AT_PROVIDER, *_OLDER_AT_PROVIDER))


def _reads(process: Process, kinds: Collection[str], callee: str = "") -> Sequence[Read]:
    """The items of a process that are rules of some kinds, checked for its runtime; of route rules, those for a callee."""
    runtimes = (process.runtime,) if process.runtime is not None else ()
    keys = ((item, rule_key(item.key)) for item in process.items)
    return [
        Read(item, key, process.check(item.key, item.value, runtimes), process.runtime)
        for item, key in keys
        if key is not None and key.kind in kinds and (key.kind not in ROUTES or key.name in (callee, ""))
    ]


def explain_consumer(
    consumer: Process, callee: str, request: Request, instances: Sequence[Target], operation: tuple[str, str] = ("", "")
) -> tuple[Side, Routing[Target]]:
    """What the consumer does with a request to a callee, and which of the instances it goes to."""
    asked = replace(
        request, service_name=callee, source=consumer.name, source_tags={**(consumer.facts or {}), **_named(consumer)}
    )
    reads, own = _reads(consumer, _OF_CONSUMER, callee), OwnService(consumer.name, consumer.version)
    older = list(explain_settings(reads, _OLDER_AT_CONSUMER, "Consumer", (callee, *operation)))
    rows = (*wrong(reads, _MARKER), *explain_policies(reads, _AT_CONSUMER, asked, own), *older)
    routing = explain_routes(reads, callee, asked, instances)
    degraded = f"{callee} is never called: it is degraded" if _degraded(older) else ""
    return Side(rows, tuple(filter(None, (degraded, _drawn_otherwise(consumer, routing))))), routing


def _drawn_otherwise(consumer: Process, routing: Routing[Target]) -> str:
    """What older runtimes do with a share that no item of the rule has instances for. Protocol: governance, 4.6 and 4.7."""
    runtime, rule = consumer.runtime, routing.rule
    if runtime is None or rule is None or all(one.why.startswith(ROUTED) for one in routing.outcomes):
        return ""
    if runtime.before(2, 8, 10) and len(rule.route) == 1:
        return f"{runtime} sends all requests to the only item, or to the latest version where it has no instance"
    if runtime.before(2, 8, 10):
        return f"{runtime} sends what is for no item, or for one without instances, to the latest version instead"
    if runtime.family is Family.GO:
        return (
            f"{runtime} sends what is for no item to the latest version, and answers 503 where an item has no instance"
        )
    return ""


def explain_provider(
    provider: Process, consumer: Process, request: Request, operation: tuple[str, str] = ("", "")
) -> Side:
    """What the callee does with the request. It does not know by which name it was called; some take the caller's for it."""
    known = consumer.name if provider.runtime is not None and provider.runtime.names_callers else None
    asked = replace(request, service_name=known, source=consumer.name)
    reads, own = _reads(provider, _OF_PROVIDER), OwnService(provider.name, provider.version)
    facts = {**consumer.facts, **_named(consumer)} if consumer.facts is not None else None
    (lists, listed), (policy, allowed) = explain_access(reads, facts), explain_security(reads, asked)
    caller: Call = (consumer.name, *operation)
    called: Call = (provider.name, *operation)
    rows = (
        *wrong(reads, _MARKER),
        *explain_policies(reads, _BEFORE_LIMITS, asked, own),
        *lists,
        *policy,
        *unread(reads, ACCESS),
        *wrong(reads, ACCESS),
        *explain_policies(reads, _AT_PROVIDER, asked, own),
        *explain_settings(reads, _OLDER_AT_PROVIDER[:1], "Provider", caller),
        *explain_settings(reads, _OLDER_AT_PROVIDER[1:], "Provider", called),
    )
    return Side(rows, tuple(filter(None, (listed, allowed))))


def _named(process: Process) -> Mapping[str, str]:
    return {"serviceName": process.name, "appId": process.app, "version": process.version}


def _degraded(older: Sequence[Considered]) -> bool:
    return any(
        one.kind == "fallback" and one.verdict is Verdict.APPLIES and one.does == "force = true" for one in older
    )
