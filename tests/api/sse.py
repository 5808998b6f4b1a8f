"""Reads the engine's event stream as a browser does."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.engine import Client


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` is decoded."""

    id: str
    name: str
    data: Any


class Events:
    """An open stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Event:
        """The next event, comments aside."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(20):
            while line := await self.response.content.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    return Event(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
        raise EOFError("the stream has ended")

    async def until(self, wanted: Callable[[Event], bool]) -> Event:
        """The next event that is wanted."""
        while not wanted(event := await self.next()):
            pass
        return event


@contextlib.asynccontextmanager
async def event_stream(client: Client, last_id: str = "", **query: str) -> AsyncIterator[Events]:
    """The stream of the client's domain, from now on or from after an id."""
    named = {"domain": client._headers["X-Domain-Name"], **query}
    headers = {"Last-Event-ID": last_id} if last_id else {}
    async with client.session.get(f"{client.url}/waggle/v1/events", params=named, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b": waggle\n"
        yield Events(response)
