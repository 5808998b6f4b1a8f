"""edge-service: the one entry. `/{service}/…` goes to an instance of that service, found by discovery; `/board` is configured."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from governance.logs import logger
from governance.samples.weathermap.board import board_of
from governance.samples.weathermap.service import health
from governance.sdk import Microservice, NoInstanceError

_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "proxy-connection",
    ]
)
_SERVICES = frozenset(("weather", "forecast", "fusionweather"))
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_LARGEST_BODY = 1 << 20
log = logger(__name__)


def edge_service(service: Microservice) -> web.Application:
    """The entry for the page and for anyone outside."""

    async def forward(request: web.Request) -> web.Response:
        name = request.match_info["service"]
        if name not in _SERVICES:
            return _error(404, f"the edge knows no service {name!r}")
        url = f"cse://{name}{request.rel_url.raw_path_qs}"
        headers = _passed_on(request.headers)
        try:
            async with service.http.request(
                request.method, url, headers=headers, data=await request.read(), timeout=_TIMEOUT, allow_redirects=False
            ) as answer:
                body = await answer.read()
                return web.Response(status=answer.status, body=body, headers=_passed_on(answer.headers))
        except NoInstanceError as error:
            return _error(503, str(error))
        except TimeoutError:
            return _error(504, f"{name} did not answer in time")
        except (aiohttp.ClientError, OSError) as error:
            log.warning("edge.failed", service=name, error=str(error))
            return _error(502, f"{name} could not be reached")

    async def board(_request: web.Request) -> web.Response:
        return web.json_response(board_of(service.config).model_dump())

    app = web.Application(client_max_size=_LARGEST_BODY)
    app.add_routes([web.get("/health", health), web.get("/board", board)])
    app.add_routes([web.route("*", "/{service}/{rest:.*}", forward)])
    return app


def _passed_on(headers: Mapping[str, str]) -> CIMultiDict[str]:
    named = {token.strip().lower() for token in CIMultiDict(headers).get("Connection", "").split(",")}
    kept = [(name, value) for name, value in CIMultiDict(headers).items() if name.lower() not in _HOP | named]
    return CIMultiDict((name, value) for name, value in kept if name.lower() != "content-encoding")


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
