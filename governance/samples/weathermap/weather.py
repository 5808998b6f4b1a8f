"""weather, weather-beta and forecast: what one almanac knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from aiohttp import web

from governance.samples.weathermap.service import Failures, almanac, city_of, health, latency, served_by
from governance.sdk import Microservice, governed


def _app(path: str, service: Microservice, answer: Callable[[str], Mapping[str, object]]) -> web.Application:
    failures = Failures(os.environ)

    async def show(request: web.Request) -> web.Response:
        city = city_of(request)
        await latency(os.environ)
        failures.next()
        return web.json_response({**answer(city), "servedBy": served_by(service)})

    app = web.Application(middlewares=[governed(service.inbound)])
    app.add_routes([web.get(path, show), web.get("/health", health)])
    return app


def weather(service: Microservice) -> web.Application:
    """The weather now."""
    return _app("/weather/show", service, lambda city: almanac(os.environ).current(city))


def weather_beta(service: Microservice) -> web.Application:
    """The weather now, with the UV index: the next version of weather."""

    def answer(city: str) -> Mapping[str, object]:
        known = almanac(os.environ)
        return {**known.current(city), **known.ultraviolet(city)}

    return _app("/weather/show", service, answer)


def forecast(service: Microservice) -> web.Application:
    """The next days."""
    return _app("/forecast/show", service, lambda city: almanac(os.environ).forecast(city))
