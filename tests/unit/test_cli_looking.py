"""`waggle services`, `instances` and `watch` against a stand-in for an engine: what they ask and show, and trouble."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from typer.testing import CliRunner, Result

from registry.cli.app import app

_INSTANCE = {
    "instanceId": "i-1",
    "version": "1.0.0",
    "status": "UP",
    "endpoints": ["rest://10.0.0.1:8080", "highway://10.0.0.1:7070"],
    "hostName": "alpha",
    "properties": {"lane": "blue"},
    "dataCenterInfo": {"name": "dc", "region": "north", "availableZone": "n-1"},
    "timestamp": "1700000000",
}


def _service(name: str, version: str, *instances: Mapping[str, object], **fields: object) -> Mapping[str, object]:
    known = {"serviceId": f"id-{name}-{version}", "appId": "shop", "serviceName": name, "version": version, **fields}
    return {"microService": known, "instances": list(instances)}


def _event(revision: int, **fields: object) -> Mapping[str, object]:
    service = {"environment": "", "appId": "shop", "serviceName": "cart", "version": "1.0.0", "serviceId": "s"}
    kind = {"kind": "instance", "action": "CREATE", "tenant": "default/default"}
    return {"revision": revision, "at": 1700000000123, **kind, "service": service, "instance": _INSTANCE, **fields}


@dataclass
class FakeEngine:
    """Answers as an engine does and remembers what it was asked. Each event stream sends one of `streams` and ends."""

    services: Sequence[Mapping[str, object]] = ()
    instances: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    streams: list[Sequence[Mapping[str, object]]] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    asked: list[web.Request] = field(default_factory=list)
    url: str = ""

    async def details(self, request: web.Request) -> web.StreamResponse:
        return self._answer(request, {"allServicesDetail": list(self.services)} if self.services else {})

    async def instances_of(self, request: web.Request) -> web.StreamResponse:
        return self._answer(request, {"instances": list(self.instances[request.match_info["id"]])})

    def _answer(self, request: web.Request, document: object) -> web.Response:
        self.asked.append(request)
        if self.refusal is not None:
            return web.Response(status=self.refusal[0], text=self.refusal[1])
        return web.json_response(document)

    async def events(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.refusal is not None:
            return web.Response(status=self.refusal[0], text=self.refusal[1])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=UTF-8"})
        await response.prepare(request)
        await response.write(b": keep-alive\n\n")
        for event in self.streams.pop(0) if self.streams else ():
            name = f"{event['kind']}.{event['action']}"
            frame = f"id: {event['revision']}\nevent: {name}\ndata: {json.dumps(event)}\n\n"
            await response.write(frame.encode())
        return response

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[FakeEngine]:
        application = web.Application()
        application.router.add_get("/v4/{project}/govern/microservices", self.details)
        application.router.add_get("/v4/{project}/registry/microservices/{id}/instances", self.instances_of)
        application.router.add_get("/waggle/v1/events", self.events)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def look(self, *words: str, **environ: str) -> Result:
        """Run a command against this engine."""
        return await waggle(*words, WAGGLE_ENGINE=self.url, **environ)


async def waggle(*words: str, **environ: str) -> Result:
    """Run a command on a thread: it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, words, env={"COLUMNS": "200", **environ})


