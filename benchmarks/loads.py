"""The loads: what is registered for each, and the requests that are sent in turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from benchmarks import wrk
from benchmarks.plan import Plan
from benchmarks.sample import Sample
from benchmarks.scene import Scene, instance, numbered_instance, scene_on
from benchmarks.server import REGISTRY, Server

Prepare = Callable[[Scene, Plan], Awaitable[Sequence[bytes]]]
_BATCH = 100


@dataclass(frozen=True, slots=True)
class RequestLoad:
    """One kind of request, sent by wrk. `prepare` sets the scene and makes the requests."""

    name: str
    about: str
    prepare: Prepare
    api: str = REGISTRY

    async def run(self, server: Server, plan: Plan, before: Sample | None) -> Sample:
        """One run on a scene of its own; `before` is the run before it. Raises `LoadFailedError`."""
        async with scene_on(server.url) as scene:
            requests = await self.prepare(scene, plan)
            before = before or await wrk.check(server.url, requests, plan.check_seconds)
            if not plan.seconds:
                return before
            spent = server.cpu_seconds()
            sample = await wrk.measure(server.url, requests, plan.seconds, before)
            return server.with_cpu(sample, spent)


async def heartbeat(scene: Scene, plan: Plan) -> Sequence[bytes]:
    """One heartbeat for each instance."""
    owner = await scene.service("provider")
    names = await scene.instances(owner, plan.instances)
    return [scene.request("PUT", f"/microservices/{owner}/instances/{name}/heartbeat") for name in names]


async def heartbeats(scene: Scene, plan: Plan) -> Sequence[bytes]:
    """Heartbeats of many instances in one request."""
    owner = await scene.service("provider")
    names = await scene.instances(owner, max(plan.instances, _BATCH))
    batches = [names[start : start + _BATCH] for start in range(0, len(names) - _BATCH + 1, _BATCH)]
    bodies = [{"instances": [{"serviceId": owner, "instanceId": name} for name in batch]} for batch in batches]
    return [scene.request("PUT", "/heartbeats", body) for body in bodies]


def find(count: int, *, unchanged: bool = False) -> Prepare:
    """The find of a service with so many instances, `unchanged` with the revision that the client has already."""

    async def prepare(scene: Scene, _plan: Plan) -> Sequence[bytes]:
        consumer = await scene.service("consumer")
        await scene.instances(await scene.service("provider"), count)
        revision = await scene.shown(consumer, "provider", count)
        known = f"&rev={revision}" if unchanged else ""
        path = f"/instances?appId={scene.app}&serviceName=provider&version=0%2B{known}"
        return [scene.request("GET", path, X_ConsumerId=consumer)]

    return prepare


async def register_again(scene: Scene, _plan: Plan) -> Sequence[bytes]:
    """The registration of an instance that is registered."""
    owner = await scene.service("provider")
    body = {"instance": instance("1", instanceId="again")}
    await scene.register(owner, body["instance"])
    return [scene.request("POST", f"/microservices/{owner}/instances", body)]


async def register_new(scene: Scene, _plan: Plan) -> Sequence[bytes]:
    """Registrations of instances that are new, of one service that grows."""
    owner = await scene.service("provider")
    return [scene.request("POST", f"/microservices/{owner}/instances", {"instance": numbered_instance()})]


REQUEST_LOADS: Sequence[RequestLoad] = (
    RequestLoad("heartbeat", "heartbeat, of 1,000 instances in turn", heartbeat),
    RequestLoad("heartbeats", "heartbeats of 100 instances in one request", heartbeats),
    RequestLoad("find-1", "find of a service with 1 instance", find(1)),
    RequestLoad("find-100", "find of a service with 100 instances", find(100)),
    RequestLoad("find-1000", "find of a service with 1,000 instances", find(1000)),
    RequestLoad("find-unchanged", "find of 100 with the current revision (304)", find(100, unchanged=True)),
    RequestLoad("register-again", "registration of an instance that is registered", register_again),
    RequestLoad("register-new", "registration of a new instance", register_new),
)
