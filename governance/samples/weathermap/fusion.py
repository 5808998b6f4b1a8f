"""fusionweather: asks weather and forecast at once and puts their answers together.

A provider that fails gives an empty part, not a failed answer: the page shows what there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
from aiohttp import web

from governance.logs import logger
from governance.samples.weathermap.service import city_of, health, served_by
from governance.sdk import Microservice, NoInstanceError, governed

_TIMEOUT = aiohttp.ClientTimeout(total=3)
log = logger(__name__)


def fusionweather(service: Microservice) -> web.Application:
    """The aggregating service."""

    async def show(request: web.Request) -> web.Response:
        wanted = {"city": city_of(request), **({"user": user} if (user := request.query.get("user")) else {})}
        current, ahead = await asyncio.gather(
            _part(service, "cse://weather/weather/show", wanted), _part(service, "cse://forecast/forecast/show", wanted)
        )
        return web.json_response({"currentWeather": current, "forecastWeather": ahead, "servedBy": served_by(service)})

    app = web.Application(middlewares=[governed(service.inbound)])
    app.add_routes([web.get("/fusionweather/show", show), web.get("/health", health)])
    return app


async def _part(service: Microservice, url: str, wanted: Mapping[str, str]) -> Mapping[str, object]:
    try:
        async with service.http.get(url, params=wanted, timeout=_TIMEOUT) as answer:
            if answer.status == 200:
                # A service that is degraded answers nothing.
                part: Mapping[str, object] = await answer.json() or {}
                return part
            log.warning("provider.refused", url=url, status=answer.status)
    except (NoInstanceError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        log.warning("provider.failed", url=url, error=str(error) or type(error).__name__)
    return {}
