"""What travels along with a call from service to service: a few texts by name.

On the wire it is in two headers, JSON for Java Chassis and go-chassis, JSON in URL encoding for Spring Cloud Huawei. Both are read and both
are written. Inside a process it is a context variable, which tasks inherit.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from types import MappingProxyType
from urllib.parse import quote, unquote

import orjson

CHASSIS_HEADER = "x-cse-context"
SPRING_HEADER = "x-invocation-context"
LANE_HEADERS = ("x_cse_canary", "x-cse-canary")
"""The lane of a call; some proxies drop names with underscores."""
ROUTER_CONTEXT = "X-RouterContext"
"""Within the context of Java Chassis 2: the headers that `servicecomb.router.header` names, as JSON, by which it routes."""
LARGEST = 16_384
"""Bytes of one header that are read; a longer one counts for nothing, so it is not written either."""

_PLAIN = re.compile(r"[!-~]{1,256}")
_current: ContextVar[Mapping[str, str]] = ContextVar("invocation_context", default=MappingProxyType({}))


def current() -> Mapping[str, str]:
    """The context of the call that is being handled; empty outside of one."""
    return _current.get()


@contextlib.contextmanager
def entered(values: Mapping[str, str]) -> Iterator[None]:
    """Within the block, the context is this."""
    token = _current.set(MappingProxyType(dict(values)))
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def having(**values: str) -> Iterator[None]:
    """Within the block, the context has these values, too."""
    with entered({**current(), **values}):
        yield


def read(headers: Mapping[str, str]) -> dict[str, str]:
    """The context of a request that has come in. What is no context is left out. `headers` find their names in any case."""
    found = {**_object(headers.get(SPRING_HEADER), encoded=True), **_object(headers.get(CHASSIS_HEADER), encoded=False)}
    found = {**_object(found.get(ROUTER_CONTEXT), encoded=False), **found}
    lane = next((headers[name] for name in LANE_HEADERS if name in headers), None)
    return found if lane is None else {**found, LANE_HEADERS[0]: lane}


def written(context: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request that goes out. They are ASCII, whatever is in the context; one that would be too long is left out."""
    if not context:
        return {}
    text = f"{{{','.join([f'{_json(name)}:{_json(value)}' for name, value in context.items()])}}}"
    headers = dict(_headers(text)) if len(text) <= LARGEST else {}
    lane = context.get(LANE_HEADERS[0], "")
    if _PLAIN.fullmatch(lane):
        headers.update(dict.fromkeys(LANE_HEADERS, lane))
    return headers


def lane_spellings(header: str) -> tuple[str, ...]:
    """A header that carries a lane, and its other spelling: some proxies drop names with underscores."""
    return tuple(dict.fromkeys((header, header.replace("_", "-"))))


def _json(text: str) -> str:
    """A text of JSON. Half a pair, as in a header with bytes that are no UTF-8, would make the whole unreadable to others."""
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _quoted(text)


@lru_cache(maxsize=256)
def _headers(text: str) -> Mapping[str, str]:
    """Both headers. Most calls of a service have the same context: its own name."""
    encoded = quote(text, safe="")
    return {CHASSIS_HEADER: text} if len(encoded) > LARGEST else {CHASSIS_HEADER: text, SPRING_HEADER: encoded}


def _object(text: str | None, *, encoded: bool) -> Mapping[str, str]:
    if not text or len(text) > LARGEST:
        return {}
    try:
        values = orjson.loads(unquote(text) if encoded else text.encode("utf-8", "surrogateescape"))
    except (orjson.JSONDecodeError, UnicodeError):
        return {}
    return {name: value for name, value in values.items() if isinstance(value, str)} if isinstance(values, dict) else {}
