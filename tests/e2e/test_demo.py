"""The weathermap as a user meets it: `waggle demo`, its table, its edge, its page, and its end."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from governance.samples.weathermap.data import Almanac
from tests.api.access import ROOT_PASSWORD
from tests.e2e.browser import open_page
from tests.e2e.demo import DAY, Demo, ready, started
from tests.engine import ROOT, client_of, eventually

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="NO /proc: the demo's processes cannot be counted")
KNOWN = Almanac("waggle", datetime.strptime(DAY, "%Y-%m-%d").replace(tzinfo=UTC))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """A demo with weather-beta for the tests that only look."""
    environ = {"SERVICECOMB_MONITOR_CLIENT_INTERVAL": "1000"}
    async with ready("--beta", "--data-dir", str(tmp_path_factory.mktemp("demo")), environ=environ) as made:
        yield made


async def weather(edge: str, city: str) -> dict[str, dict[str, object]]:
    """What the edge tells of a city."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{edge}/fusionweather/show", params={"city": city}) as answer,
    ):
        assert answer.status == 200
        return await answer.json()  # type: ignore[no-any-return]


async def _monitored(demo: Demo, what: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{demo.engine}/waggle/v1/monitor/{what}") as answer:
        assert answer.status == 200
        return await answer.json()


async def test_who_calls_whom_how_often_and_how_fast_is_seen_at_the_engine(demo: Demo) -> None:
    """Of every service, and of the edge, without anything being set up for it."""
    wanted = {
        ("edge-service", "0.0.1", "fusionweather", "0.0.2"),
        ("fusionweather", "0.0.2", "forecast", "0.0.2"),
        ("fusionweather", "0.0.2", "weather", "0.0.2"),
        ("fusionweather", "0.0.2", "weather", "0.0.3"),
    }

    async def all_called() -> bool:
        await weather(demo.edge, "shenzhen")
        rows = (await _monitored(demo, "calls"))["calls"]
        ends = [(row["consumer"], row["provider"], row) for row in rows if row["rate"] and row["latency"]]
        return wanted <= {(a["service"], a["version"], b["service"], b["version"]) for a, b, _ in ends}

    async def all_told() -> bool:
        (app,) = (await _monitored(demo, "services?app=weathermap"))["applications"]
        told = {row["service"]: (row["reporting"], row["registered"]) for row in app["services"]}
        rows = (await _monitored(demo, "interfaces?service=weather&version=0.0.3"))["interfaces"]
        points = (await _monitored(demo, "series?service=forecast"))["points"]
        return (
            told == {"edge-service": (1, 1), "forecast": (1, 1), "fusionweather": (1, 1), "weather": (3, 3)}
            and app["memory"] > 6 * 10_000_000
            and [row["interface"] for row in rows] == ["Provider.weather.weather.showCurrentWeather"]
            and any(point["rate"] > 0 for point in points)
        )

    await eventually(all_called, 60)
    await eventually(all_told, 60)


def test_the_demo_prints_what_is_registered_and_what_to_open(demo: Demo) -> None:
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in demo.output.splitlines() if "│" in line]
    base = demo.ports["base-port"]
    assert rows == [
        ["weathermap", "edge-service", "0.0.1", "1", f"rest://127.0.0.1:{demo.ports['edge-port']}"],
        ["weathermap", "forecast", "0.0.2", "1", f"rest://127.0.0.1:{base + 1}"],
        ["weathermap", "fusionweather", "0.0.2", "1", f"rest://127.0.0.1:{base + 2}"],
        *_weather_rows(base),
        ["weathermap", "weather", "0.0.3", "1", f"rest://127.0.0.1:{base + 3}"],
    ]
    assert f"Open http://localhost:{demo.ports['web-port']}/" in demo.output
    assert len(demo.pids) == 1 + 8, "one process each: engine, six services with weather twice, the page's server"


