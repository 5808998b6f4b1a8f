"""The SDK's watched configuration against a real engine: levels, changes, faults, what is kept on disk, who gets what."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import BaseModel

from governance.sdk import Change, Configuration, ConfigurationError, EngineUnavailableError, Microservice
from tests.e2e.sdk import Place, settings, soon
from tests.engine import Client, EngineProcess, client_of, eventually, running_engine

APP = {"app": "shop", "environment": ""}
SERVICE = {**APP, "service": "cart"}
VERSION = {**SERVICE, "version": "0.0.1"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """One engine for the tests of this module."""
    async with running_engine(tmp_path_factory.mktemp("engine") / "data") as started:
        yield started


@pytest.fixture
def place(process: EngineProcess, request: pytest.FixtureRequest) -> Place:
    """The engine, and a project of this test's own: the protocol has no domains."""
    return Place(process.url, project=f"p{zlib.crc32(request.node.name.encode())}")


@pytest_asyncio.fixture
async def items(place: Place) -> AsyncIterator[Items]:
    """The items of the test's project."""
    async with client_of(place.url) as client:
        yield Items(client, place.project)


class Items:
    """Writes items as any client of KIE does."""

    def __init__(self, client: Client, project: str = "default") -> None:
        self._client = client
        self._path = f"/v1/{project}/kie/kv"
        self._project = project

    async def make(self, key: str, value: str, labels: Mapping[str, str] = APP, value_type: str = "text") -> str:
        """Create an item; its id."""
        item = {"key": key, "value": value, "value_type": value_type, "status": "enabled", "labels": labels}
        _, made, _ = await self._client.call("POST", self._path, item, 200)
        return made["id"]  # type: ignore[index]

    async def change(self, item: str, **fields: str) -> None:
        """Change an item's value or status."""
        await self._client.call("PUT", f"{self._path}/{item}", fields, 200)

    async def remove(self, item: str) -> None:
        """Delete an item."""
        await self._client.call("DELETE", f"{self._path}/{item}", None, 204)

    async def release(self, key: str, value: str, *instances: str) -> None:
        """Give some instances a new value of an item of the application."""
        labels = "&".join(f"label={name}:{text}" for name, text in APP.items())
        path = f"/waggle/v1/config/releases/one?project={self._project}&key={key}&{labels}"
        await self._client.call("PUT", path, {"value": value, "instances": list(instances)}, 200)


class Told:
    """What a listener is told."""

    def __init__(self, config: Configuration, prefix: str = "") -> None:
        self._queue: asyncio.Queue[dict[str, Change]] = asyncio.Queue()
        config.on_change(lambda changes: self._queue.put_nowait(dict(changes)), prefix)

    async def next(self) -> dict[str, Change]:
        """The next changes."""
        async with asyncio.timeout(20):
            return await self._queue.get()


@contextlib.asynccontextmanager
async def cart(place: Place, **given: object) -> AsyncIterator[Microservice]:
    """The service cart, which begins with what the engine says."""
    known = settings("cart", place, **{"config_timeout": 20, **given})
    async with Microservice(known, pause=soon) as service:
        yield service


async def sees(config: Configuration, key: str, value: str | None) -> None:
    """Wait until a key has a value; none: is gone."""

    async def seen() -> bool:
        return config.get(key) == value

    await eventually(seen)


async def test_a_change_is_seen_within_milliseconds_and_a_deletion_too(place: Place, items: Items) -> None:
    async with cart(place) as service:
        told, seconds = Told(service.config), []
        item = await items.make("limit", "0")
        assert await told.next() == {"limit": Change(None, "0")}
        for number in range(1, 16):
            began = time.monotonic()
            await items.change(item, value=str(number))
            assert await told.next() == {"limit": Change(str(number - 1), str(number))}
            seconds.append(time.monotonic() - began)
            assert service.config["limit"] == str(number)
        assert statistics.median(seconds) < 1, f"a poll that waits 20 s is answered by the change: {seconds}"
        await items.change(item, status="disabled")
        assert await told.next() == {"limit": Change("15", None)}
        await items.change(item, status="enabled")
        assert await told.next() == {"limit": Change(None, "15")}
        await items.remove(item)
        assert await told.next() == {"limit": Change("15", None)}
        assert "limit" not in service.config
        assert service.config.get("limit", "none") == "none"


async def test_the_stronger_level_wins_and_what_it_hides_comes_back(place: Place, items: Items) -> None:
    async with cart(place, config_wait=2) as service:
        levels = {"app": APP, "service": SERVICE, "version": VERSION, "label": {"public": "", "team": "red"}}
        made = {}
        for name in ("label", "app", "version", "service"):
            made[name] = await items.make("who", name, levels[name])
        for other in ({"app": "shop"}, {**APP, "service": "pay"}, {**APP, "team": "red"}, {**VERSION, "version": "9"}):
            await items.make("who", "someone else", other)
            await items.make("another", "someone else", other)
        for name in ("label", "version", "service", "app"):
            await sees(service.config, "who", name)
            await items.remove(made[name])
        await sees(service.config, "who", None)
        assert service.config.snapshot() == {}, "items of others are not seen"


async def test_another_label_can_be_the_strongest_or_none(place: Place, items: Items) -> None:
    await items.make("who", "app")
    await items.make("who", "red team", {"team": "red", "other": "x"})
    async with (
        cart(place, config_label="team", config_label_value="red") as red,
        cart(place, config_label="") as plain,
        cart(place, config=False) as off,
    ):
        assert (red.config["who"], plain.config["who"], off.config.get("who")) == ("red team", "app", None)


