"""Following the engine: what is asked, what errors do, and a service's configuration while its engine misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import pytest
from aiohttp import web

from governance.sdk import Configuration, ConfigurationError, Microservice, ServiceSettings
from tests.engine import eventually
from tests.unit.sdk.fakes import Time
from tests.unit.sdk.servers import black_hole, nobody, serving


class Engine:
    """An engine that has one item at level app, and answers as it is told. `asked` has the queries of that level."""

    def __init__(self) -> None:
        self.value = "1"
        self.revision = 1
        self.status = 200
        self.headers: Mapping[str, str] | None = None
        self.body: object = None
        self.asked: list[Mapping[str, str]] = []
        self.instances: set[str] = set()
        self._changed = asyncio.Condition()

    async def says(self, value: str) -> None:
        """Change the item."""
        async with self._changed:
            self.value, self.revision = value, self.revision + 1
            self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its address; in the end nobody waits any more."""
        async with serving(self._handle) as address:
            try:
                yield address
            finally:
                await self.says("over")

    async def _handle(self, request: web.Request) -> web.Response:
        if not request.path.endswith("/kie/kv"):
            return web.Response(status=404)
        labels = set(request.query.getall("label"))
        is_app = labels == {"app:shop", "environment:"}
        self.instances.add(request.headers.get("X-Waggle-Instance", ""))
        if is_app:
            self.asked.append({name: text for name, text in request.query.items() if name != "label"})
        if self.status == 200 and request.query["revision"] == str(self.revision):
            async with self._changed:
                await self._changed.wait()
        data = [{"key": "a", "value": self.value, "value_type": "text"}] if is_app else []
        headers = {"X-Kie-Revision": str(self.revision)} if self.headers is None else self.headers
        body = {"total": len(data), "data": data} if self.body is None else self.body
        return web.json_response(body, status=self.status, headers=headers)


@contextlib.asynccontextmanager
async def following(*addresses: str, **given: object) -> AsyncIterator[tuple[Configuration, Time]]:
    known = {"name": "cart", "app": "shop", "addresses": addresses, "config_cache": "", **given}
    time = Time()
    settings = ServiceSettings(**known)  # type: ignore[arg-type]
    async with Configuration(settings, "i-1", pause=time.pause, clock=time.clock) as config:
        yield config, time


async def passing(time: Time, seconds: float, check: Callable[[], bool]) -> None:
    """Let time pass in steps until the check holds."""

    async def step() -> bool:
        await time.pass_(seconds)
        return check()

    await eventually(step)


async def next_value(told: asyncio.Queue[str | None]) -> str | None:
    async with asyncio.timeout(10):
        return await told.get()


def listening(config: Configuration) -> asyncio.Queue[str | None]:
    told: asyncio.Queue[str | None] = asyncio.Queue()
    config.on_change(lambda changes: told.put_nowait(changes["a"].new), "a")
    return told


async def test_a_poll_says_what_is_known_and_who_asks() -> None:
    engine = Engine()
    async with engine.serving() as address, following(address, config_wait=7.5) as (config, time):
        async with asyncio.timeout(10):
            await config.ready()
        told = listening(config)
        await passing(time, 0.2, lambda: len(engine.asked) == 2)
        await engine.says("2")
        assert await next_value(told) == "2"
    assert engine.asked[0] == {"match": "exact", "revision": "-1"}
    assert engine.asked[1] == {"match": "exact", "revision": "1", "wait": "7500ms"}
    assert engine.instances == {"i-1"}