def rows(table: str) -> list[list[str]]:
    """The cells of a printed table without its head."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in table.splitlines() if "│" in line]


async def test_services_shows_what_is_up_in_order() -> None:
    down = {**_INSTANCE, "status": "DOWN"}
    chassis = {"name": "java-chassis", "version": "3.2.1"}
    found = [_service("pay", "1.0.0"), _service("cart", "2.0.0", _INSTANCE, down, framework=chassis)]
    async with FakeEngine(services=found).running() as engine:
        shown = await engine.look("services", "--domain", "acme", "--project", "p 1", "--app", "shop")
    assert shown.exit_code == 0
    assert rows(shown.stdout) == [
        ["cart", "2.0.0", "shop", "1", "2", "java-chassis 3.2.1"],
        ["pay", "1.0.0", "shop", "0", "0", ""],
    ]
    assert "acme/p 1" in shown.stdout
    (request,) = engine.asked
    assert request.match_info["project"] == "p 1"
    assert request.headers["X-Domain-Name"] == "acme"
    assert dict(request.query) == {"options": "instances", "withShared": "1", "appId": "shop"}


async def test_services_as_json_is_one_array() -> None:
    found = [_service("pay", "1.0.0", _INSTANCE)]
    async with FakeEngine(services=found).running() as engine:
        assert json.loads((await engine.look("services", "--json")).stdout) == found
    async with FakeEngine().running() as engine:
        assert json.loads((await engine.look("services", "--json", "--environment", "test")).stdout) == []
    assert engine.asked[0].query["env"] == "test"


async def test_instances_shows_every_version_of_the_service() -> None:
    other = {**_INSTANCE, "instanceId": "i-2", "version": "2.0.0", "status": "DOWN", "properties": {}}
    engine = FakeEngine(
        services=[_service("cart", "2.0.0"), _service("cart", "1.0.0"), _service("carts", "1.0.0")],
        instances={"id-cart-1.0.0": [_INSTANCE], "id-cart-2.0.0": [other]},
    )
    async with engine.running():
        shown = await engine.look("instances", "cart", TZ="UTC")
        as_json = await engine.look("instances", "cart", "--json")
    endpoints, since = "rest://10.0.0.1:8080", rows(shown.stdout)[0][-1]
    assert rows(shown.stdout) == [
        ["i-1", "1.0.0", "UP", endpoints, "alpha", "lane: blue", "north/n-1", since],
        ["", "", "", "highway://10.0.0.1:7070", "", "", "", ""],
        ["i-2", "2.0.0", "DOWN", endpoints, "alpha", "", "north/n-1", since],
        ["", "", "", "highway://10.0.0.1:7070", "", "", "", ""],
    ]
    assert since.startswith("2023-11-1")
    assert json.loads(as_json.stdout) == [_INSTANCE, other]


async def test_instances_of_an_unknown_service_is_status_1() -> None:
    async with FakeEngine(services=[_service("carts", "1.0.0")]).running() as engine:
        shown = await engine.look("instances", "cart")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr == "waggle: no service 'cart' is registered in default/default\n"


async def test_nothing_is_cut_off_where_the_output_is_no_terminal() -> None:
    long = "s" * 300
    async with FakeEngine(services=[_service(long, "1.0.0")]).running() as engine:
        arguments = [sys.executable, "-m", "registry.cli", "services", "--engine", engine.url]
        async with _process(*arguments) as process:
            assert process.stdout is not None
            assert long in (await process.stdout.read()).decode()
            assert await process.wait() == 0


async def test_what_a_client_registered_is_shown_as_it_is() -> None:
    odd = {**_INSTANCE, "properties": {"k": "[/red]"}, "hostName": "\x1b[2Jhost", "endpoints": ["rest://[::1]:1"]}
    engine = FakeEngine(services=[_service("cart", "1.0.0", framework={"name": "[/x]"})])
    engine.instances = {"id-cart-1.0.0": [odd]}
    async with engine.running():
        assert "[/x]" in (await engine.look("services")).stdout
        shown = await engine.look("instances", "cart")
    cells = rows(shown.stdout)[0]
    assert cells[3:6] == ["rest://[::1]:1", "\\x1b[2Jhost", "k: [/red]"]


@pytest.mark.parametrize("command", [("services",), ("instances", "cart"), ("watch",)])
async def test_a_refusal_shows_code_message_and_detail(command: Sequence[str]) -> None:
    body = {"errorCode": "400001", "errorMessage": "Invalid parameter(s)", "detail": "field 'env'"}
    async with FakeEngine(refusal=(400, json.dumps(body))).running() as engine:
        shown = await engine.look(*command)
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr == "waggle: the engine refused: 400001 Invalid parameter(s): field 'env'\n"


async def test_a_refusal_that_is_no_json_shows_the_status() -> None:
    async with FakeEngine(refusal=(502, "bad\ngateway")).running() as engine:
        shown = await engine.look("services")
    assert (shown.exit_code, shown.stderr) == (1, "waggle: the engine refused: HTTP 502: bad\\ngateway\n")


@pytest.mark.parametrize("command", [("services",), ("instances", "cart"), ("watch",)])
async def test_no_engine_is_one_line_and_status_3(command: Sequence[str]) -> None:
    async with FakeEngine().running() as engine:
        pass
    shown = await engine.look(*command, COLUMNS="40")
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert shown.stderr == f"waggle: no answer from the engine at {engine.url}: nothing listens there\n"


@pytest.mark.parametrize("body", ["<html>", "[]"])
@pytest.mark.parametrize("command", ["services", "watch"])
async def test_another_server_is_no_engine(command: str, body: str) -> None:
    async with FakeEngine(refusal=(200, body)).running() as engine:
        shown = await engine.look(command)
    assert (shown.exit_code, shown.stderr) == (3, f"waggle: what answers at {engine.url} is no engine\n")


@pytest.mark.parametrize("url", ["nonsense", "127.0.0.1:30100", "ftp://a", "http://", "http://a:b", "http://a:99999"])
async def test_what_is_no_address_is_a_usage_error(url: str) -> None:
    shown = await waggle("services", "--engine", url)
    assert shown.exit_code == 2
    assert "is no address" in shown.stderr


async def test_an_authority_without_a_certificate_is_a_usage_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    assert (await waggle("services", "--ca", str(file))).exit_code == 2
    file.write_text("nothing")
    shown = await waggle("services", "--ca", str(file))
    assert (shown.exit_code, shown.stderr) == (2, f"waggle: --ca {file} has no certificate that can be used\n")


@contextlib.asynccontextmanager
async def _process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    process = await asyncio.create_subprocess_exec(*arguments, stdout=pipe, stderr=pipe, env=environment)
    try:
        async with asyncio.timeout(30):
            yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.communicate()
        process._transport.close()  # type: ignore[attr-defined]


async def _lines(stream: asyncio.StreamReader | None, count: int) -> list[str]:
    assert stream is not None
    return [(await stream.readline()).decode().rstrip("\n") for _ in range(count)]


async def test_watch_resumes_after_the_engine_went_away() -> None:
    engine = FakeEngine(streams=[[_event(7), _event(8)], [_event(9)]])
    async with engine.running():
        arguments = [sys.executable, "-m", "registry.cli", "watch", "cart", "--json", "--engine", engine.url]
        async with _process(*arguments) as process:
            assert [json.loads(line) for line in await _lines(process.stdout, 3)] == [_event(7), _event(8), _event(9)]
            assert await _lines(process.stderr, 2) == [
                "waggle: the engine is away (it ended the stream); connecting again",
                "waggle: the engine is back",
            ]
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
    first, second = engine.asked[:2]
    assert dict(first.query) == {"domain": "default", "project": "default", "service": "cart"}
    assert "Last-Event-ID" not in first.headers
    assert second.headers["Last-Event-ID"] == "8"


async def test_watch_shows_a_line_for_each_wanted_event() -> None:
    service = _event(0)["service"]
    assert isinstance(service, dict)
    events = [
        _event(1, service={**service, "appId": "other"}),
        _event(2),
        _event(
            3, kind="protection", action="BEGIN", instance=None, instanceId="i-9", reason="self-\x1b[2Jpreservation"
        ),
    ]
    async with FakeEngine(streams=[events]).running() as engine:
        arguments = [sys.executable, "-m", "registry.cli", "watch", "--app", "shop", "--engine", engine.url]
        async with _process(*arguments) as process:
            created, protected = await _lines(process.stdout, 2)
    assert ".123" in created
    assert created.split()[1:] == [
        "instance", "CREATE", "shop/cart/1.0.0", "i-1", "UP", "rest://10.0.0.1:8080", "highway://10.0.0.1:7070",
    ]  # fmt: skip
    assert protected.split()[1:] == ["protection", "BEGIN", "shop/cart/1.0.0", "i-9", "self-\\x1b[2Jpreservation"]


async def test_watch_goes_on_while_a_proxy_says_that_the_engine_is_away() -> None:
    engine = FakeEngine(streams=[[_event(1)]])
    async with engine.running():
        arguments = [sys.executable, "-m", "registry.cli", "watch", "--json", "--engine", engine.url]
        async with _process(*arguments) as process:
            await _lines(process.stdout, 1)
            engine.refusal = (502, "")
            (told,) = await _lines(process.stderr, 1)
            assert "away" in told
            engine.refusal, engine.streams = None, [[_event(2)]]
            assert json.loads((await _lines(process.stdout, 1))[0])["revision"] == 2


async def test_watch_ends_when_nobody_reads_it() -> None:
    engine = FakeEngine(streams=[[_event(number) for number in range(2000)]] * 10)
    async with engine.running():
        command = f"{sys.executable} -m registry.cli watch --json --engine {engine.url} | head -1"
        async with _process("bash", "-c", command) as process:
            assert json.loads((await _lines(process.stdout, 1))[0])["revision"] == 0
            assert await process.wait() == 0