def _weather_rows(base: int) -> list[list[str]]:
    first, second = sorted((f"rest://127.0.0.1:{base}", f"rest://127.0.0.1:{base + 4}"))
    return [["weathermap", "weather", "0.0.2", "2", first], ["", "", "", "", second]]


async def test_the_edge_tells_the_weather_of_the_seed(demo: Demo) -> None:
    for city in ("Berlin", "New York", "Atlantis"):
        told = await weather(demo.edge, city)
        current, ahead = told["currentWeather"], told["forecastWeather"]
        assert {**current, **KNOWN.current(city)} == current
        assert {**ahead, **KNOWN.forecast(city)} == ahead


async def test_the_instances_of_weather_share_the_load_and_only_beta_knows_the_uv_index(demo: Demo) -> None:
    answers = [(await weather(demo.edge, "Berlin"))["currentWeather"] for _ in range(30)]
    served = Counter((each["servedBy"]["version"], each["servedBy"]["instance"]) for each in answers)  # type: ignore[index]
    assert sorted(version for version, _ in served) == ["0.0.2", "0.0.2", "0.0.3"]
    assert set(served.values()) == {10}, "round robin"
    for each in answers:
        is_beta = each["servedBy"]["version"] == "0.0.3"  # type: ignore[index]
        assert each.get("uviValue") == (KNOWN.ultraviolet("Berlin")["uviValue"] if is_beta else None)


async def test_the_schemas_and_the_dependencies_are_in_the_registry(demo: Demo) -> None:
    async with client_of(demo.engine) as client:
        query = "appId=weathermap&serviceName=fusionweather&version=0.0.2&type=microservice"
        _, found, _ = await client.call("GET", f"/existence?{query}", expect=200)
        path = f"/microservices/{found['serviceId']}"  # type: ignore[index]
        _, schema, _ = await client.call("GET", f"{path}/schemas/fusionweather", expect=200)
        assert "operationId: show" in schema["schema"]  # type: ignore[index]

        async def depends() -> bool:
            _, body, _ = await client.call("GET", f"{path}/providers", expect=200)
            names = {(each["serviceName"], each["version"]) for each in body.get("providers", [])}  # type: ignore[attr-defined]
            return names == {("weather", "0.0.2"), ("weather", "0.0.3"), ("forecast", "0.0.2")}

        await eventually(depends)


async def test_the_page_shows_now_at_the_left_and_the_next_days_at_the_right(demo: Demo) -> None:
    async with open_page(demo.page + "?city=Berlin") as page:
        now, ahead = page.locator("#current"), page.locator("#forecast")
        await expect(now.locator(".place")).to_have_text("Berlin, DE")
        await expect(now.locator(".degrees")).to_have_text("9°")
        await expect(now.locator(".sky")).to_have_text("Clear")
        await expect(now).to_contain_text("12.5 m/s")
        await expect(ahead.locator("li")).to_have_count(5)
        await expect(ahead.locator("li").first).to_contain_text("Wed 25 Nov")
        await expect(ahead.locator("li").first).to_contain_text("Mist")
        left, right = await now.bounding_box(), await ahead.bounding_box()
        assert left is not None
        assert right is not None
        assert left["x"] + left["width"] <= right["x"]
        assert abs(left["y"] - right["y"]) < 1


async def test_the_page_shows_the_uv_index_exactly_when_beta_has_answered(demo: Demo) -> None:
    seen: set[str] = set()
    async with open_page(demo.page + "?city=Berlin") as page:
        by, uv = page.locator("#current .by"), page.locator("#current .uv")
        await page.get_by_label("Ask again").uncheck()
        while len(seen) < 2:
            await page.get_by_role("button", name="Show").click()
            await expect(by).to_contain_text("weather 0.0.")
            is_beta = "0.0.3" in await by.inner_text()
            await expect(uv).to_have_text("UV index 4.7") if is_beta else await expect(uv).to_have_count(0)
            seen.add("beta" if is_beta else "stable")
        await expect(page.locator(".tally .beta")).to_have_count(1)


