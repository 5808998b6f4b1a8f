"""Who polled what: the last polls of clients that name their session. Protocol: KIE section A.11.

They are kept in memory, the newest few thousand, since they say what clients have now and not what anyone must be able to prove. What was
answered is kept as it was answered; polls of the same list share it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from registry.api.call import Call, Reply
from registry.api.kie.bodies import reply
from registry.api.kie.keyvalues import REVISION, list_all
from registry.errors import ConfigError

_MOST = 5000
_MOST_BYTES = 16 * 2**20
_LONGEST = 256
FILTERS = {
    "sessionId": "session_id",
    "ip": "ip",
    "urlPath": "url_path",
    "userAgent": "user_agent",
    "revision": "revision",
}
"""The query's parameters of `track`, and the members of a poll that they must equal."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll: its facts, and the body that answered it."""

    facts: Mapping[str, object]
    body: bytes


class Polls:
    """The polls by domain, project, revision and session: one that comes again takes the place of the former."""

    def __init__(self) -> None:
        self._polls: OrderedDict[tuple[str, str, str], Poll] = OrderedDict()
        self._bytes = 0

    async def tracked_list(self, call: Call) -> Reply:
        """GET kie/kv: list by labels; with `revision` only what is newer, with `wait` as soon as it is there."""
        answer = await list_all(call)
        session = call.header("X-Session-Id")[:_LONGEST]
        if session and answer.status == 200:
            self._note((call.tenant, answer.headers[REVISION], session), call, answer)
        return answer

    async def track(self, call: Call) -> Reply:
        """GET kie/track: the polls of sessions, narrowed by equality."""
        wanted = {member: call.query[name] for name, member in FILTERS.items() if call.query.get(name)}
        found = [
            poll
            for (tenant, _, _), poll in self._polls.items()
            if tenant == call.tenant and all(poll.facts.get(member, "") == value for member, value in wanted.items())
        ]
        if not found:
            raise ConfigError(404001, "can not find any polling data")
        return reply(orjson.dumps({"data": [_shown(poll) for poll in found], "total": len(found)}))

    def _note(self, key: tuple[str, str, str], call: Call, answer: Reply) -> None:
        former = self._polls.pop(key, None)
        poll = self._polls[key] = Poll(_facts(call, answer, *key[1:]), answer.body)
        self._bytes += len(poll.body) - (len(former.body) if former else 0)
        while len(self._polls) > _MOST or self._bytes > _MOST_BYTES:
            _, oldest = self._polls.popitem(last=False)
            self._bytes -= len(oldest.body)


def _shown(poll: Poll) -> Mapping[str, object]:
    listed = poll.body[poll.body.index(b"[") : -1]
    return {**poll.facts, "kv": orjson.Fragment(listed)} if listed != b"[]" else poll.facts


def _facts(call: Call, answer: Reply, revision: str, session: str) -> Mapping[str, object]:
    domain, _, project = call.tenant.partition("/")
    asked = {"revision": "revision", "wait": "wait", "labels": "label"}
    facts = {
        "id": hashlib.sha256(f"{call.tenant}/{revision}/{session}".encode()).hexdigest()[:32],
        "session_id": session,
        "session_group": call.header("X-Session-Group")[:_LONGEST],
        "domain": domain,
        "project": project,
        "polling_data": {member: call.query[name] for member, name in asked.items() if call.query.get(name)},
        "revision": revision,
        "ip": call.address,
        "user_agent": call.header("User-Agent")[:_LONGEST],
        "url_path": f"{call.request.method} {call.request.path}",
        "response_code": answer.status,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    return {name: value for name, value in facts.items() if value}
