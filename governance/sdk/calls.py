"""One call to the engine: its addresses tried one after another, and what comes back."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import aiohttp
import orjson

from governance.sdk.addresses import AddressPool
from governance.sdk.settings import ServiceSettings, SettingsError

Json: TypeAlias = Mapping[str, object]


class EngineError(Exception):
    """The engine answered, but not with what was asked for. `code` is the protocol's, such as 400012, and may be empty."""

    def __init__(self, status: int, code: str, message: str, detail: str) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        super().__init__(f"the engine answered {' '.join(filter(None, [str(status), code, message]))}: {detail}")


class EngineUnavailableError(Exception):
    """No address of the engine answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the engine."""

    status: int
    body: Json
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCall:
    """What the engine is asked. Each address has so many seconds to answer."""

    method: str
    path: str
    body: Json | None = field(default=None, repr=False)
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(repr=False)
    seconds: float

    def having(self, headers: Mapping[str, str]) -> EngineCall:
        """The same with more headers."""
        return replace(self, headers={**self.headers, **headers}) if headers else self


async def answer_to(session: aiohttp.ClientSession, pool: AddressPool, asked: EngineCall) -> Answer:
    """Try one address after another until one answers; an answer of 500 or above is given where none is better.

    Raises `EngineUnavailableError`.
    """
    data = orjson.dumps(asked.body) if asked.body is not None else None
    bound = aiohttp.ClientTimeout(total=asked.seconds)
    unable: Answer | None = None
    failure: Exception | None = None
    for address in pool.order():
        try:
            async with session.request(
                asked.method, address + asked.path, data=data, params=asked.query, headers=asked.headers, timeout=bound
            ) as response:
                answer = await _read(response)
            if answer.status < 500:
                pool.worked(address)
                return answer
            unable = answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = error
        pool.failed(address)
    if unable is not None:
        return unable
    raise EngineUnavailableError(_why(pool.addresses, failure)) from failure


async def _read(response: aiohttp.ClientResponse) -> Answer:
    named = response.headers
    revision = named.get("X-Resource-Revision", "") or named.get("X-Kie-Revision", "")
    return Answer(response.status, _json(await response.read()), revision)


def _why(addresses: Sequence[str], failure: Exception | None) -> str:
    reason = str(failure) or type(failure).__name__
    return f"no answer from the engine at {', '.join(addresses)}: {reason}"


def tls_context(settings: ServiceSettings) -> ssl.SSLContext | bool:
    """How https addresses are checked, and with which certificate the service shows itself. Raises `SettingsError`."""
    if not (settings.tls_ca or settings.tls_cert):
        return True
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca or None)
        if settings.tls_cert:
            context.load_cert_chain(settings.tls_cert, settings.tls_key or None)
    except OSError as error:
        files = ", ".join(filter(None, (settings.tls_ca, settings.tls_cert, settings.tls_key)))
        raise SettingsError(f"tls_ca, tls_cert, tls_key: {error} ({files})") from error
    return context


def good(answer: Answer) -> Answer:
    """The answer, if it is 200. Raises `EngineError`."""
    if answer.status == 200:
        return answer
    code, message = str(answer.body.get("errorCode", "")), str(answer.body.get("errorMessage", ""))
    raise EngineError(answer.status, code, message, str(answer.body.get("detail", "")))


def _json(payload: bytes) -> Json:
    try:
        value = orjson.loads(payload) if payload else {}
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def rows_of(body: Json, name: str) -> Sequence[Json]:
    """The objects of a list in an answer; what is none is left out."""
    rows = body.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