async def test_the_page_can_be_used_with_the_keyboard_alone(demo: Demo) -> None:
    async with open_page(demo.page) as page:
        place = page.locator("#current .place")
        await expect(place).to_have_text("Shenzhen, CN")
        await _tab_to(page, "city")
        await page.keyboard.press("Control+A")
        await page.keyboard.type("new york")
        await page.keyboard.press("Enter")
        await expect(place).to_have_text("New York, US")
        assert page.url.endswith("?city=new+york"), "a page that can be sent to others"
        await _tab_to(page, "Nairobi")
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "where one is can be seen"
        await page.keyboard.press("Enter")
        await expect(place).to_have_text("Nairobi, KE")
        await expect(page.get_by_role("button", name="Nairobi")).to_have_attribute("aria-pressed", "true")


async def _tab_to(page: Page, wanted: str) -> None:
    for _ in range(30):
        await page.keyboard.press("Tab")
        if wanted in await page.evaluate("[document.activeElement.id, document.activeElement.textContent]"):
            return
    pytest.fail(f"{wanted} cannot be reached with the Tab key")


async def test_the_page_shows_what_is_text_as_text(demo: Demo) -> None:
    async with open_page(demo.page + "?city=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E") as page:
        await expect(page.locator("#current .place")).to_have_text("<Img Src=X Onerror=Alert(1)>")
        await expect(page.locator("img")).to_have_count(0)


async def test_the_open_page_follows_the_banner_and_the_cities_that_are_configured(demo: Demo) -> None:
    async with open_page(demo.page + "?city=Berlin") as page:
        banner, places = page.get_by_role("status", name="Announcement"), page.locator("#places button")
        await expect(places).to_have_count(8)
        await expect(banner).to_be_hidden()
        await page.evaluate("window.notReloaded = true")
        began = asyncio.get_running_loop().time()
        await _config(demo, "set", "weathermap.banner", "<b>Storm</b> warning")
        written = asyncio.get_running_loop().time()
        await expect(banner).to_have_text("<b>Storm</b> warning")
        shown = asyncio.get_running_loop().time()
        assert shown - written < 5, f"written after {written - began:.1f} s, shown after {shown - began:.1f} s"
        await _config(demo, "set", "weathermap.cities", "Nairobi, Berlin")
        await expect(places).to_have_text(["Nairobi", "Berlin"])
        await expect(page.get_by_role("button", name="Berlin")).to_have_attribute("aria-pressed", "true")
        await page.get_by_role("button", name="Nairobi").click()
        await expect(page.locator("#current .place")).to_have_text("Nairobi, KE")
        await _config(demo, "delete", "weathermap.cities")
        await _config(demo, "delete", "weathermap.banner")
        await expect(banner).to_be_hidden()
        await expect(places).to_have_count(8)
        assert await page.evaluate("window.notReloaded") is True


async def _config(demo: Demo, *words: str) -> None:
    """Run `waggle config` for the application, as its page says."""
    command = (sys.executable, "-m", "registry.cli", "config", *words, "--app", "weathermap", "--engine", demo.engine)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    async with asyncio.timeout(30):
        assert await process.wait() == 0
    process._transport.close()  # type: ignore[attr-defined]


async def test_the_page_fits_small_screens_and_dark_rooms(demo: Demo) -> None:
    async with open_page(demo.page, 390, 844) as page:
        await expect(page.locator("#forecast li")).to_have_count(5)
        for width, scheme, dark in ((390, "light", False), (390, "dark", True), (800, "dark", True)):
            await page.set_viewport_size({"width": width, "height": 844})
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
            above, below = await page.locator("#current").bounding_box(), await page.locator("#forecast").bounding_box()
            assert above is not None
            assert below is not None
            assert above["y"] + above["height"] <= below["y"]
            card = await page.evaluate("getComputedStyle(document.querySelector('#current')).backgroundColor")
            assert (sum(map(int, card.removeprefix("rgb(").removesuffix(")").split(","))) < 200) is dark


