"""The alarms that are raised, and those that were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from registry.alarms import Alarm
from registry.alarms.rules import SEVERITIES
from registry.api.call import Call, Reply, json_reply
from registry.api.checks import number_within
from registry.engine.sweeping import shown
from registry.errors import invalid

_STATES = ("raised", "over", "all")
_MOST = 1000


async def list_all(call: Call) -> Reply:
    """GET alarms: those that are raised, the worst first, and on request those that are over, the newest first."""
    state, limit, fits = (
        call.query.get("state") or "raised",
        number_within(call, "limit", 100, (1, _MOST)),
        _wanted(call),
    )
    if state not in _STATES:
        raise invalid(f"state: one of {', '.join(_STATES)}")
    board, tenant = call.engine.alarming.board, call.tenant
    raised = sorted(board.active(tenant), key=_order)
    rows = [_row(call, one) for one in raised if state != "over" and fits(one)]
    over = filter(fits, board.history(tenant) if state != "raised" else ())
    counts = {severity: sum(one.severity == severity for one in raised) for severity in SEVERITIES}
    return json_reply({"alarms": rows, "over": [shown(one) for one in islice(over, limit)], "counts": counts})


def _order(alarm: Alarm) -> tuple[int, int]:
    return SEVERITIES.index(alarm.severity), -alarm.since


def _row(call: Call, alarm: Alarm) -> Mapping[str, object]:
    """A raised alarm, with who silenced it, if anyone did."""
    alarming = call.engine.alarming
    silence = alarming.silenced(alarm, call.engine.now())
    told = silence is None and alarming.is_on(alarm)
    return {**shown(alarm), "silenced": silence.document if silence else None, "told": told}


def _wanted(call: Call) -> Callable[[Alarm], bool]:
    query = call.query
    least, rule, service = (query.get(name, "") for name in ("severity", "rule", "service"))
    if least and least not in SEVERITIES:
        raise invalid(f"severity: one of {', '.join(SEVERITIES)}")
    severities = SEVERITIES[: SEVERITIES.index(least) + 1] if least else SEVERITIES

    def tests(alarm: Alarm) -> Iterator[bool]:
        yield alarm.severity in severities
        yield rule in ("", alarm.rule)
        yield service in ("", alarm.source.service)

    return lambda alarm: all(tests(alarm))
