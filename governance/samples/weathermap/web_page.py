"""weathermapweb: the page, and its two questions to the edge. It is no registered service: it only knows SERVICE_ADDR."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import aiohttp
from aiohttp import web

from governance.samples.weathermap.service import health

_TYPES = {"index.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_TIMEOUT = aiohttp.ClientTimeout(total=8)


def weathermapweb(service_address: str) -> web.Application:
    """The page's server; `service_address` is the edge's host:port."""
    edge = service_address if "://" in service_address else f"http://{service_address}"
    session = web.AppKey("session", aiohttp.ClientSession)

    async def connect(app: web.Application) -> None:
        app[session] = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def disconnect(app: web.Application) -> None:
        await app[session].close()

    async def data(request: web.Request) -> web.Response:
        wanted = {name: request.query[name] for name in ("city", "user") if request.query.get(name)}
        return await ask("/fusionweather/show", wanted)

    async def board(_request: web.Request) -> web.Response:
        return await ask("/board", {})

    async def ask(path: str, query: Mapping[str, str]) -> web.Response:
        try:
            async with app[session].get(edge + path, params=query) as answer:
                return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")
        except (aiohttp.ClientError, TimeoutError, OSError):
            return web.json_response({"error": f"the edge at {edge} does not answer"}, status=502)

    async def page(request: web.Request) -> web.Response:
        name = request.match_info.get("name") or "index.html"
        if name not in _TYPES:
            raise web.HTTPNotFound
        body = files(__package__).joinpath("page", name).read_bytes()
        return web.Response(body=body, content_type=_TYPES[name], charset="utf-8", headers=_HEADERS)

    app = web.Application()
    app.on_startup.append(connect)
    app.on_cleanup.append(disconnect)
    app.add_routes(
        [
            web.get("/weathermapweb/ui/fusionweatherdata", data),
            web.get("/weathermapweb/ui/board", board),
            web.get("/health", health),
            web.get("/", page),
            web.get("/{name}", page),
        ]
    )
    return app
