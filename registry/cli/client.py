"""What the looking commands know of an engine: how to ask it, and what to say when it does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import aiohttp
import typer
from rich.console import Console

T = TypeVar("T")

EngineUrl = Annotated[str, typer.Option("--engine", envvar="WAGGLE_ENGINE", help="Address of the engine.")]
Domain = Annotated[str, typer.Option(help="Domain to look at.")]
Project = Annotated[str, typer.Option(help="Project to look at.")]
AppId = Annotated[str, typer.Option("--app", help="Only this application.")]
Environment = Annotated[str, typer.Option(help="Only this environment.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Authority = Annotated[Path | None, typer.Option("--ca", help="PEM file of the authority of the engine's certificate.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Do not check the engine's certificate.")]
DEFAULT_ENGINE = "http://127.0.0.1:30100"


class EngineRefusedError(Exception):
    """The engine answered with an error."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which engine, and which tenant of it."""

    url: str
    domain: str
    project: str
    authority: Path | None = None
    insecure: bool = False

    def tls(self) -> ssl.SSLContext | bool:
        """How the engine's certificate is checked."""
        if self.insecure:
            return False
        return ssl.create_default_context(cafile=str(self.authority)) if self.authority else True


class EngineClient:
    """Reads from an engine over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, target: Target) -> None:
        self._session = session
        self.target = target
        self._headers = {"X-Domain-Name": target.domain}

    async def get(self, path: str, parameters: Mapping[str, str]) -> dict[str, list[dict[str, object]]]:
        """A JSON answer of the tenant's API. Raises `EngineRefusedError`."""
        url = f"{self.target.url.rstrip('/')}/v4/{self.target.project}{path}"
        async with self._session.get(url, params=parameters, headers=self._headers) as response:
            if response.status != 200:
                raise EngineRefusedError(f"{response.status}: {(await response.text())[:500]}")
            found: dict[str, list[dict[str, object]]] = await response.json()
            return found

    @contextlib.asynccontextmanager
    async def stream(self, parameters: Mapping[str, str], after: str) -> AsyncIterator[aiohttp.StreamReader]:
        """The engine's event stream. Raises `EngineRefusedError`."""
        url = f"{self.target.url.rstrip('/')}/waggle/v1/events"
        headers = {"Last-Event-ID": after} if after else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
        async with self._session.get(url, params=parameters, headers=headers, timeout=timeout) as response:
            if response.status != 200:
                raise EngineRefusedError(f"{response.status}: {(await response.text())[:500]}")
            yield response.content


def ask(target: Target, work: Callable[[EngineClient], Awaitable[T]]) -> T:
    """Run some work with a client; say in one line what went wrong, and exit: 1 refused, 3 no answer."""

    async def session() -> T:
        connector = aiohttp.TCPConnector(ssl=target.tls())
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as opened:
            return await work(EngineClient(opened, target))

    try:
        return asyncio.run(session())
    except EngineRefusedError as error:
        fail(f"the engine refused: {error}")
        raise typer.Exit(1) from error
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        fail(f"no answer from the engine at {target.url}: {error or type(error).__name__}")
        raise typer.Exit(3) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error


def fail(text: str) -> None:
    """Say what went wrong on standard error."""
    Console(stderr=True).print(f"waggle: {text}", style="red", markup=False, highlight=False)
