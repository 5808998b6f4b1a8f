"""A client's calls: made, timed, and held against what a good engine answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import orjson

from benchmarks.fleet.wire import Answer, Line, UnreachableError
from benchmarks.fleet.world import Service, World

ROOT = "/v4/default/registry"


@dataclass(frozen=True, slots=True)
class Request:
    """A call by its name in the figures, its extra `headers`, and the statuses that are `good` answers."""

    call: str
    method: str
    target: str
    body: object = None
    headers: str = ""
    good: Iterable[int] = (200,)

    def encoded(self, headers: str) -> bytes:
        """The bytes of it, with the headers that its client always sends."""
        payload = b"" if self.body is None else orjson.dumps(self.body)
        length = f"Content-Length: {len(payload)}\r\n" if payload or self.method in ("POST", "PUT") else ""
        return f"{self.method} {self.target} HTTP/1.1\r\n{headers}{self.headers}{length}\r\n".encode() + payload


class FailedError(Exception):
    """A call that did not succeed; that is counted already, and the client goes on as its library does."""


class Caller:
    """One process of a service, by its `number`; `agent` is how its library calls itself."""

    agent: ClassVar[str]

    def __init__(self, world: World, service: Service, number: int) -> None:
        self.world = world
        self.service = service
        self.number = number
        self._headers = f"Host: 127.0.0.1\r\nUser-Agent: {self.agent}\r\nContent-Type: application/json\r\nx-domain-name: default\r\n"

    async def ask(self, line: Line, request: Request, *, waits: float | None = None) -> Answer:
        """Make a call and count it. Raises `FailedError`.

        Where the engine may wait for so many seconds before it answers, that time is the caller's to count.
        """
        within = self.world.patience + (waits or 0.0)
        try:
            answer = await line.ask(request.encoded(self._headers), within)
        except UnreachableError as error:
            self.world.figures.retried(request.call, str(error))
            raise FailedError from error
        except TimeoutError as error:
            self.wrong(f"{request.call}: no answer within {within} s")
            raise FailedError from error
        if answer.status not in request.good:
            self.wrong(f"{request.call}: {answer.status} {answer.body[:200]!r}")
            raise FailedError
        if waits is None:
            self.world.figures.answered(request.call, answer.milliseconds)
        return answer

    async def registry(
        self, call: str, method: str, path: str, body: object = None, *, headers: str = "", good: Iterable[int] = (200,)
    ) -> Answer:
        """A call of the registry. Raises `FailedError`."""
        line = self.world.line(self.number, self.world.ports.registry)
        return await self.ask(line, Request(call, method, ROOT + path, body, headers, good))

    def wrong(self, text: str) -> None:
        """Note what this client should not have seen."""
        self.world.figures.wrong(f"{type(self).__name__} {self.service.name}/{self.number}: {text}")
