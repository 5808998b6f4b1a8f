"""The benchmarks measure what they say, and fail where an answer is wrong. How fast anything is, no test asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from benchmarks import wrk
from benchmarks.plan import QUICK
from benchmarks.reference import GOALS
from benchmarks.report import markdown
from benchmarks.results import LoadFigure, Results, ServerFigures
from benchmarks.rules import JUDGED, RULES
from benchmarks.rules import NAMES as RULE_NAMES
from benchmarks.run import LOADS, Order, run
from benchmarks.sample import LoadFailedError, Sample, percentile
from tests.engine import ROOT, Client, EngineProcess

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REGISTRY = "/v4/default/registry"


@pytest.fixture(autouse=True)
def _wrk() -> None:
    if wrk.missing():
        pytest.skip(f"THE BENCHMARKS WERE NOT TESTED: {wrk.missing()}")


@contextlib.asynccontextmanager
async def _serving(handler: Handler) -> AsyncIterator[str]:
    """The address of a server that answers everything so."""
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _one_in_ten(status: int) -> Handler:
    """Answers 200, and every tenth time something else of the same size."""
    count = 0

    async def answer(_request: web.BaseRequest) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=200 if count % 10 else status, body=b"x" * 40)

    return answer


GET = [b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"]
FINE = Sample(count=1000, seconds=1.0, p50_ms=1.0, p99_ms=1.0, size=200.0)


async def _started(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks",
        *arguments,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _benchmark(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, output and messages of the command."""
    process = await _started(*arguments, **environment)
    try:
        async with asyncio.timeout(120):
            output, messages = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(), messages.decode()


async def test_a_quick_run_has_every_figure(tmp_path: Path) -> None:
    """On an engine of its own, everything: the table, and the JSON with machine, versions, date and all figures."""
    file = tmp_path / "figures.json"
    status, output, messages = await _benchmark("--quick", "--json", str(file))
    assert status == 0, messages
    told = json.loads(file.read_bytes())
    assert set(told["engine"]["loads"]) == {load.name for load in LOADS} == set(GOALS)
    for name, figure in told["engine"]["loads"].items():
        assert figure["rate"] > 0, name
        assert 0 < figure["p50_ms"] <= figure["p99_ms"], name
        assert (figure["errors"], figure["problem"]) == (0, ""), name
        assert figure["count"] > 0, name
        assert f" {name} " in output
    sizes = [(size["name"], size["instances"], size["unit"]) for size in told["sizes"]]
    memory = [("memory", count, "MiB") for count in (0, *QUICK.populations)]
    some = dict.fromkeys(RULE_NAMES, RULES) | {"rules-outcomes": JUDGED}
    of_rules = [(name, len(rules), "µs of CPU") for name in RULE_NAMES for rules in ({}, some[name])]
    assert sizes == [*memory, ("restart", QUICK.populations[-1], "s"), ("config-memory", QUICK.keys, "MiB"), *of_rules]
    assert all(size["value"] > 0 for size in told["sizes"] if size["unit"] != "µs of CPU")
    assert {"processor", "processors", "memory_mib", "system"} <= set(told["machine"])
    assert {"python", "waggle-engine", "aiohttp", "uvloop", "wrk", "sqlite"} <= set(told["versions"])
    assert told["date"].startswith("20")
    assert told["engine"]["version"]
    assert told["failures"] == []


async def _kie_alone(request: web.BaseRequest) -> web.StreamResponse:
    """A KIE that is no Service Center, and whose lists are empty."""
    if request.path == "/v1/health":
        return web.json_response({"version": "0.1.0"})
    if request.path.endswith("/file"):
        items = json.loads(await request.read())["data"]
        return web.json_response({"success": items, "failure": []})
    if request.path.startswith("/v1/") and request.method == "GET":
        return web.json_response({"total": 0, "data": []}, headers={"X-Kie-Revision": "7"})
    return web.Response(status=204 if request.method == "DELETE" else 404)


async def test_a_server_gets_the_loads_that_it_speaks(engine: EngineProcess) -> None:
    """A KIE is compared where it can be, and nothing is said of the rest."""
    async with _serving(_kie_alone) as url:
        results = await run(Order(engine.url, url, ("heartbeat", "config-list")), QUICK, lambda _text: None)
    assert results.against is not None
    assert (set(results.engine.loads), set(results.against.loads)) == ({"heartbeat", "config-list"}, {"config-list"})
    assert results.against.version == "0.1.0"
    assert results.failures == []
    assert results.ratio("heartbeat") is None
    assert (results.ratio("config-list") or 0) > 0
    assert "| heartbeat |" in markdown(results)


