"""unit-controller, unit-consumer and unit-provider: each asks the one behind it, and all say who they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from governance.samples.weathermap.service import health, sample_settings
from governance.sdk import Microservice, NoInstanceError, ServiceSettings, governed

APP = "unit"
BEHIND: Mapping[str, str] = {"unit-controller": "unit-consumer", "unit-consumer": "unit-provider", "unit-provider": ""}
"""The services, and whom each asks."""
_PROPERTIES = "SERVICECOMB_INSTANCE_PROPS"
_TIMEOUT = aiohttp.ClientTimeout(total=3)


def unit_settings(name: str, host: str, port: int, engine: str) -> ServiceSettings:
    """The settings of one of the three. Its lane comes from SERVICECOMB_INSTANCE_PROPS, its component from CAS_COMPONENT_NAME."""
    return sample_settings("1.0.0", host, port, engine, app=APP, name=name)


def unit(service: Microservice) -> web.Application:
    """One of the services. Where the one behind it does not answer, neither does it: 502."""
    name = service.settings.name
    behind = BEHIND[name]
    own = {_PROPERTIES: os.environ.get(_PROPERTIES, ""), "ip": urlsplit(service.settings.endpoints[0]).hostname}

    async def hello(_request: web.Request) -> web.Response:
        return web.json_response({**(await _ask(service, behind) if behind else {}), name: own})

    app = web.Application(middlewares=[governed(service.inbound)])
    app.add_routes([web.get(f"/{name}/hello", hello), web.get("/health", health)])
    return app


async def _ask(service: Microservice, behind: str) -> Mapping[str, object]:
    try:
        async with service.http.get(f"cse://{behind}/{behind}/hello", timeout=_TIMEOUT) as answer:
            answer.raise_for_status()
            found: Mapping[str, object] = await answer.json()
            return found
    except (NoInstanceError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise web.HTTPBadGateway(text=f"{behind}: {error or type(error).__name__}") from error
