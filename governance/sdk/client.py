"""The engine's protocol as calls: what the SDK needs of Service Center's v4 API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aiohttp

from governance.sdk.account import Account
from governance.sdk.addresses import AddressPool
from governance.sdk.calls import Answer, EngineCall, EngineError, Json, good, rows_of
from governance.sdk.settings import ServiceSettings

SERVICE_GONE = "400012"
INSTANCE_GONE = "400017"
_LARGEST_BATCH = 500


class NotRunningError(RuntimeError):
    """A service was used before its block was entered: a mistake in the program."""

    def __init__(self) -> None:
        super().__init__("the service is not running yet: use it inside `async with Microservice(…)`")


class CenterClient:
    """Calls the engine, trying one address after another until one answers. It needs `open_with` before the first call."""

    def __init__(self, settings: ServiceSettings, pool: AddressPool, account: Account | None = None) -> None:
        self.pool = pool
        self.account = account or Account(settings, pool)
        self._session: aiohttp.ClientSession | None = None
        self._settings = settings
        self._root = f"/v4/{settings.project}/registry"
        self.headers: Mapping[str, str] = {"X-Domain-Name": settings.domain, "Content-Type": "application/json"}
        """The headers of every call, besides those of the account."""
        self.scope = (settings.addresses, settings.project, settings.domain, settings.account_name)
        """Clients with the same scope speak of the same instances, and in the same name."""

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connections to the engine. Raises `NotRunningError`."""
        if self._session is None:
            raise NotRunningError
        return self._session

    def open_with(self, session: aiohttp.ClientSession) -> None:
        """Call the engine over these connections."""
        self._session = session

    async def service_id(self) -> str | None:
        """The id of the settings' service, if it is registered."""
        wanted = {
            "type": "microservice",
            "appId": self._settings.app,
            "serviceName": self._settings.name,
            "version": self._settings.version,
            "env": self._settings.environment,
        }
        answer = await self._call("GET", "/existence", query=wanted)
        found = answer.body.get("serviceId")
        return str(found) if answer.status == 200 and found else None

    async def register_service(self, service: Json) -> str:
        """Register a service; its id."""
        answer = good(await self._call("POST", "/microservices", {"service": service}))
        return _named(answer, "serviceId")

    async def knows_service(self, service_id: str) -> bool:
        """Whether a service is registered."""
        answer = await self._call("GET", f"/microservices/{service_id}")
        if answer.status == 400 and answer.body.get("errorCode") == SERVICE_GONE:
            return False
        good(answer)
        return True

    async def service(self, service_id: str) -> Json:
        """A service as the engine has it."""
        answer = good(await self._call("GET", f"/microservices/{service_id}"))
        found = answer.body.get("service")
        return found if isinstance(found, dict) else {}

    async def set_service_properties(self, service_id: str, properties: Json) -> None:
        """Replace the service's properties."""
        good(await self._call("PUT", f"/microservices/{service_id}/properties", {"properties": properties}))

    async def schema_summaries(self, service_id: str) -> Mapping[str, str]:
        """The summary of every uploaded schema by id."""
        answer = good(await self._call("GET", f"/microservices/{service_id}/schemas"))
        return {str(row["schemaId"]): str(row.get("summary", "")) for row in rows_of(answer.body, "schemas")}

    async def schemas(self, service_id: str) -> Mapping[str, str]:
        """The uploaded schemas by id."""
        answer = good(await self._call("GET", f"/microservices/{service_id}/schemas", query={"withSchema": "1"}))
        return {str(row["schemaId"]): str(row.get("schema", "")) for row in rows_of(answer.body, "schemas")}

    async def upload_schema(self, service_id: str, schema_id: str, content: str, summary: str) -> None:
        """Store one schema."""
        body = {"schema": content, "summary": summary}
        good(await self._call("PUT", f"/microservices/{service_id}/schemas/{schema_id}", body))

    async def register_instance(self, service_id: str, instance: Json) -> str:
        """Register an instance; its id."""
        answer = good(await self._call("POST", f"/microservices/{service_id}/instances", {"instance": instance}))
        return _named(answer, "instanceId")

    async def instance(self, service_id: str, instance_id: str) -> Json:
        """An instance as the engine has it; empty where it has none."""
        answer = await self._call("GET", f"/microservices/{service_id}/instances/{instance_id}")
        found = answer.body.get("instance") if answer.status == 200 else None
        return found if isinstance(found, dict) else {}

    async def unregister_instance(self, service_id: str, instance_id: str) -> None:
        """Take an instance out."""
        good(await self._call("DELETE", f"/microservices/{service_id}/instances/{instance_id}"))

    async def set_status(self, service_id: str, instance_id: str, status: str) -> None:
        """Set an instance's status."""
        path = f"/microservices/{service_id}/instances/{instance_id}/status"
        good(await self._call("PUT", path, query={"value": status}))

    async def heartbeat(self, service_id: str, instance_id: str) -> None:
        """Renew one lease."""
        path = f"/microservices/{service_id}/instances/{instance_id}/heartbeat"
        good(await self._call("PUT", path, timeout=self._settings.heartbeat_timeout))

    async def heartbeats(self, instances: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Renew many leases, 500 in one call; those that the engine does not know."""
        unknown: list[tuple[str, str]] = []
        for first in range(0, len(instances), _LARGEST_BATCH):
            batch = instances[first : first + _LARGEST_BATCH]
            body = {"instances": [{"serviceId": owner, "instanceId": name} for owner, name in batch]}
            answer = good(await self._call("PUT", "/heartbeats", body, timeout=self._settings.heartbeat_timeout))
            rows = rows_of(answer.body, "instances")
            unknown += [
                (str(row.get("serviceId")), str(row.get("instanceId"))) for row in rows if row.get("errMessage")
            ]
        return frozenset(unknown)

    async def report_outcomes(self, report: Json) -> None:
        """Tell the engine what became of calls. Raises `EngineError`, `EngineUnavailableError`."""
        told = EngineCall(
            method="POST",
            path="/waggle/v1/outcomes",
            body=report,
            query=(("domain", self._settings.domain), ("project", self._settings.project)),
            headers=self.headers,
            seconds=self._settings.request_timeout,
        )
        good(await self.account.answer_to(self.session, self.pool, told))

    async def find(self, consumer_id: str, app: str, service: str, revision: str) -> Answer:
        """The instances of a service: 200, 304 where the revision is current, or `EngineError`."""
        query = {"appId": app, "serviceName": service, "version": "0+", "rev": revision}
        if not consumer_id:
            query["env"] = self._settings.environment
        answer = await self._call("GET", "/instances", query=query, headers={"X-ConsumerId": consumer_id})
        return answer if answer.status == 304 else good(answer)

    def watch_urls(self, service_id: str) -> Sequence[str]:
        """Where a service is told of changes, the best address first."""
        return [f"{address}{self._root}/microservices/{service_id}/watcher" for address in self.pool.order()]

    async def _call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  it bounds each address, not the call
    ) -> Answer:
        asked = EngineCall(
            method=method,
            path=self._root + path,
            body=body,
            query=list((query or {}).items()),
            headers={**self.headers, **(headers or {})},
            seconds=timeout or self._settings.request_timeout,
        )
        return await self.account.answer_to(self.session, self.pool, asked)


def _named(answer: Answer, name: str) -> str:
    value = answer.body.get(name)
    if not isinstance(value, str) or not value:
        raise EngineError(answer.status, "", f"without {name}", "is this address an engine?")
    return value