async def test_polls_that_are_not_told_or_refused_fail() -> None:
    """The change that nobody hears of, and the server that does not wait."""

    async def deaf(request: web.BaseRequest) -> web.StreamResponse:
        if "wait" in request.query and "revision=7" in request.query_string:
            await asyncio.Event().wait()
        if request.method in ("POST", "PUT"):
            return web.json_response({"id": "x"})
        return await _kie_alone(request)

    async def hasty(request: web.BaseRequest) -> web.StreamResponse:
        if "wait" in request.query:
            return web.Response(status=429)
        return await deaf(request)

    order = {"only": ("config-poll-1000",)}
    async with _serving(deaf) as url:
        results = await run(Order(url, **order), replace(QUICK, patience=0.5), lambda _text: None)
    assert "20 pollers were not told" in results.failures[0]
    async with _serving(hasty) as url:
        results = await run(Order(url, **order), QUICK, lambda _text: None)
    assert "a poll was answered b'HTTP/1.1 429" in results.failures[0]


async def test_nothing_is_left_of_the_configuration(engine: EngineProcess, client: Client) -> None:
    """What a load creates, it takes away, in every project that it used."""
    only = ("config-list", "config-create", "config-poll-1000")
    results = await run(Order(engine.url, only=only), QUICK, lambda _text: None)
    assert (len(results.engine.loads), results.failures) == (3, [])
    _, health, _ = await client.call("GET", "/v1/health", None, 200)
    assert health["total_kv_count"] == 0  # type: ignore[index]
    assert int(health["revision"]) > 200  # type: ignore[index]


