"""The client session: what a URL names, who is called, and who is passed over."""

from __future__ import annotations

import io
from collections import Counter

import aiohttp
import pytest
from aiohttp import web

from governance.sdk import Instance, NoInstanceError
from tests.unit.sdk.known import Known, instance, session_of
from tests.unit.sdk.servers import nobody, serving


async def echo(request: web.Request) -> web.Response:
    body = await request.text()
    return web.json_response([request.method, request.raw_path, body, request.url.port, request.headers["Host"]])


@pytest.mark.parametrize(
    ("url", "path", "asked"),
    [
        ("cse://cart/show?city=New%20York&a=b%26c", "/show?city=New%20York&a=b%26c", ("cart", None)),
        ("cse://mall:cart/a/b", "/a/b", ("cart", "mall")),
        ("cse://cart", "/", ("cart", None)),
        ("cse://cart?x=a/b", "/?x=a/b", ("cart", None)),
        ("cse://cart/a%2Fb", "/a%2Fb", ("cart", None)),
        ("http://cart/show", "/show", ("cart", None)),
    ],
)
async def test_a_url_names_a_service(url: str, path: str, asked: tuple[str, str | None]) -> None:
    async with serving(echo) as address:
        known = Known(cart=[instance(address)])
        async with session_of(known) as http, http.get(url) as answer:
            method, seen, *_ = await answer.json()
    assert (method, seen) == ("GET", path)
    assert known.asked[-1] == asked


async def test_other_urls_are_called_as_they_are() -> None:
    async with serving(echo) as address:
        known = Known(cart=[])
        async with session_of(known) as http:
            async with http.get(f"{address}/x") as answer:
                assert answer.status == 200
            async with http.get(f"{address.replace('127.0.0.1', 'localhost')}/x") as answer:
                assert answer.status == 200
            assert known.asked == []
            with pytest.raises(aiohttp.ClientConnectorDNSError):
                async with http.get("http://nobody-is-called-so/x"):
                    pass
            assert known.asked == [("nobody-is-called-so", None)]


async def test_the_methods() -> None:
    async with serving(echo) as address, session_of(Known(cart=[instance(address)])) as http:
        for method, call in (("POST", http.post), ("PUT", http.put), ("DELETE", http.delete)):
            async with call("cse://cart/x", json={"a": 1}) as answer:
                assert (await answer.json())[:3] == [method, "/x", '{"a": 1}']
        async with http.request("PATCH", "cse://cart/x", data=b"b") as answer:
            assert (await answer.json())[0] == "PATCH"


async def test_calls_go_round_the_instances_that_are_up() -> None:
    async with serving(echo) as one, serving(echo) as two, serving(echo) as down:
        known = Known(cart=[instance(one), instance(down, "OUTOFSERVICE"), instance(two), instance(down, "STARTING")])
        counts: Counter[int] = Counter()
        async with session_of(known) as http:
            for _ in range(10):
                async with http.get("cse://cart/") as answer:
                    counts[(await answer.json())[3]] += 1
    assert counts == {int(one.rsplit(":", 1)[1]): 5, int(two.rsplit(":", 1)[1]): 5}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_instance_that_refuses_is_passed_over(method: str) -> None:
    async with serving(echo) as alive:
        with nobody() as dead:
            known = Known(cart=[instance(dead), instance(alive), instance(dead)])
            async with session_of(known) as http:
                for _ in range(6):
                    timeout = aiohttp.ClientTimeout(total=5)
                    async with http.request(method, "cse://cart/", data=b"body", timeout=timeout) as answer:
                        assert (await answer.json())[2] == "body"


async def test_a_body_that_can_be_read_once_is_not_sent_twice() -> None:
    ended = []
    async with serving(echo) as alive:
        with nobody() as dead:
            async with session_of(Known(cart=[instance(dead), instance(alive)])) as http:
                for _ in range(2):
                    try:
                        async with http.post("cse://cart/", data=io.BytesIO(b"once")) as answer:
                            ended.append((await answer.json())[2])
                    except aiohttp.ClientConnectorError:
                        ended.append("refused")
    assert sorted(ended) == ["once", "refused"]


async def test_an_answer_is_never_asked_for_twice() -> None:
    calls = 0

    async def fail(_request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        return web.Response(status=503)

    async with (
        serving(fail) as ill,
        session_of(Known(cart=[instance(ill), instance(ill)])) as http,
        http.get("cse://cart/") as answer,
    ):
        assert answer.status == 503
    assert calls == 1


async def test_where_all_refuse_the_last_refusal_is_raised() -> None:
    with nobody() as dead:
        async with session_of(Known(cart=[instance(dead), instance(dead)])) as http:
            with pytest.raises(aiohttp.ClientConnectorError):
                async with http.get("cse://cart/"):
                    pass


async def test_why_there_is_nobody_to_call() -> None:
    known = Known(cart=[instance("http://10.0.0.1:1", "DOWN")])
    async with session_of(known) as http:
        with pytest.raises(
            NoInstanceError, match=r"no instance of cart: 1 known, none of them UP with a REST endpoint"
        ):
            async with http.get("cse://cart/"):
                pass
        with pytest.raises(NoInstanceError, match="no instance of till: the engine knows none"):
            async with http.get("cse://till/"):
                pass
        known.away = True
        with pytest.raises(NoInstanceError, match="no instance of till: no answer from the engine"):
            async with http.get("cse://till/"):
                pass


@pytest.mark.parametrize(
    ("endpoints", "url"),
    [
        (("rest://10.0.0.1:8080",), "http://10.0.0.1:8080"),
        (("rest://10.0.0.1:8080?sslEnabled=true",), "https://10.0.0.1:8080"),
        (("rest://10.0.0.1:8080?sslEnabled=false&x=y",), "http://10.0.0.1:8080"),
        (("rest://[::1]:8080",), "http://[::1]:8080"),
        (("highway://10.0.0.1:7070", "rest://10.0.0.1:8080", "rest://10.0.0.2:8080"), "http://10.0.0.1:8080"),
        (("highway://10.0.0.1:7070",), ""),
        ((), ""),
    ],
)
def test_the_address_of_an_instance(endpoints: tuple[str, ...], url: str) -> None:
    assert Instance("i", "s", "a", "n", "1", endpoints).url == url
