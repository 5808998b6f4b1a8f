"""What happened and who did it, as one stream that is searched: changes of records, alarms, protections, releases that went back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import orjson

from registry.api.call import Call, Parameter, Reply, Route, Tenancy, json_reply
from registry.api.checks import check_tenant, number, number_within
from registry.api.events import place_of, position_of
from registry.api.happenings import FILTERS, Wanted
from registry.engine.audit import Entry, entries
from registry.engine.stream import Notice, Position
from registry.errors import invalid

_MOST = 1000
_FEW = 100
_END = 2**62
_STEP, _STEPS = 5000, 60
_PARAMETERS = (
    *FILTERS,
    Parameter("since", "only what happened then or later, in milliseconds since 1970"),
    Parameter("until", "only what happened before"),
    Parameter("before", "only what came before the event of this id"),
    Parameter("after", "only what came after the event of this id"),
    Parameter("limit", "at most so many, 1 to 1000; 100 where it is missing"),
)


async def audit(call: Call) -> Reply:
    """GET /waggle/v1/audit: what happened and who did it, the newest first; `before` of the answer goes on where it ends."""
    limit, wanted = number_within(call, "limit", _FEW, (1, _MOST)), Wanted.of(call, often=True)
    before = position_of(call.query.get("before", ""), "before") or (_END, 0)
    after = position_of(call.query.get("after", ""), "after") or (0, 0)
    since, until = number(call, "since", 0), number(call, "until", _END)
    if since > until:
        raise invalid("since: it is after until")
    found: list[Mapping[str, object]] = []
    async for position, one in _newest_first(call, before):
        if position <= after:
            break
        before = position
        if one is not None and wanted.fits(one):
            row = _shown(one, wanted)
            if since <= int(str(row["at"])) < until:
                found.append(row)
        if len(found) == limit:
            break
    return json_reply({"changes": found, "before": before[0] if not before[1] else place_of(before)})


async def rate(call: Call) -> Reply:
    """GET /waggle/v1/events/rate: how many changes of records were stored in each of the last sixty steps of five seconds."""
    check_tenant(call)
    now = call.engine.now()
    end = now - now % _STEP + _STEP
    counts = [0] * _STEPS
    for at in call.engine.stream.times(call.tenant, end - _STEPS * _STEP):
        counts[max(min((at - end) // _STEP, -1), -_STEPS)] += 1
    return json_reply({"at": now, "step": _STEP, "counts": counts})


def audit_routes() -> Sequence[Route]:
    """The table of routes."""
    about, of_rate = ((handler.__doc__ or "").strip() for handler in (audit, rate))
    return (
        Route("GET", "/waggle/v1/audit", audit, "ops", about, Tenancy.QUERY, parameters=_PARAMETERS),
        Route("GET", "/waggle/v1/events/rate", rate, "service", of_rate, Tenancy.QUERY),
    )


async def _newest_first(call: Call, before: Position) -> AsyncIterator[tuple[Position, Entry | Notice | None]]:
    """What the journal knows and what is remembered beside it, merged; nothing where an event is not of this tenant."""
    engine, services = call.engine, call.engine.catalog.state.existing(call.tenant).services
    notices = [one for one in engine.stream.notices(call.tenant) if one.position < before][::-1]

    def name_of(service_id: str) -> str:
        return services[service_id].key.name if service_id in services else ""

    newest = before[0] + 1 if before[1] else before[0]
    async for revision, entry in entries(engine.journal, call.tenant, newest, name_of):
        while notices and notices[-1].position > (revision, 0):
            one = notices.pop()
            yield one.position, one
        yield (revision, 0), entry
    for one in reversed(notices):
        yield one.position, one


def _shown(one: Entry | Notice, wanted: Wanted) -> Mapping[str, object]:
    if isinstance(one, Notice):
        return {**orjson.loads(one.data), "id": place_of(one.position), "author": "", "record": ""}
    facts = {name: getattr(one, name) for name in ("revision", "at", "author", "kind", "action", "record")}
    if not wanted.reader.sees_authors:
        facts["author"] = ""
    return {"id": str(one.revision), **facts, **one.facts, **({"serviceName": one.service} if one.service else {})}
