"""A request that comes in: its context is read, it passes the stages, and what it leads to runs within that context."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from governance.invocation import context
from governance.invocation.chain import Stage, chained
from governance.invocation.invocation import Invocation, Reply
from governance.invocation.live import LiveRules
from governance.rules.marker import Request
from governance.rules.policies import Mapper
from governance.sdk.interfaces import Interfaces
from governance.sdk.server.gate import SHUTTING_DOWN, Gate
from governance.sdk.server.mapping import mapped

CALLER = ("x-cse-src-microservice", "x-microservice-name")
"""Where the context has the caller's name: as Java Chassis writes it, and as Spring Cloud Huawei does."""
Facts: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Mapping[str, str] | None]]
"""The facts of a caller by the context that it has sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request as a server has it. Names of headers are found in lower case at least; `queries` is asked where a rule needs them.

    `pattern` gives that of the server's route, such as `/carts/{id}`: empty for as long as the server has not chosen one.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    queries: Callable[[], Mapping[str, str]] = dict
    pattern: Callable[[], str] = str


@dataclass(eq=False, slots=True, kw_only=True)
class _Arriving(Invocation):
    """What the last stage runs."""

    run: Callable[[], Awaitable[Reply]] = field(repr=False)
    chosen: Callable[[], str] = field(repr=False)


class Inbound:
    """The way in to one service. `schemas` are its interfaces, for rules that name an operation; `facts` finds out who has sent a
    context."""

    def __init__(self, rules: LiveRules, stages: Sequence[Stage], schemas: Mapping[str, str], facts: Facts) -> None:
        self._rules = rules
        self._facts = facts
        self._interfaces = Interfaces(schemas)
        self._chain = chained(stages, _run)
        self.gate = Gate()
        """Who is inside, and whether anyone may still come in."""

    async def handle(self, arrival: Arrival, run: Callable[[], Awaitable[Reply]]) -> Reply:
        """Let a request pass, and run what it asks for; a `LocalReply` where it is refused. Raises what `run` raises."""
        if self.gate.closed:
            return SHUTTING_DOWN
        with self.gate.passed():
            return await self._handled(arrival, run)

    async def _handled(self, arrival: Arrival, run: Callable[[], Awaitable[Reply]]) -> Reply:
        invocation = self._arriving(arrival, run)
        if self._rules.book.asks_callers:
            invocation.caller = await self._facts(invocation.context)
        with context.entered(invocation.context):
            return await self._chain(invocation)

    def _arriving(self, arrival: Arrival, run: Callable[[], Awaitable[Reply]]) -> _Arriving:
        book = self._rules.book
        values = context.read(arrival.headers)
        values.update({name: arrival.headers[name] for name in book.lifted if name in arrival.headers})
        caller = next((values[name] for name in CALLER if values.get(name)), "")
        request = Request(
            path=arrival.path,
            method=arrival.method,
            headers=arrival.headers,
            queries=arrival.queries() if book.asks_queries else {},
            service_name=caller or None,
        )
        mapper = book.applied(Mapper, request)
        if mapper is not None:
            values.update(mapped(mapper, arrival))
        schema, operation = self._interfaces.operation(arrival.method, arrival.path)
        return _Arriving(
            request=request,
            service=caller,
            schema=schema,
            operation=operation,
            context=values,
            pattern=arrival.pattern() or self._interfaces.pattern((schema, operation)),
            run=run,
            chosen=arrival.pattern,
        )


async def _run(invocation: Invocation) -> Reply:
    assert isinstance(invocation, _Arriving)  # noqa: S101  no other is given to the chain
    try:
        return await invocation.run()
    finally:
        invocation.pattern = invocation.chosen() or invocation.pattern
