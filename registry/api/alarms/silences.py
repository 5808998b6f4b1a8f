"""What operators say of alarms: that they know of one, that some are to be told to nobody for a while, that one is over."""

from __future__ import annotations

from registry.alarms import Silence
from registry.api.alarms.asked import members_of, named
from registry.api.call import EMPTY, Call, Reply, json_reply
from registry.api.stored import of_stored
from registry.errors import RegistryError, invalid

_DAY = 86400
_LONGEST_NOTE = 500
_LONGEST_ID = 1000
_NOTED = {"seconds": int, "note": str}


async def acknowledge(call: Call) -> Reply:
    """PUT acknowledgement: somebody knows of an alarm: until it is over, or so many seconds long, it is told to nobody."""
    return await _silence(call, named(call, "id"), members_of(call, _NOTED), acknowledged=True)


async def take_back(call: Call) -> Reply:
    """DELETE acknowledgement: nobody has acknowledged the alarm."""
    engine, tenant, alarm = call.engine, call.tenant, named(call, "id")
    if engine.alarming.state.table(tenant).acknowledgement(alarm) is None:
        raise RegistryError(404001, f"nobody has acknowledged {alarm[:256]!r}")
    await call.execute(lambda: engine.alarming.end_acknowledgement(tenant, alarm, engine.now()))
    return EMPTY


async def dismiss(call: Call) -> Reply:
    """DELETE alarms: an alarm is over, for now: what is still wrong raises it again."""
    engine, alarm = call.engine, named(call, "id")
    why = f"{call.author} dismissed it"
    if not engine.alarming.board.clear(call.tenant, alarm, engine.now(), why):
        raise RegistryError(404001, f"no alarm {alarm[:256]!r} is raised")
    return EMPTY


@of_stored
async def list_all(call: Call) -> Reply:
    """GET silences: what is told to nobody, acknowledgements among them."""
    now, silences = call.engine.now(), call.engine.alarming.state.table(call.tenant).silences.values()
    return json_reply({"silences": [one.document for one in silences if now < one.until]})


async def put(call: Call) -> Reply:
    """PUT silences: alarms whose ids are like a pattern are told to nobody for so many seconds."""
    given = members_of(call, {"alarm": str, **_NOTED})
    return await _silence(call, str(given.get("alarm", "")), given, acknowledged=False)


async def delete(call: Call) -> Reply:
    """DELETE silences: end one."""
    engine, name = call.engine, named(call, "id")
    await call.execute(lambda: engine.alarming.unsilence(call.tenant, name, engine.now()))
    return EMPTY


async def _silence(call: Call, alarm: str, given: dict[str, object], *, acknowledged: bool) -> Reply:
    engine, at = call.engine, call.engine.now()
    seconds, note = int(str(given.get("seconds", _DAY))), str(given.get("note", ""))
    if not alarm or len(alarm) > _LONGEST_ID or (not acknowledged and "[" in alarm):
        raise invalid("alarm: the id of an alarm is expected, in which '*' may stand for any text")
    if len(note) > _LONGEST_NOTE or not 0 < seconds < 2**31:
        raise invalid(f"seconds: more than 0 are expected, and a note of {_LONGEST_NOTE} characters at most")
    silence = Silence(call.tenant, alarm, at + seconds * 1000, call.author, at, note, acknowledged, revision=0)
    kept = await call.execute(lambda: engine.alarming.silence(silence, engine.now()))
    return json_reply(kept.document)
