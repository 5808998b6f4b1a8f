"""What a handler gets and gives: one request as a `Call`, one answer as a `Reply`, and the table row that joins both, a `Route`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias

import orjson

from registry.tenancy import tenant_name

if TYPE_CHECKING:
    from aiohttp import web

    from registry.engine import Engine

JSON_TYPE = "application/json; charset=UTF-8"
TEXT_TYPE = "text/plain; charset=UTF-8"
NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: success without a body is 200 and plain text, as Service Center's section 1.6 has it."""

    status: int = 200
    body: bytes = b""
    content_type: str = TEXT_TYPE
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


EMPTY = Reply()


def json_reply(document: object, headers: Mapping[str, str] = NO_HEADERS) -> Reply:
    """200 with a JSON body: compact, since Go clients look for literal text in it."""
    return Reply(200, orjson.dumps(document), JSON_TYPE, headers)


class Tenancy(Enum):
    """Where a route takes its domain and project from. Protocol: Service Center section 2."""

    V4 = "X-Domain-Name and the path"
    V3 = "X-Tenant-Name or X-Domain-Name; project `default`"
    NONE = "always default/default"


class Listeners(Protocol):
    """Who keeps websockets and event streams open; the api's own, handed to the handlers that need it."""

    async def watch(self, call: Call) -> web.StreamResponse: ...

    async def beat(self, call: Call) -> web.StreamResponse: ...

    async def events(self, call: Call) -> web.StreamResponse: ...


@dataclass(slots=True)
class Call:
    """One matched request. `params` are those of the path, `query` holds the first value of every name, `body` is whole."""

    engine: Engine
    route: Route
    request: web.BaseRequest
    params: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]
    body: bytes = b""
    listeners: Listeners | None = None

    @property
    def query(self) -> dict[str, str]:
        """The query's first value of every name."""
        return dict(reversed(self.pairs))

    def header(self, name: str) -> str:
        """A request header, empty where it is missing."""
        return self.request.headers.get(name, "")

    @property
    def tenant(self) -> str:
        """The tenant that the request is about."""
        if self.route.tenancy is Tenancy.NONE:
            return tenant_name("default", "default")
        domain = self.header("X-Domain-Name")
        if self.route.tenancy is Tenancy.V3:
            domain = self.header("X-Tenant-Name") or domain
        return tenant_name(domain or "default", self.params.get("project", "default"))


Handler: TypeAlias = "Callable[[Call], Awaitable[Reply | web.StreamResponse]]"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter or header, for the API's description."""

    name: str
    about: str
    where: str = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table of routes.

    `resource` is what access control will ask for (`public` needs nothing); `body_limit` names the setting that bounds the body; `sample`
    is a body that the route accepts, for the API's description.
    """

    method: str
    path: str
    handler: Handler
    resource: str
    about: str
    tenancy: Tenancy = Tenancy.V4
    body_limit: str = "max_body_bytes"
    parameters: Sequence[Parameter] = ()
    sample: Mapping[str, object] | None = None
    section: str = ""
