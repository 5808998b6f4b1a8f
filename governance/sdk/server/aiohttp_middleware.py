"""The rules for an aiohttp server."""

from __future__ import annotations

from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from governance.invocation.invocation import LocalReply, Reply
from governance.sdk.answers import message_of
from governance.sdk.server.inbound import Arrival, Inbound


def governed(inbound: Inbound) -> Middleware:
    """A middleware: `web.Application(middlewares=[governed(service.inbound)])`. What a rule refuses does not reach the handler."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        async def run() -> Reply:
            try:
                return await handler(request)
            except web.HTTPException as answer:
                return answer

        resource = request.match_info.route.resource
        arrival = Arrival(
            method=request.method,
            path=request.path,
            headers=request.headers,
            queries=lambda: request.query,
            pattern=lambda: resource.canonical if resource is not None else "",
        )
        answer = _answer(request, await inbound.handle(arrival, run))
        if inbound.gate.closed and not answer.prepared:
            answer.force_close()
        if isinstance(answer, web.HTTPException):
            raise answer
        return answer

    return middleware


def _answer(request: web.Request, reply: Reply) -> web.StreamResponse:
    if not isinstance(reply, LocalReply):
        return cast(web.StreamResponse, reply)
    if request.writer.output_size:
        raise ConnectionError(f"the answer had begun when {reply.by} gave another")
    return web.Response(status=reply.status, body=message_of(reply), content_type="application/json")
