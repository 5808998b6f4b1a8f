"""What a handler gets and gives: one request as a `Call`, one answer as a `Reply`, and the table row that joins both, a `Route`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import orjson

from registry import __version__
from registry.access.permissions import sees
from registry.errors import invalid
from registry.tenancy import tenant_name

if TYPE_CHECKING:
    from aiohttp import web

    from registry.access import Identity
    from registry.access.permissions import Labels
    from registry.api.door.verdicts import Verdict
    from registry.api.shapes import Rule, Shape
    from registry.config.state import Topic
    from registry.engine import Engine
    from registry.errors import Refusal

T = TypeVar("T")
SERVER = f"SERVICECENTER/{__version__}"
"""What every answer's Server header says."""
JSON_TYPE = "application/json; charset=UTF-8"
TEXT_TYPE = "text/plain; charset=UTF-8"
EVENTS_TYPE = "text/event-stream; charset=UTF-8"
WEBSOCKET = ""
"""Stands for the content type of an answer that is a websocket."""
NOTHING = "nothing"
"""Stands for the content type of a success that is 204."""
_LONGEST_NAME = 256
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
    KIE = "domain `default` and the path"
    CONFIG = "X-Domain-Name and the path; `default` for what is missing"
    QUERY = "the query's `domain` and `project`"
    NONE = "always default/default"


class Listeners(Protocol):
    """Who keeps polls, websockets and event streams open; the api's own, handed to the handlers that need it."""

    async def poll(self, call: Call, topic: Topic, seconds: float) -> bool: ...

    async def watch(self, call: Call) -> Reply | web.StreamResponse: ...

    async def beat(self, call: Call) -> Reply | web.StreamResponse: ...

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
    identity: Identity | None = None
    granted: Sequence[Labels] | None = None
    verdict: Verdict | None = None

    def sees(self, labels: Labels, *, exact: bool = False) -> bool:
        """Whether a list may show what has these labels to whoever asks; with `granted` nothing, it shows all."""
        return self.granted is None or sees(self.granted, labels, exact=exact)

    @property
    def query(self) -> dict[str, str]:
        """The query's first value of every name."""
        return dict(reversed(self.pairs))

    def header(self, name: str) -> str:
        """A request header, empty where it is missing. Raises 400001 for one that is no UTF-8: it could not be answered or logged."""
        value = self.request.headers.get(name, "")
        if not value.isascii() and not _is_utf8(value):
            raise invalid(f"the header {name} is not UTF-8")
        return value

    @property
    def address(self) -> str:
        """Where the request came from: what a proxy says, else the connection's other end."""
        forwarded = self.header("X-Forwarded-For").split(",")[0].strip() or self.header("X-Real-Ip").strip()
        return forwarded[:64] or str(self.request.remote or "")

    @property
    def author(self) -> str:
        """Who asks, for the audit log: the account, or the name that the client gives, unproven; and its address."""
        name = self.identity.account if self.identity else self.header("X-Waggle-Author").strip()[:128]
        return f"{name}@{self.address}" if name else self.address

    async def execute(self, command: Callable[[], T]) -> T:
        """Run a command on behalf of whoever asks, and wait until its changes are stored."""
        return await self.engine.execute(command, self.author)

    @property
    def tenant(self) -> str:
        """The tenant that the request is about. Raises 400001 for names that are too long: they are part of every record's key."""
        if self.route.tenancy is Tenancy.NONE:
            return tenant_name("default", "default")
        if self.route.tenancy is Tenancy.QUERY:
            return tenant_name(self.query.get("domain") or "default", self.query.get("project") or "default")
        domain = "" if self.route.tenancy is Tenancy.KIE else self.header("X-Domain-Name")
        if self.route.tenancy is Tenancy.V3:
            domain = self.header("X-Tenant-Name") or domain
        project = self.params.get("project", "default")
        if max(len(domain), len(project)) > _LONGEST_NAME:
            raise invalid(f"the name of a domain or project has {_LONGEST_NAME} characters at most")
        return tenant_name(domain or "default", project)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_it_is(refusal: Refusal) -> Refusal:
    """The words of a refusal, where its protocol is the registry's."""
    return refusal


Handler: TypeAlias = "Callable[[Call], Awaitable[Reply | web.StreamResponse]]"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, the path or the headers, for the API's description; `rule` is what its handler checks."""

    name: str
    about: str
    where: str = "query"
    required: bool = False
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table of routes.

    `resource` is what access control will ask for (`public` needs nothing); `body_limit` names the setting that bounds the body. `refused`
    puts a refusal into the words of the route's protocol. For the API's description: `parameters` beside those that the path names, the
    `body` and a `sample` of one that is accepted, the content type of a success, which is `EMPTY`'s where there is nothing to say, whether
    JSON is `listed`, and `failures`, statuses that only this route has. `needs_access`: there is no such
    route while access control is off. `verb`: what it does, where its method says something else.
    """

    method: str
    path: str
    handler: Handler
    resource: str
    about: str
    tenancy: Tenancy = Tenancy.V4
    body_limit: str = "max_body_bytes"
    parameters: Sequence[Parameter] = ()
    body: Shape | None = None
    sample: Mapping[str, object] | None = None
    answers: str = JSON_TYPE
    listed: bool = False
    failures: Mapping[int, str] = field(default_factory=dict)
    needs_access: bool = False
    verb: str = ""

    @property
    def name(self) -> str:
        """The handler's name with its module's, as metrics tell it: `instances.register`."""
        handler = self.handler
        return f"{handler.__module__.rpartition('.')[2]}.{handler.__qualname__.rpartition('.')[2]}"

    section: str = ""
    refused: Callable[[Refusal], Refusal] = as_it_is
