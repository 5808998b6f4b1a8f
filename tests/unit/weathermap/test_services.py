"""weather, forecast, fusionweather and the page's server, each alone."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from governance.samples.weathermap import schemas
from governance.samples.weathermap.fusion import fusionweather
from governance.samples.weathermap.service import settings_for
from governance.samples.weathermap.weather import forecast, weather, weather_beta
from governance.samples.weathermap.web_page import weathermapweb
from tests.unit.sdk.known import Known, instance
from tests.unit.sdk.servers import nobody, serving
from tests.unit.weathermap.apps import Service, get, knowing, running_app
from tests.unit.weathermap.test_data import KNOWN

_SERVED = {"servedBy": {"service": "sample", "version": "0.0.9", "instance": "i-1"}}


@pytest.fixture(autouse=True)
def _on_a_known_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEATHERMAP_DATE", "2026-11-24")
    monkeypatch.delenv("WEATHERMAP_SEED", raising=False)


async def test_weather_answers_for_a_city() -> None:
    async with running_app(weather(Service())) as url:  # type: ignore[arg-type]
        assert await get(f"{url}/weather/show", city="Berlin") == (200, {**KNOWN.current("Berlin"), **_SERVED})
        assert await get(f"{url}/health") == (200, {"status": "UP"})
        for city in ("", "  ", "x" * 101):
            status, body = await get(f"{url}/weather/show", city=city)
            assert (status, body) == (400, {"error": "city is required, 100 characters at most"})


async def test_weather_beta_adds_the_uv_index() -> None:
    async with running_app(weather_beta(Service())) as url:  # type: ignore[arg-type]
        _, body = await get(f"{url}/weather/show", city="Berlin")
    assert body == {**KNOWN.current("Berlin"), **KNOWN.ultraviolet("Berlin"), **_SERVED}


async def test_forecast_answers_for_a_city() -> None:
    async with running_app(forecast(Service())) as url:  # type: ignore[arg-type]
        assert await get(f"{url}/forecast/show", city="Oslo") == (200, {**KNOWN.forecast("Oslo"), **_SERVED})


async def test_latency_makes_a_service_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENCY", "150")
    loop = asyncio.get_running_loop()
    async with running_app(weather(Service())) as url:  # type: ignore[arg-type]
        begun = loop.time()
        assert (await get(f"{url}/weather/show", city="Berlin"))[0] == 200
        assert loop.time() - begun >= 0.15


@pytest.mark.parametrize(
    ("percentage", "failed"), [("50", [2, 4, 6]), ("34", [3, 6]), ("100", [1, 2, 3, 4, 5, 6]), ("x", [])]
)
async def test_failures_fail_a_share_of_the_calls(
    monkeypatch: pytest.MonkeyPatch, percentage: str, failed: list[int]
) -> None:
    monkeypatch.setenv("FAILURES", percentage)
    async with running_app(forecast(Service())) as url:  # type: ignore[arg-type]
        answers = [await get(f"{url}/forecast/show", city="Berlin") for _ in range(6)]
    assert [number for number, answer in enumerate(answers, 1) if answer[0] != 200] == failed
    assert all(answers[number - 1] == (503, {"error": "failed on purpose"}) for number in failed)


async def test_fusionweather_puts_both_together() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        return web.json_response({"from": request.path})

    async with serving(answer) as url:
        known = Known(weather=[instance(url)], forecast=[instance(url)])
        async with knowing(known) as service, running_app(fusionweather(service)) as fusion:  # type: ignore[arg-type]
            status, body = await get(f"{fusion}/fusionweather/show", city="New York", user="me")
            assert (await get(f"{fusion}/fusionweather/show"))[0] == 400
    assert status == 200
    assert body == {
        "currentWeather": {"from": "/weather/show"},
        "forecastWeather": {"from": "/forecast/show"},
        **_SERVED,
    }
    assert sorted(asked) == ["/forecast/show?city=New+York&user=me", "/weather/show?city=New+York&user=me"]


@pytest.mark.parametrize("answer", [web.Response(status=500), web.Response(text="?"), None])
async def test_a_provider_that_fails_leaves_its_part_empty(answer: web.Response | None) -> None:
    async def fail(request: web.Request) -> web.Response:
        if "forecast" in request.path:
            return web.json_response({"well": True})
        return (
            web.Response(status=answer.status, text="{", content_type="application/json") if answer else _cut(request)
        )

    async with serving(fail) as url:
        known = Known(weather=[instance(url)], forecast=[instance(url)])
        async with knowing(known) as service, running_app(fusionweather(service)) as fusion:  # type: ignore[arg-type]
            _, body = await get(f"{fusion}/fusionweather/show", city="Berlin")
    assert body == {"currentWeather": {}, "forecastWeather": {"well": True}, **_SERVED}


def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_nobody_to_call_leaves_both_parts_empty() -> None:
    async with knowing(Known()) as service, running_app(fusionweather(service)) as fusion:  # type: ignore[arg-type]
        _, body = await get(f"{fusion}/fusionweather/show", city="Berlin")
    assert body == {"currentWeather": {}, "forecastWeather": {}, **_SERVED}


async def test_the_page_is_served_with_a_tight_policy() -> None:
    async with running_app(weathermapweb("127.0.0.1:1")) as url, aiohttp.ClientSession() as session:
        for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
            async with session.get(url + path) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
        for path in ("/page.txt", "/__init__.py", "/..%2Fdata.py", "/%2e%2e%2fdata.py", "/page%2Fpage.js"):
            async with session.get(url + path) as answer:
                assert answer.status == 404, path


async def test_the_pages_question_goes_to_the_edge() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"path": request.raw_path}, status=503)

    async with serving(answer) as edge, running_app(weathermapweb(edge.removeprefix("http://"))) as url:
        found = await get(f"{url}/weathermapweb/ui/fusionweatherdata", city="New York", user="a&b", other="x")
    assert found == (503, {"path": "/fusionweather/show?city=New+York&user=a%26b"})


async def test_an_edge_that_is_not_there_is_told() -> None:
    with nobody() as edge:
        async with running_app(weathermapweb(edge)) as url:
            found = await get(f"{url}/weathermapweb/ui/fusionweatherdata", city="Berlin")
    assert found == (502, {"error": f"the edge at {edge} does not answer"})


def test_a_services_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for("weather", "0.0.2", "127.0.0.1", 13090, "http://a:1,http://b:2", schemas.WEATHER)
    assert (settings.app, settings.name, settings.version) == ("weathermap", "weather", "0.0.2")
    assert settings.endpoints == ("rest://127.0.0.1:13090",)
    assert settings.addresses == ("http://a:1", "http://b:2")
    assert list(settings.schemas) == ["weather"]
    assert not settings.sign_calls
    assert settings_for("fusionweather", "0.0.2", "127.0.0.1", 13092, "", "").sign_calls
    monkeypatch.setenv("CAS_INSTANCE_VERSION", "1.0")
    monkeypatch.setenv("PAAS_CSE_SC_ENDPOINT", "http://c:3")
    monkeypatch.setenv("SERVICECOMB_INSTANCE_PROPS", "cas_lane_tag:gray")
    settings = settings_for("weather", "0.0.2", "127.0.0.1", 13090, "", "")
    assert (settings.version, settings.addresses) == ("1.0", ("http://c:3",))
    assert settings.instance_properties == {"cas_lane_tag": "gray", "CAS_INSTANCE_VERSION": "1.0"}
