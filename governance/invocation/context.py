"""What travels along with a call from service to service: a few texts by name.

On the wire it is in two headers, JSON for Java Chassis and go-chassis, JSON in URL encoding for Spring Cloud Huawei. Both are read and both
are written. Inside a process it is a context variable, which tasks inherit.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from urllib.parse import quote, unquote

import orjson

CHASSIS_HEADER = "x-cse-context"
SPRING_HEADER = "x-invocation-context"
LANE_HEADERS = ("x_cse_canary", "x-cse-canary")
"""The lane of a call; some proxies drop names with underscores."""
LARGEST = 16_384
"""Bytes of one header that are read; a longer one counts for nothing."""

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
    lane = next((headers[name] for name in LANE_HEADERS if name in headers), None)
    return found if lane is None else {**found, LANE_HEADERS[0]: lane}


def written(context: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request that goes out. They are ASCII, whatever is in the context."""
    if not context:
        return {}
    text = json.dumps(dict(context), separators=(",", ":"))
    headers = {CHASSIS_HEADER: text, SPRING_HEADER: quote(text, safe="")}
    lane = context.get(LANE_HEADERS[0], "")
    return {**headers, **dict.fromkeys(LANE_HEADERS, lane)} if _PLAIN.fullmatch(lane) else headers


def _object(text: str | None, *, encoded: bool) -> Mapping[str, str]:
    if not text or len(text) > LARGEST:
        return {}
    try:
        values = orjson.loads(unquote(text) if encoded else text.encode("utf-8", "surrogateescape"))
    except (orjson.JSONDecodeError, UnicodeError):
        return {}
    return {name: value for name, value in values.items() if isinstance(value, str)} if isinstance(values, dict) else {}
