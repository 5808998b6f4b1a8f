"""How clients read their configuration: KIE by lists and long polls, Config Center by polls."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from benchmarks.fleet.caller import Caller, Request
from benchmarks.fleet.wire import Line

ITEM = "fleet.number"
_GZIP = "Accept-Encoding: gzip,deflate\r\n"


@dataclass(slots=True)
class Level:
    """One set of labels that a client asks for, what it knows of it, and whether the changing item is there."""

    labels: Mapping[str, str]
    has_item: bool = False
    exact: bool = True
    revision: str = "-1"
    number: int = 0

    def query(self) -> str:
        """The labels and the revision, with the empty segment that the Java library sends."""
        chosen = "&".join(f"label={name}%3A{value}" for name, value in self.labels.items())
        return f"{chosen}&&revision={self.revision}" + ("&match=exact" if self.exact else "")


class ConfigReader:
    """A client's configuration. What it reads must be no older than what was stored before it asked."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._world = caller.world
        self._app = caller.service.app
        self._center_revision = "null"
        self._center_number = 0

    def levels(self) -> Sequence[Level]:
        """Those of the Java and Python clients, the weakest first."""
        app = {"app": self._app.name, "environment": ""}
        service = {**app, "service": self._caller.service.name}
        return (Level(app, has_item=True), Level(service), Level({**service, "version": "1.0.0"}))

    async def poll(self, level: Level, line: Line, wait: float = 0.0) -> None:
        """Ask KIE for a level, and wait for a change for so many seconds. Raises `FailedError`."""
        caller, stored, asked_at = self._caller, self._app.number, time.perf_counter()
        waits, seconds = wait > 0 and level.revision != "-1", wait / self._world.pace
        target = f"/v1/default/kie/kv?{level.query()}" + (f"&wait={round(seconds * 1000)}ms" if wait else "")
        request = Request("KIE list", "GET", target, headers=_GZIP, good=(200, 304))
        answer = await caller.ask(line, request, waits=seconds if waits else None)
        if answer.status == 200:
            level.revision = answer.header(b"X-Kie-Revision")
            found = [item["value"] for item in orjson.loads(answer.body)["data"] if item["key"] == ITEM]
            level.number = int(found[0]) if found else 0
        elif waits:
            self._world.figures.answered("KIE long poll's end", max(answer.milliseconds - seconds * 1000, 0.0))
        if level.has_item:
            self._check(level.number, stored, asked_at)

    async def poll_center(self) -> None:
        """Ask Config Center for all that this service has. Raises `FailedError`."""
        caller, stored, asked_at = self._caller, self._app.number, time.perf_counter()
        query = f"dimensionsInfo={caller.service.name}%40{self._app.name}%231.0.0&revision={self._center_revision}"
        target = f"/v3/default/configuration/items?{query}"
        request = Request("Config Center poll", "GET", target, headers=f"x-environment: \r\n{_GZIP}", good=(200, 304))
        answer = await caller.ask(self._world.line(caller.number, self._world.ports.config), request)
        if answer.status == 200:
            body = orjson.loads(answer.body)
            self._center_revision = body["revision"]["version"]
            self._center_number = int(body["application"][ITEM])
        self._check(self._center_number, stored, asked_at)

    def _check(self, number: int, stored: int, asked_at: float) -> None:
        if number < stored:
            self._caller.wrong(f"{ITEM} is {number} for it, and {stored} was stored")
        if asked_at < self._app.sent_at and number > stored:
            since = (time.perf_counter() - self._app.sent_at) * 1000
            self._world.figures.answered("change told to a long poll", since)
