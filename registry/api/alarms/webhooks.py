"""Webhooks: where alarms are sent to. Neither the secret nor the path of the address is ever shown."""

from __future__ import annotations

from collections.abc import Mapping

from registry.alarms import Webhook
from registry.api.alarms.asked import members_of, named
from registry.api.call import EMPTY, Call, Reply, json_reply
from registry.engine.webhooks import Webhooks

_MEMBERS = {"name": str, "url": str, "secret": str, "severity": str, "enabled": bool}


class Hooks:
    """The handlers; they ask what became of what was sent."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def list_all(self, call: Call) -> Reply:
        """GET webhooks: all of them, with what waits and what became of what was sent."""
        found = await call.engine.read(
            lambda: sorted(call.engine.alarming.state.table(call.tenant).webhooks.values(), key=lambda one: one.name)
        )
        return json_reply({"webhooks": [self._shown(one) for one in found]})

    async def put(self, call: Call) -> Reply:
        """PUT webhooks: let a webhook, named in the body, be as the body says; what is not in it stays as it is."""
        given, engine = members_of(call, _MEMBERS), call.engine
        name = str(given.pop("name", ""))
        kept = await call.execute(lambda: engine.alarming.put_webhook(call.tenant, name, given, engine.now()))
        return json_reply(self._shown(kept))

    async def delete(self, call: Call) -> Reply:
        """DELETE webhooks: delete one; what waits for it is dropped."""
        engine, name = call.engine, named(call, "name")
        await call.execute(lambda: engine.alarming.delete_webhook(call.tenant, name, engine.now()))
        self._webhooks.drop(call.tenant, name)
        return EMPTY

    async def test(self, call: Call) -> Reply:
        """POST webhooks/test: send a test message, once, and say what became of it."""
        hook = call.engine.alarming.webhook(call.tenant, named(call, "name"))
        outcome = await self._webhooks.test(hook)
        return json_reply({"delivered": outcome.done, "status": outcome.status, "error": outcome.error})

    def _shown(self, hook: Webhook) -> Mapping[str, object]:
        return {**hook.document, **self._webhooks.state(hook)}
