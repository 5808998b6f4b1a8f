"""A whole run: an engine, the fleet that starts, what operators do meanwhile, the restarts, and the fleet's end."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from benchmarks.fleet.caller import FailedError
from benchmarks.fleet.figures import Figures, Restart
from benchmarks.fleet.gauges import Gauges
from benchmarks.fleet.instance import Instance
from benchmarks.fleet.kinds import GoChassis, JavaChassis, PythonService, SpringCloud
from benchmarks.fleet.operator import Operator
from benchmarks.fleet.world import STOP, App, Plan, Ports, Service, World
from benchmarks.sample import LoadFailedError
from benchmarks.server import free_port, own_engine, start
from tests.engine import EngineProcess

_KINDS: Sequence[type[Instance]] = (*[JavaChassis] * 4, *[SpringCloud] * 3, *[GoChassis] * 2, PythonService)
_INSTANCES_OF_A_SERVICE = 20
_SERVICES_OF_AN_APP = 20
_PROVIDERS = (1, 3, 7)
_START_SECONDS = 60.0
_CHANGE_SECONDS = 5.0
_DEPLOY_SECONDS = 2.0
_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_AT_ONCE = 100


async def measure(plan: Plan, tell: Callable[[str], None]) -> Figures:
    """Run a fleet beside an engine of its own. Raises `LoadFailedError` where the engine does not start."""
    ports = Ports(*(free_port() for _ in range(4)))
    settings = {
        "port": ports.registry,
        "config_port": ports.config,
        "kie_port": ports.kie,
        "monitor_port": ports.monitor,
    }
    async with own_engine(**settings) as engine:
        return await _Run(plan, engine, ports, tell).measure()


class _Run:
    """A fleet beside an engine."""

    def __init__(self, plan: Plan, engine: EngineProcess, ports: Ports, tell: Callable[[str], None]) -> None:
        self._plan = plan
        self._engine = engine
        self._tell = tell
        self._figures = Figures(settled=plan.patience)
        self._world = World(self._figures, ports, plan)
        self._services = _services(-(-plan.instances // _INSTANCES_OF_A_SERVICE))
        self._instances = [self._instance(number) for number in range(plan.instances)]
        self._operator = Operator(self._world, self._services[0], 0)
        self._lives: dict[Instance, asyncio.Task[None]] = {}
        self._deploying = asyncio.Lock()

    def _instance(self, number: int) -> Instance:
        at = number % len(self._services)
        kind = _KINDS[at % len(_KINDS)]
        every_second = (number // len(self._services)) % 2 == 0
        watches = kind is PythonService or (kind is not SpringCloud and every_second)
        return kind(self._world, self._services[at], number, watches=watches)

    async def measure(self) -> Figures:
        """The run from beginning to end. Raises `LoadFailedError`."""
        for app in {service.app for service in self._services}:
            await self._operator.create(app)
        try:
            await self._live()
            await self._leave()
            await self._operator.check(self._services)
        except ExceptionGroup as group:
            failed = group.subgroup(LoadFailedError)
            if failed is None:
                raise
            raise LoadFailedError(str(failed.exceptions[0])) from group
        finally:
            self._world.close()
        return self._figures

    async def _live(self) -> None:
        """Until everybody is told to end."""
        async with asyncio.TaskGroup() as tasks:
            own = [tasks.create_task(duty) for duty in self._duties(tasks)]
            await self._go_on(tasks)
            async with self._deploying:
                for task in own:
                    task.cancel()
                await self._all_registered()
                await self._operator.check(self._services)
                for task in self._lives.values():
                    task.cancel()

    def _duties(self, tasks: asyncio.TaskGroup) -> Sequence[Coroutine[None, None, None]]:
        """What goes on beside the fleet."""
        gauges = Gauges(self._figures, self._engine, self._plan.pace)
        return (
            gauges.watch_processes(),
            gauges.watch_delays(),
            self._every(_CHANGE_SECONDS, self._change),
            self._every(_DEPLOY_SECONDS, lambda: self._deploy(tasks)),
        )

    async def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._world.sleep(seconds)
            await step()

    async def _go_on(self, tasks: asyncio.TaskGroup) -> None:
        """Start everybody, and then wait, but for the restarts."""
        self._tell(f"{len(self._instances):,} instances of {len(self._services)} services start")
        order = list(self._instances)
        self._world.dice.shuffle(order)
        for number, instance in enumerate(order):
            await self._until(_START_SECONDS * number / len(order))
            self._begin(tasks, instance)
        for number, how in enumerate(self._plan.restarts, 1):
            await self._until(self._plan.seconds * number / (len(self._plan.restarts) + 1))
            await self._restart(how)
        await self._until(self._plan.seconds)

    async def _until(self, seconds: float) -> None:
        """Until so many of a real client's seconds have passed since the beginning."""
        left = seconds / self._plan.pace - self._figures.now
        if left > 0:
            await asyncio.sleep(left)

    def _begin(self, tasks: asyncio.TaskGroup, instance: Instance) -> None:
        self._lives[instance] = tasks.create_task(instance.live())

    async def _restart(self, how: str) -> None:
        """End the engine and start it again, on its folder and its ports. Raises `LoadFailedError`."""
        async with self._deploying:
            self._tell(f"the engine is ended ({how}) and started again")
            restart = Restart(how, self._figures.now)
            self._figures.running_since = math.inf
            self._figures.restarts.append(restart)
            try:
                await (self._engine.stop() if how == STOP else self._engine.kill())
            except TimeoutError as error:
                raise LoadFailedError("the engine does not end") from error
            await start(self._engine)
            self._figures.running_since = self._figures.now
            restart.away = self._figures.now - restart.at

    async def _change(self) -> None:
        await self._operator.change(self._world.dice.choice(self._services).app)

    async def _deploy(self, tasks: asyncio.TaskGroup) -> None:
        """One instance ends, and a new one takes its place."""
        async with self._deploying:
            registered = [one for one in self._instances if one.registered]
            if not registered:
                return
            instance = self._world.dice.choice(registered)
            self._lives[instance].cancel()
            await asyncio.wait([self._lives[instance]])
            with contextlib.suppress(FailedError):
                await instance.leave()
            instance.forget()
            self._begin(tasks, instance)

    async def _all_registered(self) -> None:
        """Wait for those who register again in their own time; who does not is an error."""
        late = self._figures.now + _PATIENCE_SECONDS
        while missing := sum(not one.registered for one in self._instances):
            if self._figures.now > late:
                self._figures.wrong(f"{missing} instances are not registered at the end")
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _leave(self) -> None:
        """Everybody at once, as far as the machine goes."""
        self._tell("all instances leave")
        waiting = list(self._instances)

        async def some() -> None:
            while waiting:
                with contextlib.suppress(FailedError):
                    await waiting.pop().leave()

        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))


def _services(count: int) -> Sequence[Service]:
    """Services by application; each calls some of its own application."""
    made: list[Service] = []
    for first in range(0, count, _SERVICES_OF_AN_APP):
        app = App(f"app{first // _SERVICES_OF_AN_APP}")
        size = min(_SERVICES_OF_AN_APP, count - first)
        those = [Service(app, f"service{first + number}") for number in range(size)]
        for number, service in enumerate(those):
            service.providers = [those[(number + step) % size] for step in _PROVIDERS]
        made += those
    return made