_NO_CONFIG_CENTRE = "is this address a config centre?"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"status": 500}, "answered 500"),
        ({"status": 404, "body": {"errorCode": "404001", "errorMessage": "none"}}, "404 404001 none"),
        ({"status": 429}, "answered 429"),
        ({"headers": {}}, _NO_CONFIG_CENTRE),
        ({"headers": {"X-Kie-Revision": "x"}}, _NO_CONFIG_CENTRE),
        ({"body": []}, _NO_CONFIG_CENTRE),
        ({"body": {"data": None}}, _NO_CONFIG_CENTRE),
    ],
)
async def test_an_engine_in_trouble_changes_nothing_and_is_asked_again_ever_later(
    change: Mapping[str, object], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine()
    async with engine.serving() as address, following(address, config_label="") as (config, time):
        queue = listening(config)
        assert await next_value(queue) == "1"
        for name, value in change.items():
            setattr(engine, name, value)
        config.ask_again()
        await passing(time, 30, lambda: caplog.text.count("config.unanswered") >= 3)
        retries = await _retries(time, 10)
        assert [1 <= pause <= 30 for pause in retries] == [True] * 10
        assert config["a"] == "1"
        assert told in caplog.text
        assert caplog.text.count("config.unanswered") == 3, "once a level"
        engine.status, engine.headers, engine.body = 200, None, None
        await engine.says("2")
        config.ask_again()
        assert await next_value(queue) == "2"


async def _retries(time: Time, number: int) -> Sequence[float]:
    """So many pauses of retries; time passes meanwhile."""
    await passing(time, 30, lambda: len(_long_pauses(time)) >= number)
    return _long_pauses(time)[:number]


def _long_pauses(time: Time) -> Sequence[float]:
    """Those of retries: there are also 0.2 s between polls and 15 s between probes."""
    return [pause for pause in time.pauses if pause >= 1 and pause != 15]


async def test_pauses_grow_to_half_a_minute_while_nobody_answers() -> None:
    with nobody() as dead:
        async with following(dead, config_label="") as (_, time):
            retries = await _retries(time, 40)
    assert all(1 <= pause <= 30 for pause in retries)
    assert max(retries[:3]) == 1
    assert min(retries[-6:]) >= 15
    assert len(set(retries)) > 10, "they are spread"


async def test_an_engine_may_be_away_for_weeks(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine()
    engine.status = 503
    async with engine.serving() as address, following(address, config_label="") as (config, time):
        await _retries(time, 1)
        for polls in config._polls:
            polls._failures = 100_000
        retries = await _retries(time, len(time.pauses) + 20)
        assert max(retries) <= 30
        engine.status = 200
        told = listening(config)
        config.ask_again()
        assert await next_value(told) == "1"
    assert caplog.text.count("config.unanswered") == 3


async def test_the_next_address_is_asked_where_one_is_silent() -> None:
    engine = Engine()
    async with (
        black_hole() as silent,
        engine.serving() as address,
        following(silent, address, request_timeout=0.1, config_timeout=10) as (config, _),
    ):
        assert config["a"] == "1"


async def test_an_engine_that_does_not_wait_is_not_asked_without_a_pause() -> None:
    async def hasty(request: web.Request) -> web.Response:
        if request.query["revision"] == "5":
            return web.Response(status=304)
        return web.json_response({"data": []}, headers={"X-Kie-Revision": "5"})

    async with serving(hasty) as address, following(address, config_timeout=10) as (_, time):
        await passing(time, 0.2, lambda: time.pauses.count(0.2) > 12)


async def test_asking_again_many_times_is_asking_once_more() -> None:
    engine = Engine()
    async with engine.serving() as address, following(address, config_timeout=10) as (config, time):
        for _ in range(5):
            config.ask_again()
        await passing(time, 0.2, lambda: [query["revision"] for query in engine.asked][-2:] == ["-1", "1"])
        assert [query["revision"] for query in engine.asked].count("-1") == 2
        assert config["a"] == "1"


async def test_a_configuration_that_is_off_or_has_not_begun_is_empty() -> None:
    engine = Engine()
    async with engine.serving() as address, following(address, config=False, config_timeout=1) as (config, _):
        assert (config.get("a"), config.get("a", 7), "a" in config, dict(config.snapshot())) == (None, 7, False, {})
        with pytest.raises(KeyError):
            _ = config["a"]
        async with asyncio.timeout(1):
            await config.ready()
    assert engine.asked == []
    service = Microservice(ServiceSettings(name="cart"))
    assert service.config.get("a", "default") == "default"
    service.config.ask_again()


async def test_it_lives_once() -> None:
    with nobody() as dead:
        async with following(dead) as (config, _):
            with pytest.raises(RuntimeError, match="lives once"):
                await config.__aenter__()


async def test_errors_of_values_are_no_errors_of_the_program() -> None:
    assert issubclass(ConfigurationError, Exception)
    assert not issubclass(ConfigurationError, KeyError | ValueError), (
        "a default is no answer to a secret that is missing"
    )
