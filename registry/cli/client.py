"""What the looking commands know of an engine: how to ask it, and what to say when it does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import typer
from rich.console import Console

from registry.cli.logins import login_at

T = TypeVar("T")
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
# A large file takes a minute to read.
_CONFIG_TIMEOUT = aiohttp.ClientTimeout(total=300, sock_connect=5)
# The engine sends something every 15 seconds at least.
_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
# What a token, or the lack of one, is refused with.
_NO_TOKEN = ("401201", "401204", "401205", "401206")
_LONGEST_LINE = 4 * 1024 * 1024


class EngineRefusedError(Exception):
    """The engine answered with an error; the text has its code, message and detail."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class NoEngineError(Exception):
    """What answers at the address is no engine."""


@dataclass(frozen=True, slots=True)
class Tls:
    """By which authority the engine's certificate is checked, if at all, and which certificate the command shows itself with."""

    authority: Path | None = None
    insecure: bool = False
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """All of it for a connection. A file without what it should hold is a usage error."""
        context = _readable(f"--ca {self.authority}", lambda: ssl.create_default_context(cafile=self.authority))
        if self.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        certificate = self.certificate
        if certificate is not None:
            names = f"--client-cert {certificate}" + (f" with --client-key {self.key}" if self.key else "")
            _readable(names, lambda: context.load_cert_chain(certificate, self.key, password=""))
        return context


def _readable(option: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except (ssl.SSLError, OSError) as error:
        fail(f"{option} has no certificate that can be used")
        raise typer.Exit(2) from error


@dataclass(frozen=True, slots=True)
class Target:
    """Which engine, and which tenant of it."""

    url: str
    domain: str
    project: str
    tls: Tls


class EngineClient:
    """Reads from an engine over HTTP. Everything raises `EngineRefusedError` and what aiohttp raises."""

    def __init__(self, session: aiohttp.ClientSession, target: Target) -> None:
        self._session = session
        self._target = target
        token = login_at(target.url).token
        self._headers = {"X-Domain-Name": target.domain, **({"Authorization": f"Bearer {token}"} if token else {})}

    async def get(self, path: str, parameters: Mapping[str, str]) -> Mapping[str, object]:
        """A JSON answer of the tenant's API. Raises `NoEngineError` too."""
        url = f"{self._target.url}/v4/{quote(self._target.project, safe='')}{path}"
        async with self._session.get(url, params=parameters, headers=self._headers) as response:
            payload = await response.read()
            _refuse(response.status, payload)
        return document(payload)

    async def config(
        self, method: str, path: str, parameters: Sequence[tuple[str, str]] = (), body: bytes | None = None
    ) -> bytes:
        """An answer of the engine's own API of the config centre."""
        return await self.own(method, f"config/{path}", parameters, body)

    async def own(
        self, method: str, path: str, parameters: Sequence[tuple[str, str]] = (), body: bytes | None = None
    ) -> bytes:
        """An answer of the engine's own API; the tenant is among the parameters, the user is named as author."""
        tenant = (("domain", self._target.domain), ("project", self._target.project))
        return await self.whole(method, f"/waggle/v1/{path}", body, (*tenant, *parameters))

    async def whole(
        self, method: str, path: str, body: bytes | None = None, parameters: Sequence[tuple[str, str]] = ()
    ) -> bytes:
        """An answer to a whole path; the user is named as author."""
        url = f"{self._target.url}{path}"
        headers = {**self._headers, "X-Waggle-Author": _user()}
        async with self._session.request(
            method, url, params=parameters, data=body, headers=headers, timeout=_CONFIG_TIMEOUT
        ) as response:
            payload = await response.read()
            _refuse(response.status, payload)
            return payload

    @contextlib.asynccontextmanager
    async def stream(self, parameters: Mapping[str, str], after: str) -> AsyncIterator[aiohttp.StreamReader]:
        """The tenant's event stream, from after a revision where one is given."""
        url = f"{self._target.url}/waggle/v1/events"
        tenant = {"domain": self._target.domain, "project": self._target.project}
        headers = {**self._headers, **({"Last-Event-ID": after} if after else {})}
        async with self._session.get(
            url, params={**tenant, **parameters}, headers=headers, timeout=_STREAM_TIMEOUT
        ) as response:
            if response.status != 200:
                _refuse(response.status, await response.read())
            if response.content_type != "text/event-stream":
                raise NoEngineError
            yield response.content


def document(payload: bytes) -> Mapping[str, object]:
    """The JSON object of an answer. Raises `NoEngineError`."""
    try:
        found = json.loads(payload)
    except ValueError as error:
        raise NoEngineError from error
    if not isinstance(found, dict):
        raise NoEngineError
    return found


def ask(target: Target, work: Callable[[EngineClient], Awaitable[T]]) -> T:
    """Run some work with a client; say in one line what went wrong, and exit: 1 refused, 3 no answer."""
    try:
        return asyncio.run(_session(target, target.tls.context(), work))
    except EngineRefusedError as error:
        advice = "; sign in with `waggle login`" if str(error)[:6] in _NO_TOKEN else ""
        fail(f"the engine refused: {error}{advice}")
        raise typer.Exit(1) from error
    except NoEngineError as error:
        fail(f"what answers at {target.url} is no engine")
        raise typer.Exit(3) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        fail(f"no answer from the engine at {target.url}: {_cause_at(target, error)}")
        raise typer.Exit(3) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error


def _cause_at(target: Target, error: BaseException) -> str:
    """As `cause`, with a guess where a TLS server ends a connection that it had accepted: it tells nobody why."""
    connected = isinstance(error, aiohttp.ClientConnectionError) and not isinstance(error, aiohttp.ClientConnectorError)
    if connected and target.url.startswith("https:") and target.tls.certificate is None:
        return "it closed the connection; does it require a client certificate (--client-cert)?"
    return cause(error)


def cause(error: BaseException) -> str:
    """Why there was no answer, in a few words."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted ({error.certificate_error})"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, TimeoutError):
        return "it took too long"
    return str(error) or type(error).__name__


def fail(text: str) -> None:
    """Say what went wrong, in one line on standard error."""
    _say(text, "red")


def warn(text: str) -> None:
    """Say what one should know, in one line on standard error."""
    _say(text, "yellow")


def _say(text: str, style: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"waggle: {printable(text)}", style=style, markup=False, highlight=False)


def printable(text: str) -> str:
    """Text that a client may have chosen, with what could steer a terminal made visible."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


async def _session(target: Target, tls: ssl.SSLContext, work: Callable[[EngineClient], Awaitable[T]]) -> T:
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(
        connector=connector, timeout=_TIMEOUT, read_bufsize=_LONGEST_LINE, trust_env=False
    ) as session:
        return await work(EngineClient(session, target))


def _user() -> str:
    """The name of the user of the operating system; empty where it has none."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        return ""
    return printable(name).encode(errors="replace").decode()


def _refuse(status: int, payload: bytes) -> None:
    if status == 200:
        return
    try:
        body = json.loads(payload)
        text = f"{body['errorCode']} {body['errorMessage']}"
        detail = body.get("detail")
    except (ValueError, TypeError, KeyError):
        text, detail = f"HTTP {status}", payload[:500].decode(errors="replace").strip()
    raise EngineRefusedError(status, f"{text}: {detail}" if detail else text)
