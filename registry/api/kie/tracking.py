"""Who polled what: the last polls of clients that name their session. Protocol: KIE section A.11.

They are kept in memory, the newest few thousand, since they say what clients have now and not what anyone must be able to prove.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from registry.api.call import Call, Reply, json_reply
from registry.api.kie.keyvalues import REVISION, list_all
from registry.errors import ConfigError

_MOST = 5000
_FILTERS = {
    "sessionId": "session_id",
    "ip": "ip",
    "urlPath": "url_path",
    "userAgent": "user_agent",
    "revision": "revision",
}
Poll = Mapping[str, object]


class Polls:
    """The polls by domain, project, revision and session: one that comes again takes the place of the former."""

    def __init__(self) -> None:
        self._polls: OrderedDict[tuple[str, str, str], Poll] = OrderedDict()

    async def tracked_list(self, call: Call) -> Reply:
        """GET kie/kv: list by labels; with `revision` only what is newer, with `wait` as soon as it is there."""
        reply = await list_all(call)
        session = call.header("X-Session-Id")
        if session and reply.status == 200:
            self._note(call, reply, session[:256])
        return reply

    async def track(self, call: Call) -> Reply:
        """GET kie/track: the polls of sessions, narrowed by equality."""
        wanted = {member: call.query[name] for name, member in _FILTERS.items() if call.query.get(name)}
        found = [
            poll
            for (tenant, _, _), poll in self._polls.items()
            if tenant == call.tenant and all(poll.get(member, "") == value for member, value in wanted.items())
        ]
        if not found:
            raise ConfigError(404001, "can not find any polling data")
        return json_reply({"data": found, "total": len(found)})

    def _note(self, call: Call, reply: Reply, session: str) -> None:
        revision = reply.headers[REVISION]
        key = (call.tenant, revision, session)
        self._polls.pop(key, None)
        self._polls[key] = _poll(call, reply, session, revision)
        while len(self._polls) > _MOST:
            self._polls.popitem(last=False)


def _poll(call: Call, reply: Reply, session: str, revision: str) -> Poll:
    domain, _, project = call.tenant.partition("/")
    asked = {"revision": "revision", "wait": "wait", "labels": "label"}
    poll = {
        "id": hashlib.sha256(f"{call.tenant}/{revision}/{session}".encode()).hexdigest()[:32],
        "session_id": session,
        "session_group": call.header("X-Session-Group"),
        "domain": domain,
        "project": project,
        "polling_data": {member: call.query[name] for member, name in asked.items() if call.query.get(name)},
        "revision": revision,
        "ip": call.address,
        "user_agent": call.header("User-Agent"),
        "url_path": f"{call.request.method} {call.request.path}",
        "kv": orjson.loads(reply.body)["data"],
        "response_code": reply.status,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    return {name: value for name, value in poll.items() if value}
