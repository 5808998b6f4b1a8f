"""Who changed what, as one stream of registry, configuration and access."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from registry.api.call import Call, Parameter, Reply, Route, Tenancy, json_reply
from registry.engine.audit import Entry, entries
from registry.errors import invalid

_MOST = 1000
_FEW = 100
_NEWEST = 2**62
_PARAMETERS = (
    Parameter("domain", "the domain; `default` where it is missing"),
    Parameter("project", "the project; `default` where it is missing"),
    Parameter(
        "kind",
        "only changes of this kind: service, instance, schema, dependency, config, release, account, role or access",
    ),
    Parameter("author", "only changes by authors whose name or address has this text in it"),
    Parameter("contains", "only changes of records whose path or names have this text in it"),
    Parameter("before", "only changes below this revision"),
    Parameter("limit", "at most so many, 1 to 1000; 100 where it is missing"),
)


async def audit(call: Call) -> Reply:
    """GET /waggle/v1/audit: who changed what, the newest first; `before` of the answer goes on where it ends."""
    limit, before = _number(call, "limit", _FEW), _number(call, "before", _NEWEST)
    if not 1 <= limit <= _MOST:
        raise invalid(f"limit: at least 1 and at most {_MOST}")
    fits = _wanted(call)
    found: list[Mapping[str, object]] = []
    async for revision, entry in entries(call.engine.journal, call.tenant, before):
        before = revision
        if entry is not None and fits(entry):
            found.append(_shown(entry))
        if len(found) == limit:
            break
    return json_reply({"changes": found, "before": before})


def audit_routes() -> Sequence[Route]:
    """The table of routes."""
    about = (audit.__doc__ or "").strip()
    return (Route("GET", "/waggle/v1/audit", audit, "ops", about, Tenancy.QUERY, parameters=_PARAMETERS),)


def _shown(entry: Entry) -> Mapping[str, object]:
    facts = {name: getattr(entry, name) for name in ("revision", "at", "author", "kind", "action", "record")}
    return {**facts, **entry.facts}


def _wanted(call: Call) -> Callable[[Entry], bool]:
    kind, author, part = (call.query.get(name, "") for name in ("kind", "author", "contains"))

    def fits(entry: Entry) -> bool:
        if (kind and entry.kind != kind) or author not in entry.author:
            return False
        return part in entry.record or any(part in str(value) for value in entry.facts.values())

    return fits


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise invalid(f"{name}: a number is expected, not {text[:64]!r}")
    return int(text)
