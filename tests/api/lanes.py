"""A client of lane groups and of the instances in them, for tests."""

from __future__ import annotations

from typing import Any

from governance.rules.check import check
from governance.rules.marker import Request
from governance.rules.routes import RouteRules, first_match
from tests.api.objects import ObjectClient
from tests.api.own_config import OwnConfig

RULE = "servicecomb.globalRouteRule"
UNITS = ["controller", "consumer", "provider"]
BASE = {"name": "base", "label": "base", "components": UNITS}
GRAY = {
    "name": "gray",
    "label": "gray",
    "components": ["controller-gray", "provider-gray"],
    "rules": [{"header": "type", "condition": "prefix", "value": "gray"}],
}


class LaneClient(ObjectClient):
    """A client of one group, and the instances of its application."""

    def named(self, name: str) -> LaneClient:
        """Another group of the same application."""
        return self.beside("lane-groups", {**self.names, "name": name})

    def beside(self, path: str, names: dict[str, str]) -> LaneClient:
        """Another object of the same project."""
        url = self.registry.partition("/v4/")[0]
        other = LaneClient(self._session, url, path, names)
        other.project, other.registry, other.items = self.project, self.registry, self.items
        other._own = OwnConfig(self._session, url, self.project)
        other._own.url = f"{url}/waggle/v1/{path}"
        return other

    async def runs(
        self, service: str, lane: str = "", component: str = "", framework: tuple[str, str] = ("waggle-python", "1")
    ) -> str:
        """Register an instance; its path."""
        version = "2.0.0" if component else "1.0.0"
        facts = {"serviceName": service, "appId": "mall", "version": version}
        body = {"service": {**facts, "framework": {"name": framework[0], "version": framework[1]}}}
        async with self._session.post(self.registry, json=body) as answer:
            owner = (await answer.json())["serviceId"]
        said = {"CAS_COMPONENT_NAME": component, "cas_lane_tag": lane, "affinity-tag": lane, "own": "kept"}
        properties = {name: text for name, text in said.items() if text}
        given = {"hostName": "h", "endpoints": [f"rest://127.0.0.1:{version[0]}"], "properties": properties}
        async with self._session.post(f"{self.registry}/{owner}/instances", json={"instance": given}) as answer:
            return f"{self.registry}/{owner}/instances/{(await answer.json())['instanceId']}"

    async def properties(self, instance: str) -> dict[str, str]:
        """What an instance says."""
        async with self._session.get(instance) as answer:
            return dict((await answer.json())["instance"]["properties"])

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """A call of ServiceStage's lane API."""
        url = f"{self.registry.partition('/v4/')[0]}/v3/{self.project}/cas/swimlane-group{path}"
        async with self._session.request(method, url, json=body) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None

    async def goes(self, label: str, header: str = "x_cse_canary") -> list[str]:
        """The lanes that the rule tries for calls with a label, in order."""
        rule = check(RULE, (await self.values())[RULE]).rule
        assert isinstance(rule, RouteRules)
        found = first_match(rule, Request(headers={header: label} if label else {}))
        assert found is not None
        return [item.tags["cas_lane_tag"] for item in (*found.route, *found.fallback)]