async def test_a_port_that_is_taken_is_told_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        async with started("--web-port", str(number), environ={"TMPDIR": str(tmp_path)}) as demo:
            status = await demo.end()
    assert status == 1
    told = f"These ports are taken: {number} (weathermapweb). Free them, or choose others: see --help.\n"
    assert demo.output == told
    assert _names(tmp_path) == []


async def test_an_engine_that_cannot_start_ends_the_demo_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("no folder")
    async with started("--data-dir", str(tmp_path)) as demo:
        await demo.until("Every process has ended.")
        assert await demo.end() == 1
    assert "engine has ended with status 1" in demo.output
    assert str(tmp_path / "engine") in demo.output


async def test_ctrl_c_ends_every_process_and_takes_the_folder_away(tmp_path: Path) -> None:
    async with ready(environ={"TMPDIR": str(tmp_path)}) as demo:
        assert len(demo.pids) == 1 + 7
        (folder,) = _names(tmp_path)
        assert "edge-service.log" in _names(tmp_path / folder)
        assert await demo.end(signal.SIGINT) == 0
    assert demo.output.endswith("Every process has ended.\n")
    assert _names(tmp_path) == []


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def test_the_rest_goes_on_when_a_service_ends_and_nothing_is_left_of_a_demo_that_is_killed(
    tmp_path: Path,
) -> None:
    async with ready("--data-dir", str(tmp_path)) as demo:
        os.kill(demo.pids["weather"], signal.SIGKILL)
        await demo.until("has ended with status -9")
        for _ in range(10):
            assert (await weather(demo.edge, "Berlin"))["currentWeather"]["temperature"] == 9.4
        await _the_page_tells_when_the_edge_is_gone_and_recovers(demo)
        assert await demo.end(signal.SIGKILL) == -signal.SIGKILL


async def _the_page_tells_when_the_edge_is_gone_and_recovers(demo: Demo) -> None:
    async with open_page(demo.page + "?city=Berlin", expected="502") as page:
        await expect(page.locator("#current .place")).to_have_text("Berlin, DE")
        os.kill(demo.pids["edge-service"], signal.SIGTERM)
        await expect(page.locator("#status[role=status]")).to_contain_text("does not answer", timeout=20000)
        await expect(page.locator("#current .place")).to_have_text("Berlin, DE")
        await expect(page.locator("#current")).to_have_class("stale")
        await demo.until("edge-service --host")
        command = next(line for line in demo.output.splitlines() if "edge-service --host" in line)
        again = await asyncio.create_subprocess_exec(*shlex.split(command), cwd=ROOT, stderr=asyncio.subprocess.DEVNULL)
        try:
            await expect(page.locator("#status[role=status]")).to_be_empty(timeout=30000)
            await expect(page.locator("#current")).not_to_have_class("stale")
        finally:
            again.terminate()
            await again.wait()
            again._transport.close()  # type: ignore[attr-defined]


async def test_it_runs_under_access_control_with_an_account_of_the_environment() -> None:
    account = {
        "servicecomb_credentials_account_name": "root",
        "servicecomb_credentials_account_password": ROOT_PASSWORD,
    }
    environ = {**account, "SC_INIT_ROOT_PASSWORD": ROOT_PASSWORD, "WAGGLE_ACCESS": "enforce"}
    async with ready(environ=environ) as demo, client_of(demo.engine) as client:
        assert "fusionweather" in demo.output, "the table is asked for in its name, too"
        assert (await weather(demo.edge, "Berlin"))["currentWeather"]
        await client.call("GET", "/microservices", None, 401)
        assert ROOT_PASSWORD not in demo.output
        assert await demo.end(signal.SIGINT) == 0
