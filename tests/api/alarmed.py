"""What tests of alarms ask an engine, in a domain of their own."""

from __future__ import annotations

from typing import Any

from tests.engine import Client, eventually


class Alarmed:
    """A client of the API of alarms."""

    def __init__(self, api: Client) -> None:
        self.api = api
        self.domain = str(api._headers["X-Domain-Name"])

    async def ask(self, method: str, path: str = "", body: object = None, expect: int = 200, **query: str) -> Any:
        """The answer to a request."""
        params = {"domain": self.domain, **query}
        url = f"{self.api.url}/waggle/v1/alarms{path}"
        async with self.api.session.request(method, url, params=params, json=body) as answer:
            found = await answer.read()
            assert answer.status == expect, found
            return await answer.json() if answer.content_type == "application/json" else None

    async def rule(self, name: str, **members: object) -> Any:
        """Write a rule; `for_` and `raise_` are spelled without the dash below."""
        given = {member.rstrip("_"): value for member, value in members.items()}
        return (await self.ask("PUT", "/rules", {"name": name, **given}))["rule"]

    async def raised(self) -> dict[str, Any]:
        """The raised alarms by id."""
        return {row["id"]: row for row in (await self.ask("GET"))["alarms"]}

    async def until(self, alarm: str, *, there: bool = True) -> Any:
        """Wait until an alarm is raised, or is not; the alarm."""
        rows: dict[str, Any] = {}

        async def check() -> bool:
            nonlocal rows
            rows = await self.raised()
            return (alarm in rows) == there

        await eventually(check)
        return rows.get(alarm)

    async def lonely(self, name: str) -> str:
        """A service whose instance has gone; the id of its alarm, by a rule that does not wait."""
        await self.rule("no-instances", for_=0)
        service = await self.api.service(name)
        instance = await self.api.instance(service)
        await self.looked_at()
        await self.api.call("DELETE", f"/microservices/{service}/instances/{instance}", None, 200)
        alarm = f"no-instances//default/{name}"
        await self.until(alarm)
        return alarm

    async def looked_at(self) -> None:
        """Wait until everything that is there now has been measured."""
        await self.rule("looked-at", metric="quota-services", raise_=-1)
        await self.until("looked-at")
        await self.ask("DELETE", "/rules", name="looked-at")
        await self.until("looked-at", there=False)