class Orders(BaseModel):
    """What a service makes of its keys."""

    limit: int = 100
    hosts: list[str] = []


async def test_a_yaml_item_becomes_a_model_and_a_broken_one_hurts_no_other(
    place: Place, items: Items, caplog: pytest.LogCaptureFixture
) -> None:
    async with cart(place) as service:
        told = Told(service.config)
        item = await items.make("ignored", "orders: {limit: 5, hosts: [a, b]}", value_type="yaml")
        assert (await told.next()).keys() == {"orders.limit", "orders.hosts[0]", "orders.hosts[1]"}
        assert service.config.model(Orders, "orders.") == Orders(limit=5, hosts=["a", "b"])
        await items.change(item, value="orders: {limit: many, hosts: [c]}")
        await told.next()
        kept = service.config.model(Orders, "orders.")
        assert kept == Orders(limit=5, hosts=["a", "b"]), "the last valid model"
        assert service.config.model(Orders, "orders.") is kept
        assert caplog.text.count("orders.limit: ") == 1
        await items.make("well", "yes")
        await told.next()
        await items.change(item, value="orders: [")
        assert (await told.next()).keys() == {"orders.limit", "orders.hosts[0]"}
        assert dict(service.config.snapshot()) == {"well": "yes"}
        assert "config.item_left_out" in caplog.text


async def test_a_listener_that_fails_hurts_nobody(place: Place, items: Items) -> None:
    async with cart(place) as service:

        def fail(_changes: Mapping[str, Change]) -> None:
            raise RuntimeError("a mistake in the application")

        service.config.on_change(fail)
        told = Told(service.config, "mine.")
        await items.make("yours.a", "1")
        await items.make("mine.a", "1")
        assert await told.next() == {"mine.a": Change(None, "1")}


async def test_an_engine_that_is_killed_leaves_the_values_and_is_followed_again(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data") as process:
        place = Place(process.url)
        async with client_of(process.url) as client, cart(place, config_wait=2) as service:
            items, told = Items(client), Told(service.config)
            item = await items.make("limit", "1")
            await told.next()
            for number in ("2", "3"):
                await process.kill()
                await eventually(lambda: _refused(process.port))
                assert service.config["limit"] == str(int(number) - 1)
                await process.start()
                await items.change(item, value=number)
                assert await told.next() == {"limit": Change(str(int(number) - 1), number)}, "nothing came in between"


async def _refused(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def test_without_its_engine_a_service_starts_with_what_it_knew_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CART_PASSWORD", "hunter2")
    folder = tmp_path / "cache"
    async with running_engine(tmp_path / "data") as process:
        place = Place(process.url)
        async with client_of(process.url) as client:
            await Items(client).make("limit", "7")
            await Items(client).make("db", "pg://cart:${env:CART_PASSWORD}@db", SERVICE)
        async with cart(place, config_cache=str(folder)) as service:
            assert service.config["db"] == "pg://cart:hunter2@db"
        (file,) = folder.iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
        assert "${env:CART_PASSWORD}" in text
        assert "hunter2" not in text
        await process.kill()
        without = {"config_cache": str(folder), "register_timeout": None, "config_timeout": None}
        async with cart(place, **without) as service:
            assert dict(service.config.snapshot()) == {"limit": "7", "db": "pg://cart:hunter2@db"}
        async with cart(place, **without, version="0.0.2") as service:
            assert dict(service.config.snapshot()) == {}, "another version's are another file"
        async with cart(place, **{**without, "config_timeout": 0.2}) as service:
            assert service.config["limit"] == "7"
        with pytest.raises(EngineUnavailableError, match=r"no configuration after 0\.2 s"):
            async with cart(place, register_timeout=None, config_timeout=0.2):
                pass
        async with cart(place, **without) as service:
            await process.start()
            async with client_of(process.url) as client:
                await Items(client).make("new", "yes")
            await sees(service.config, "new", "yes")


async def test_a_gradual_release_reaches_one_of_two_instances_at_one_address(place: Place, items: Items) -> None:
    await items.make("limit", "old")
    async with cart(place, instance_id="one") as one, cart(place, instance_id="two") as two:
        await items.release("limit", "new", "one", "late")
        await sees(one.config, "limit", "new")
        await items.make("marker", "set")
        await sees(two.config, "marker", "set")
        assert two.config["limit"] == "old"
        async with cart(place, instance_id="late", config_timeout=None, register_timeout=None) as late:
            await sees(late.config, "limit", "new")


async def test_a_secret_that_is_missing_is_an_error_of_its_key_alone(
    place: Place, items: Items, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    secret = tmp_path / "db"
    await items.make("db.password", f"${{file:{secret}}}")
    await items.make("db.user", "${env:NOT_SET}")
    await items.make("limit", "7")
    async with cart(place, config_secrets=str(tmp_path)) as service:
        with pytest.raises(ConfigurationError, match=r"db\.password.*there is no file"):
            service.config.get("db.password")
        with pytest.raises(ConfigurationError, match=r"db\.user.*there is no variable NOT_SET"):
            _ = service.config["db.user"]
        assert service.config["limit"] == "7"
        secret.write_text("hunter2\n")
        assert service.config["db.password"] == "hunter2"
        assert "hunter2" not in repr(service.config)


async def test_it_works_without_a_registered_instance(place: Place, items: Items) -> None:
    await items.make("limit", "7")
    async with Configuration(settings("job", place, config_timeout=20)) as config:
        assert config["limit"] == "7"
    async with client_of(place.url) as client:
        _, found, _ = await client.call("GET", f"/v4/{place.project}/registry/microservices", None, 200)
        assert found == {}, "nothing is registered"
