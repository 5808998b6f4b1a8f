"""What a call of the client gives: an answer of a service, or one that was made here in its place."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import aiohttp
from aiohttp.client_reqrep import RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from governance.invocation.invocation import LocalReply, Reply


class LocalAnswer:
    """An answer that no service gave: a refusal, an injected fault, a fallback. It has what is used most of aiohttp's answers.

    The body of a refusal is `{"message": …}`; that of a fallback to nothing is empty, and `json()` gives `None`. `made_by` is the kind of
    the rule, such as `instanceIsolation`.
    """

    def __init__(self, method: str, url: str, reply: LocalReply) -> None:
        self.method = method
        self.url = URL(url)
        self.status = reply.status
        self.reason = reply.text
        self.made_by = reply.by
        self.content_type = "application/json"
        self.headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json"}))
        self._body = message_of(reply)

    def __repr__(self) -> str:
        return f"<LocalAnswer({self.method} {self.url}) [{self.status} by {self.made_by}]>"

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    async def read(self) -> bytes:
        """The body."""
        return self._body

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """The body as text."""
        return self._body.decode(encoding or "utf-8", errors)

    async def json(self, **_options: object) -> Any:
        """The body's value; `None` where it is empty."""
        return json.loads(self._body) if self._body else None

    def release(self) -> None:
        """There is no connection."""

    close = release

    def raise_for_status(self) -> None:
        """Raises `aiohttp.ClientResponseError` from 400 on."""
        if not self.ok:
            asked = RequestInfo(self.url, self.method, self.headers, self.url)
            raise aiohttp.ClientResponseError(asked, (), status=self.status, message=self.reason, headers=self.headers)


Answer: TypeAlias = "aiohttp.ClientResponse | LocalAnswer"


def message_of(reply: LocalReply) -> bytes:
    """The body of a reply that was made here, in the form that Java Chassis gives errors."""
    return json.dumps({"message": reply.text}).encode() if reply.text else b""


def let_go(reply: Reply) -> None:
    """Nobody reads this reply: its connection is free again. One that was read to its end has none any more, and can be read again."""
    if isinstance(reply, aiohttp.ClientResponse) and reply.connection is not None:
        reply.release()


async def kept(reply: Reply) -> Reply:
    """The reply with its body in memory, to be read any number of times."""
    if isinstance(reply, aiohttp.ClientResponse):
        await reply.read()
    return reply
