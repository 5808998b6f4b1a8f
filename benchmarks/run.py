"""A whole run: each load on each server, round by round, so that what else the machine does hits both alike."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from benchmarks import capacity, rules
from benchmarks.config import CONFIG_LOADS, ConfigLoad
from benchmarks.loads import REQUEST_LOADS, RequestLoad
from benchmarks.machine import machine, versions
from benchmarks.plan import Plan
from benchmarks.polls import POLL_LOADS, PollLoad
from benchmarks.push import PushLoad
from benchmarks.results import LoadFigure, Results, ServerFigures, SizeFigure
from benchmarks.sample import LoadFailedError, Sample
from benchmarks.server import Server, server_at
from benchmarks.tokens import TOKEN_LOAD, TokenLoad

Load = RequestLoad | TokenLoad | PushLoad | ConfigLoad | PollLoad
Tell = Callable[[str], None]
LOADS: Sequence[Load] = (
    *REQUEST_LOADS,
    TOKEN_LOAD,
    PushLoad("watch-push", "change told to 1,000 watchers"),
    *CONFIG_LOADS,
    *POLL_LOADS,
)
NAMES: Sequence[str] = (*(load.name for load in LOADS), *capacity.NAMES, *rules.NAMES)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run: an address is empty where there is none, `only` where everything is wanted."""

    engine: str = ""
    against: str = ""
    only: Sequence[str] = ()

    def wants(self, name: str) -> bool:
        """Whether a figure is wanted."""
        return not self.only or name in self.only


async def run(order: Order, plan: Plan, tell: Tell) -> Results:
    """Measure everything that is wanted. Raises `LoadFailedError` where a server cannot be reached at all."""
    _allow_many_sockets()
    began = os.getloadavg()[0]
    loads = [load for load in LOADS if order.wants(load.name)]
    async with _servers(order) as servers:
        figures: dict[str, dict[str, LoadFigure]] = {server.label: {} for server in servers}
        for load in loads:
            for label, figure in (await _measure(load, servers, plan, tell)).items():
                figures[label][load.name] = figure
    sizes, problems = await _sizes(order, plan, tell)
    told = {server.label: ServerFigures(server.url, server.version, figures[server.label]) for server in servers}
    return Results(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(),
        versions=await versions(),
        plan=asdict(plan),
        load_average=(began, os.getloadavg()[0]),
        engine=told["engine"],
        against=told.get("against"),
        sizes=sizes,
        problems=problems,
    )


@asynccontextmanager
async def _servers(order: Order) -> AsyncIterator[Sequence[Server]]:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(server_at(order.engine, "engine"))]
        if order.against:
            servers.append(await stack.enter_async_context(server_at(order.against, "against")))
        yield servers


async def _measure(load: Load, servers: Sequence[Server], plan: Plan, tell: Tell) -> dict[str, LoadFigure]:
    """The figures by server, without those of servers that do not speak the API."""
    spoken = [server for server in servers if load.api in server.apis]
    samples: dict[str, list[Sample]] = {server.label: [] for server in spoken}
    failures: dict[str, LoadFailedError] = {}
    for number in range(1, plan.rounds + 1):
        for server in spoken:
            if server.label in failures:
                continue
            tell(f"{load.name} on {server.label}, round {number} of {plan.rounds}")
            done = samples[server.label]
            try:
                done.append(await load.run(server, plan, done[-1] if done else None))
            except LoadFailedError as error:
                failures[server.label] = error
    return {label: LoadFigure.of(done, failures.get(label)) for label, done in samples.items()}


async def _sizes(order: Order, plan: Plan, tell: Tell) -> tuple[Sequence[SizeFigure], Sequence[str]]:
    """Of an engine only where it is started here: another one's process cannot be looked at or killed."""
    chosen = [name for name in capacity.NAMES if order.wants(name) and not order.engine]
    of_rules = [name for name in rules.NAMES if order.wants(name)]
    try:
        return [*await capacity.capacity(plan, chosen, tell), *await rules.rules_cost(plan, of_rules, tell)], ()
    except LoadFailedError as error:
        return (), (f"engine {' and '.join(chosen)}: {error}",)


def _allow_many_sockets() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
