"""Taking the instances out of service that a gray release which is over leads no requests to, so that they end their calls and can stop."""

from __future__ import annotations

from collections.abc import Sequence

from governance.rules.objects.forms import GRAY
from governance.rules.objects.gray import RUNNING, GrayRelease, routes_of
from registry.api.call import Call, Reply, json_reply
from registry.api.objects.documents import place_of
from registry.api.objects.shown import key_of, shown
from registry.config.objects import Stored
from registry.engine.versions import OUT_OF_SERVICE, Running, running, versions_up
from registry.errors import ConfigError


async def drain(call: Call) -> Reply:
    """POST drain: set the instances of the side that gets no requests out of service: they stay registered, and nobody calls them."""
    engine, tenant = call.engine, call.tenant
    place = place_of(GRAY, call.query)

    def command() -> tuple[Stored, Sequence[Running]]:
        stored = engine.config.objects.find(tenant, GRAY, place)
        if stored is None or not isinstance(stored.one, GrayRelease):
            raise ConfigError(404001, "there is no such object")
        idle = _idle(stored, running(engine.catalog, tenant, key_of(stored.one, stored.one.service)) or ())
        for one in idle:
            engine.catalog.instances.set_status(tenant, one.service_id, one.instance_id, OUT_OF_SERVICE, engine.now())
        return stored, idle

    stored, idle = await call.execute(command)
    drained = [{"instanceId": one.instance_id, "version": one.version} for one in idle]
    return json_reply({"drained": drained, **shown(engine, tenant, stored)})


def _idle(stored: Stored, instances: Sequence[Running]) -> Sequence[Running]:
    """The instances that are up and get no requests. Raises 409002, 409003 where that is not sure to stay so."""
    release = stored.one
    assert isinstance(release, GrayRelease)  # noqa: S101  asked for as one
    if release.state == RUNNING:
        raise ConfigError(409003, "the release is running: promote it or roll it back first")
    if stored.drifted:
        raise ConfigError(409002, f"{stored.parts[0].item.key} was {stored.parts[0].differs} by hand")
    used = {item.tags["version"] for rule in routes_of(release).rules for item in rule.route}
    if not used & set(versions_up(instances)):
        raise ConfigError(409003, f"no instance of {', '.join(sorted(used))} is up, which gets all requests")
    sides = {release.version, *release.baseline} - used
    return [one for one in instances if one.up and one.version in sides]
