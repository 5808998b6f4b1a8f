"""The engine's API as pages ask it: the same routes, through the same door, as whoever looks. The console has no privilege of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

import orjson
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from registry.api.call import Call, Reply, Route, Tenancy

Answer: TypeAlias = Callable[[Call], Awaitable[Reply | web.StreamResponse]]
Query: TypeAlias = Mapping[str, object]
"""A parameter that is there several times has a list."""
_NO_QUERY: Query = {}


class ApiError(Exception):
    """The API said no. `code` is that of the error catalogue, `document` the whole answer, where a rule's problems have line and column."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.document = document
        self.code = str(document.get("errorCode") or document.get("error_code") or status)
        self.message = str(document.get("errorMessage") or document.get("error_msg") or "")
        self.detail = str(document.get("detail") or "")
        super().__init__(f"{self.code} {self.message}: {self.detail}")

    @property
    def text(self) -> str:
        """What a person reads of it."""
        return self.detail or self.message or f"status {self.status}"


class Table:
    """The routes by method and pattern, as pages name them."""

    def __init__(self, routes: Sequence[Route], answer: Answer) -> None:
        self._routes = {(route.method, route.path): route for route in routes}
        self.answer = answer

    def route(self, method: str, pattern: str) -> Route:
        """A row of the table. Raises `KeyError` for a page that asks for what there is not: a defect."""
        return self._routes[method, pattern]


class Api:
    """Asks on behalf of one request for a page, about a domain and project. `token` is empty for somebody who has not signed in."""

    def __init__(self, table: Table, outer: Call, tenant: tuple[str, str], token: str) -> None:
        self._table = table
        self._outer = outer
        self._domain, self._project = tenant
        self._token = token

    async def get(self, pattern: str, query: Query = _NO_QUERY, **params: str) -> Any:
        """GET: the answer's JSON. `:project` of a pattern is filled in, the other names are `params`. Raises `ApiError`."""
        return await self.send("GET", pattern, None, query, **params)

    async def send(
        self, method: str, pattern: str, document: object = None, query: Query = _NO_QUERY, **params: str
    ) -> Any:
        """Any method, with a JSON body; the answer's JSON, `None` where it is empty. Raises `ApiError`."""
        body = b"" if document is None else orjson.dumps(document)
        return read((await self.raw(method, pattern, body, query, **params)).body)

    async def raw(self, method: str, pattern: str, body: bytes = b"", query: Query = _NO_QUERY, **params: str) -> Reply:
        """Any method and body; the answer as it is. Raises `ApiError`."""
        reply = await self._table.answer(self._call(method, pattern, body, query, params))
        if not isinstance(reply, Reply):
            raise TypeError(f"{pattern} answers a stream")
        if reply.status >= 400:
            raise ApiError(reply.status, _problem(reply))
        return reply

    def _call(self, method: str, pattern: str, body: bytes, query: Query, params: Mapping[str, str]) -> Call:
        route = self._table.route(method, pattern)
        filled = {"project": self._project, **params} if ":project" in pattern else dict(params)
        pairs = [(name, _text(one)) for name, value in query.items() for one in _several(value)]
        if route.tenancy is Tenancy.QUERY:
            pairs += [("domain", self._domain), ("project", self._project)]
        request = self._outer.request.clone(
            method=method, rel_url=_target(pattern, filled, pairs), headers=self._headers()
        )
        return Call(self._outer.engine, route, request, filled, pairs, body, listeners=self._outer.listeners)

    def _headers(self) -> CIMultiDict[str]:
        """Whose request it is, and where it comes from; the browser's other headers are about the page."""
        outer = self._outer.request.headers
        headers = CIMultiDict({"X-Domain-Name": self._domain})
        for name in ("Host", "X-Forwarded-For", "X-Real-Ip"):
            for value in outer.getall(name, ()):
                headers.add(name, value)
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return headers


def read(body: bytes) -> Any:
    """JSON, `None` where there is nothing."""
    return orjson.loads(body) if body else None


def _several(value: object) -> Sequence[object]:
    """The values of a parameter: those of a list, one, or none."""
    if isinstance(value, list | tuple):
        return value
    return () if value is None or value == "" else (value,)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _target(pattern: str, params: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> URL:
    segments = [quote(params[part[1:]], safe="") if part.startswith(":") else part for part in pattern.split("/")]
    return URL("/".join(segments) + (f"?{urlencode(pairs)}" if pairs else ""), encoded=True)


def _problem(reply: Reply) -> Mapping[str, Any]:
    try:
        found = read(reply.body)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"detail": reply.body.decode(errors="replace").strip()}