def _children(pid: int) -> list[Path]:
    """The folders of the processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [Path("/proc", child) for child in listed.split()]


@pytest.mark.parametrize("stopped_by", [signal.SIGTERM, signal.SIGINT])
async def test_when_stopped_it_ends_its_engine_and_wrk(stopped_by: signal.Signals) -> None:
    process = await _started("--only", "heartbeat")
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            assert b"heartbeat on engine" in await process.stderr.readline()
            children = _children(process.pid)
            process.send_signal(stopped_by)
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode not in (0, -stopped_by)
    assert children
    assert not any(child.exists() for child in children)


async def test_two_servers_get_the_same_load_and_are_compared(engine: EngineProcess) -> None:
    """Interleaved, over the rounds that the plan has; no memory or restart of servers that are not ours."""
    told: list[str] = []
    plan = replace(QUICK, rounds=2, seconds=1)
    order = Order(engine.url, engine.url, ("find-1", "watch-push", "memory"))
    results = await run(order, plan, told.append)
    turns = [f"{label}, round {number} of 2" for number in (1, 2) for label in ("engine", "against")]
    assert told == [f"{name} on {turn}" for name in ("find-1", "watch-push") for turn in turns]
    assert results.against is not None
    assert results.failures == []
    assert not results.sizes
    for name in ("find-1", "watch-push"):
        assert len(results.engine.loads[name].rates) == len(results.against.loads[name].rates) == 2
        assert (results.ratio(name) or 0) > 0
    text = markdown(results)
    assert "| find-1 |" in text
    assert "| other's per second |" in text


async def test_nothing_is_left_on_the_server(engine: EngineProcess, client: Client) -> None:
    """What a load registers, it takes away."""
    results = await run(Order(engine.url, only=("heartbeat", "watch-push")), QUICK, lambda _text: None)
    assert (len(results.engine.loads), results.failures) == (2, [])
    _, body, _ = await client.call("GET", "/microservices", None, 200)
    assert body == {}


@pytest.mark.parametrize("status", [301, 404, 500])
async def test_a_check_finds_every_wrong_status(status: int) -> None:
    async with _serving(_one_in_ten(status)) as url:
        with pytest.raises(LoadFailedError, match=f"of {status}|400 or above") as failure:
            await wrk.check(url, GET, 1)
    assert failure.value.errors > 0


@pytest.mark.parametrize("status", [200, 204, 304])
async def test_a_check_takes_what_is_fine(status: int) -> None:
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status)

    async with _serving(answer) as url:
        sample = await wrk.check(url, GET, 1)
    assert sample.statuses == {str(status): sample.count}


async def test_a_run_fails_on_errors_and_on_answers_of_another_size() -> None:
    """While statuses are not counted, what wrk counts and the size of the answers tell."""
    async with _serving(_one_in_ten(503)) as url:
        with pytest.raises(LoadFailedError, match="of status 400 or above"):
            await wrk.measure(url, GET, 1, FINE)
    async with _serving(_one_in_ten(302)) as url:
        with pytest.raises(LoadFailedError, match="bytes, where 1000 are right"):
            await wrk.measure(url, GET, 1, replace(FINE, size=1000.0))


async def test_connections_that_are_dropped_and_silence_fail() -> None:
    async def drop(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def wait(_request: web.BaseRequest) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with _serving(drop) as url:
        with pytest.raises(LoadFailedError, match="socket failure"):
            await wrk.check(url, GET, 1)
        gone = url
    async with _serving(wait) as url:
        with pytest.raises(LoadFailedError, match="not one answer"):
            await wrk.check(url, GET, 1)
    with pytest.raises(LoadFailedError, match="wrk ended with status 1"):
        await wrk.check(gone, GET, 1)


async def test_requests_are_sent_in_turn_and_numbered() -> None:
    """Every request of the list, and a growing number where the mark is."""
    seen: set[str] = set()

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.add(request.path)
        return web.Response()

    requests = [b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"a", b"b", wrk.NUMBER)]
    async with _serving(answer) as url:
        await wrk.check(url, requests, 1)
    assert {"/a", "/b", "/00000001", "/00000002", "/00000010"} <= seen


async def _registry_that_fails(request: web.BaseRequest) -> web.StreamResponse:
    """Takes registrations, refuses heartbeats, and opens watches that it tells nothing."""
    if request.path.endswith("/heartbeat"):
        return web.json_response({"errorCode": "500003"}, status=500)
    if request.path.endswith("/watcher"):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        while (await socket.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
            pass
        return socket
    if request.path.endswith("/instances") and request.method == "GET":
        return web.json_response({"instances": [{}]})
    return web.json_response({"version": "0", "serviceId": "s", "instanceId": "i"})


async def test_a_server_with_wrong_answers_gives_status_1(tmp_path: Path) -> None:
    """The figure is not there, the reason is, and the file is written all the same."""
    file = tmp_path / "figures.json"
    async with _serving(_registry_that_fails) as url:
        arguments = ("--quick", "--only", "heartbeat", "--engine", url, "--json", str(file))
        status, output, messages = await _benchmark(*arguments)
    assert (status, "failed" in output) == (1, True)
    assert "heartbeat: " in messages
    figure = json.loads(file.read_bytes())["engine"]["loads"]["heartbeat"]
    assert figure["rate"] is None
    assert figure["errors"] > 0
    assert "400 or above" in figure["problem"]


async def test_watchers_that_are_not_told_and_refused_registrations_fail() -> None:
    async def refuse(request: web.BaseRequest) -> web.Response:
        return web.json_response({"version": "0"}, status=200 if request.path.endswith("/version") else 404)

    def order(url: str) -> Order:
        return Order(url, only=("watch-push",))

    async with _serving(_registry_that_fails) as url:
        results = await run(order(url), replace(QUICK, patience=0.5), lambda _text: None)
    assert "20 watchers were not told" in results.engine.loads["watch-push"].problem
    async with _serving(refuse) as url:
        results = await run(order(url), QUICK, lambda _text: None)
    assert "answered 404" in results.failures[0]


async def test_no_wrk_no_server_and_no_such_load_are_said_plainly(tmp_path: Path) -> None:
    status, _, messages = await _benchmark("--quick", PATH=str(tmp_path))
    assert (status, "wrk is not installed" in messages) == (1, True)
    status, _, messages = await _benchmark("--quick", "--engine", "http://127.0.0.1:1")
    assert (status, "no Service Center answers" in messages) == (1, True)
    status, _, messages = await _benchmark("--only", "flight")
    assert (status, "flight" in messages) == (2, True)


def _results(ours: LoadFigure, theirs: LoadFigure, name: str) -> Results:
    machine = {"processors": 2, "processor": "p", "memory_mib": 1, "system": "s"}
    return Results(
        date="",
        machine=machine,
        versions={},
        plan={"rounds": 3, "seconds": 4},
        load_average=(0.0, 0.0),
        engine=ServerFigures("", "", {name: ours}),
        against=ServerFigures("", "", {name: theirs}),
    )


def test_figures_are_medians_and_ratios_those_of_the_rounds() -> None:
    ours = LoadFigure.of([Sample(rate, 1.0, 1.0, p99) for rate, p99 in ((100, 2.0), (900, 8.0), (300, 4.0))], None)
    theirs = LoadFigure.of([Sample(rate, 1.0, 1.0, p99) for rate, p99 in ((50, 4.0), (100, 8.0), (100, 40.0))], None)
    assert (ours.rate, ours.p99_ms, ours.count) == (300, 4.0, 1300)
    assert _results(ours, theirs, "find-1").ratio("find-1") == 3
    assert _results(ours, theirs, "watch-push").ratio("watch-push") == 2
    failed = LoadFigure.of([FINE], LoadFailedError("no", 7))
    assert (failed.rate, failed.errors, failed.problem) == (None, 7, "no")
    results = _results(ours, failed, "find-1")
    assert (results.ratio("find-1"), results.failures) == (None, ["against find-1: no"])
    assert "| failed |" in markdown(results)


def test_a_goal_is_reached_by_rate_and_p99_together() -> None:
    goal = GOALS["find-100"]
    assert goal.rate is not None
    fast = LoadFigure(rate=goal.rate * goal.times, p50_ms=0.1, p99_ms=1.9)
    assert goal.reached(fast)
    assert not goal.reached(replace(fast, p99_ms=2.0))
    assert not goal.reached(replace(fast, rate=goal.rate * goal.times - 1))
    assert not goal.reached(LoadFigure(problem="no"))


def test_percentiles() -> None:
    ordered = [float(number) for number in range(100)]
    assert (percentile(ordered, 0.5), percentile(ordered, 0.99), percentile([1.0], 0.99)) == (50.0, 99.0, 1.0)
