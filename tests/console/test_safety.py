"""What an attacker could do with the console: other sites, forged cookies, planted texts, hidden buttons pressed all the same."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from registry.api.call import Route
from registry.console.view import LOOK, SESSION, TENANT
from registry.server import Server
from registry.settings import Settings
from tests.api.access import PASSWORD, ROOT_PASSWORD
from tests.api.attacked import REGISTRY, SECRET, Attacked, attacked_engine
from tests.api.test_tls import Authority
from tests.console.markup import HOSTILE, Markup
from tests.engine import EngineProcess, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
SIGN_IN = "/console/sign-in"
STREAM = "/console/live"
PART = {"HX-Request": "true"}
CROSS = {
    "another site": {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"},
    "a neighbour": {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    "no page at all": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "another host": {"Origin": "http://evil.example"},
    "a longer name": {"Origin": "http://127.0.0.1.evil.example"},
    "a site that says it is another": {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
}
"""Where a form may come from that is not the console's."""


async def console(folder: Path) -> Sequence[Route]:
    """The console's rows of the table of routes; the stream of topics has no page."""
    table = Server(Settings(data_dir=folder)).routes
    found = [route for route in table if route.path == "/console" or route.path.startswith("/console/")]
    return [route for route in found if route.path != STREAM]


ROUTES = asyncio.run(console(Path("nowhere")))
FORMS = [route.path for route in ROUTES if route.method == "POST"]
PAGES = [route.path for route in ROUTES if route.method == "GET" and "/static/" not in route.path]


def at(path: str, value: str = "x", query: Mapping[str, str] | None = None) -> URL:
    """A path with its parameters filled in."""
    filled = "/".join(value if part.startswith(":") else part for part in path.split("/"))
    return URL(f"{filled}?{urlencode(query or {})}", encoded=True)


def cookies(session: str) -> Mapping[str, str]:
    """The header of somebody who has signed in."""
    return {"Cookie": f"{SESSION}={session}"} if session else {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Attacked]:
    """Access is enforced, and there is something to hide."""
    async with attacked_engine(tmp_path_factory.mktemp("attacked") / "data") as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(attacked: Attacked) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps no cookies and follows no redirect by itself."""
    async with aiohttp.ClientSession(attacked.engine.url, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def signed_in(browser: aiohttp.ClientSession, name: str, password: str, **headers: str) -> aiohttp.ClientResponse:
    """The answer to the form of signing in."""
    form = {"name": name, "password": password, "next": "/console/services"}
    answer = await browser.post(SIGN_IN, data=form, headers=headers, allow_redirects=False)
    await answer.read()
    return answer


async def session_of(browser: aiohttp.ClientSession, name: str, password: str = PASSWORD) -> str:
    """The session of somebody who signs in."""
    answer = await signed_in(browser, name, password)
    assert answer.status == 303, await answer.text()
    return answer.cookies[SESSION].value


@pytest.mark.parametrize("whence", CROSS)
async def test_a_form_of_another_site_is_refused_on_every_path(
    whence: str, attacked: Attacked, browser: aiohttp.ClientSession
) -> None:
    root = attacked.office.root["Authorization"].removeprefix("Bearer ")
    for path in FORMS:
        async with browser.post(at(path), data={}, headers={**CROSS[whence], **cookies(root)}) as answer:
            assert answer.status == 403, path
            assert (await answer.json())["errorCode"] == "403206", path


async def test_a_form_of_the_console_itself_is_taken_also_without_a_word_of_where_it_comes_from(
    attacked: Attacked, browser: aiohttp.ClientSession
) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": attacked.engine.url}, {}):
        async with browser.post("/console/look", data={"look": "dark"}, headers=headers, allow_redirects=False) as got:
            assert got.status == 303
            assert got.cookies[LOOK].value == "dark"


async def test_behind_a_proxy_the_browser_s_own_word_or_the_host_counts(browser: aiohttp.ClientSession) -> None:
    proxied = {"Host": "engine.internal:30100", "Origin": "https://ops.example"}
    for headers, status in (
        ({**proxied, "Sec-Fetch-Site": "same-origin"}, 303),
        ({**proxied, "Host": "ops.example"}, 303),
        (proxied, 403),
    ):
        async with browser.post("/console/look", data={}, headers=headers, allow_redirects=False) as answer:
            assert answer.status == status, headers


async def test_cookies_are_for_the_console_alone_and_out_of_reach_of_scripts(browser: aiohttp.ClientSession) -> None:
    answer = await signed_in(browser, "root", ROOT_PASSWORD)
    cookie = answer.headers["Set-Cookie"]
    assert answer.headers["Location"] == "/console/services"
    assert {"Path=/console", "HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    assert answer.headers["Cache-Control"] == "no-store"


async def test_under_tls_cookies_go_by_tls_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("engine")
    async with running_engine(tmp_path / "data", tls_cert=certificate, tls_key=key) as engine:
        connector = aiohttp.TCPConnector(ssl=authority.context())
        async with (
            aiohttp.ClientSession(engine.url, connector=connector) as session,
            session.post("/console/look", data={"look": "dark"}, allow_redirects=False) as answer,
        ):
            assert "Secure" in answer.headers["Set-Cookie"].split("; ")


async def test_whoever_signs_in_gets_a_session_of_their_own_whatever_they_had_before(
    attacked: Attacked, browser: aiohttp.ClientSession
) -> None:
    await attacked.office.account("planter")
    planted = await session_of(browser, "planter")
    answer = await signed_in(browser, "root", ROOT_PASSWORD, **cookies(planted))
    own = answer.cookies[SESSION].value
    assert own != planted
    async with browser.get("/console", headers=cookies(own)) as page:
        assert "Sign out root" in await page.text()


async def test_without_a_session_that_counts_no_page_shows_and_no_form_does_anything(
    attacked: Attacked, browser: aiohttp.ClientSession
) -> None:
    gone = (await attacked.office.account("gone"))["Authorization"].removeprefix("Bearer ")
    await attacked.client.call("DELETE", "/v4/accounts/gone", None, 200, **attacked.office.root)
    head, body, signature = gone.split(".")
    worthless = {
        "none": "",
        "letters": "a.b.c",
        "changed": f"{head}.{body[::-1]}.{signature}",
        "gone": gone,
        "odd": "%0d%0a",
    }
    query = {"key": "password", "label": "app:default", "q": "o", "name": "x", "app": "default", "service": "orders"}
    before, troubles = await _state(attacked), set()
    for kind, session in worthless.items():
        for path in PAGES:
            for more in ({}, PART):
                url = at(path, f"{SECRET}-id", query)
                async with browser.get(url, headers={**cookies(session), **more}, allow_redirects=False) as answer:
                    shown = (await answer.text()).replace(f"{SECRET}-id", "")
                    troubles |= {f"{kind} {path}: {why}" for why in _told(answer, shown)}
        for path in FORMS:
            url = at(path, "orders-id")
            async with browser.post(url, data=query, headers=cookies(session), allow_redirects=False) as answer:
                troubles |= {f"{kind} {path}: {why}" for why in _told(answer, await answer.text())}
    assert not troubles
    assert await _state(attacked) == before


def _told(answer: aiohttp.ClientResponse, shown: str) -> Iterator[str]:
    """What an answer tells somebody who may know nothing."""
    if answer.status >= 500:
        yield f"{answer.status} {shown[:200]}"
    yield from (f"tells {word}" for word in (SECRET, "orders-1") if word in shown)


async def _state(attacked: Attacked) -> object:
    _, services, _ = await attacked.client.call("GET", f"{REGISTRY}/microservices", None, 200, **attacked.office.root)
    _, items, _ = await attacked.client.call("GET", "/v1/default/kie/kv", None, 200, **attacked.office.root)
    return services, items


async def test_what_a_page_hides_from_a_role_cannot_be_sent_either(
    attacked: Attacked, browser: aiohttp.ClientSession
) -> None:
    reader = [{"resources": [{"type": "service"}, {"type": "config"}], "verbs": ["get"]}]
    await attacked.office.account("reader", reader)
    session = await session_of(browser, "reader")
    before = await _state(attacked)
    form = {
        "name": "planted",
        "app": "default",
        "environment": "",
        "gateway": "orders",
        "target": "orders",
        "consumer": "orders",
        "service": "orders",
        "version": "1.0.0",
        "share": "100",
        "key": "password",
        "value": "planted",
        "type": "text",
        "status": "DOWN",
        "label": "app:default",
        "roles": "admin",
        "password": PASSWORD,
    }
    for path in FORMS:
        if path in (SIGN_IN, "/console/sign-out", "/console/look"):
            continue
        for value in ("orders-id", "reader"):
            url = at(path, value)
            async with browser.post(
                url, data=form, headers={**cookies(session), **PART}, allow_redirects=False
            ) as answer:
                assert answer.status < 500, path
    assert await _state(attacked) == before
    _, groups, _ = await attacked.client.call("GET", "/waggle/v1/lane-groups", None, 200, **attacked.office.root)
    assert groups == {"objects": []}


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/console",
        "//evil.example/console",
        "/\\evil.example",
        "/console/../v4",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/console\r\nSet-Cookie: a=b",
        "/consoles",
        "/console/\u202e",
        "http:/console",
    ],
)
async def test_signing_in_leads_to_a_page_of_the_console_and_nowhere_else(
    wanted: str, browser: aiohttp.ClientSession
) -> None:
    async with browser.post("/console/look", data={"next": wanted}, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"].startswith("/console")
        assert URL("http://x").join(URL(answer.headers["Location"])).path.startswith("/console")
        assert "Set-Cookie" not in answer.headers


async def test_a_cookie_cannot_end_the_header_that_it_is_in(browser: aiohttp.ClientSession) -> None:
    async with browser.post(
        "/console/look", data={"tenant": "a\r\nX-Planted: 1/b;Secure"}, allow_redirects=False
    ) as answer:
        assert "X-Planted" not in answer.headers
        assert answer.cookies[TENANT].value == "a%0D%0AX-Planted%3A%201%2Fb%3BSecure"
    for odd in (f"{TENANT}=a%0D%0AX-Planted:1%2Fb", f"{TENANT}=%ff%00%2F", "=;=;;", f'{SESSION}="', f"{LOOK}=<script>"):
        async with browser.get(SIGN_IN, headers={"Cookie": odd}) as answer:
            assert answer.status == 200, odd
            assert "X-Planted" not in answer.headers


async def test_a_huge_form_is_refused_and_a_form_of_many_fields_does_nothing(browser: aiohttp.ClientSession) -> None:
    async with browser.post(SIGN_IN, data=io.BytesIO(b"name=" + b"a" * (64 << 20))) as answer:
        assert answer.status in (400, 413)
    async with browser.post(SIGN_IN, data=b"a&" * 50_000) as answer:
        assert answer.status in (400, 401, 422)


@pytest.mark.parametrize(
    "name", ["../manifest.json", "..%2f..%2fview.py", "%2e%2e%2fview.py", "manifest.json", "%00", "app.js"]
)
async def test_no_name_of_a_file_leads_out_of_what_was_built(name: str, browser: aiohttp.ClientSession) -> None:
    async with browser.get(URL(f"/console/static/{name}", encoded=True), allow_redirects=False) as answer:
        assert answer.status in (400, 404)


# --- planted texts


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def planted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """Access is off, and whatever may be of any text is hostile."""
    async with running_engine(tmp_path_factory.mktemp("planted") / "data") as engine:
        async with aiohttp.ClientSession(engine.url) as session:
            for method, path, body in _planted():
                async with session.request(method, path, json=body) as answer:
                    assert answer.status == 200, (path, await answer.text())
        yield engine


def _planted() -> Iterator[tuple[str, str, object]]:
    facts = {"serviceName": "orders", "serviceId": "orders-id", "appId": "shop", "description": HOSTILE[:200]}
    yield "POST", f"{REGISTRY}/microservices", {"service": {**facts, "properties": {"note": HOSTILE}}}
    instance = {"instanceId": "orders-1", "hostName": HOSTILE[:60], "endpoints": ["javascript:alert(1)"]}
    instance["properties"] = {"note": HOSTILE}  # type: ignore[assignment]
    yield "POST", f"{REGISTRY}/microservices/orders-id/instances", {"instance": instance}
    item = {"key": "planted.key", "value": HOSTILE, "labels": {"app": "shop"}, "status": "enabled"}
    yield "POST", "/v1/default/kie/kv", item
    shown = {"key": "servicecomb.rateLimiting.planted", "value": f"# {HOSTILE}\nrate: 1\n", "labels": {"app": "shop"}}
    yield "POST", "/v1/default/kie/kv", {**shown, "status": "enabled"}
    lanes = {"name": "planted", "app": "shop", "gateway": HOSTILE[:100], "target": "orders"}
    base = {"name": "base", "label": "base", "components": [HOSTILE]}
    yield (
        "PUT",
        "/waggle/v1/lane-groups/one",
        {**lanes, "lanes": [base], "description": HOSTILE[:120], "reason": HOSTILE},
    )
    yield "PUT", "/waggle/v1/degrades/one", {"consumer": "orders", "target": "stock", "app": "shop", "reason": HOSTILE}


VALUES = ("orders-id", "orders-1", "planted", "%3Cimg%20data-planted%3E")
QUERIES: Sequence[Mapping[str, str]] = (
    {},
    {"service": "orders", "app": "shop", "environment": "", "name": "planted", "key": "planted.key", "label": "base"},
    {"consumer": "orders", "target": "stock", "app": "shop", "environment": ""},
    {"key": "servicecomb.rateLimiting.planted", "label": "app:shop"},
    dict.fromkeys(
        ("q", "service", "app", "environment", "name", "key", "label", "page", "next", "sort", "of"), HOSTILE
    ),
)


async def test_no_text_becomes_an_element_a_handler_or_a_link_on_any_page(planted: EngineProcess) -> None:
    seen, troubles = 0, set()
    async with aiohttp.ClientSession(planted.url) as session:
        for path, value, query in _visits():
            for more in ({}, PART):
                async with session.get(at(path, value, query), headers=more) as answer:
                    shown = await answer.text()
                    troubles |= {f"{answer.url}: {why}" for why in _wrong(answer, shown)}
                    seen += "data-planted" in shown
    assert not troubles
    assert seen > 10, "the texts were shown nowhere"


def _visits() -> Iterator[tuple[str, str, Mapping[str, str]]]:
    for path in PAGES:
        for value in VALUES if ":" in path else VALUES[:1]:
            yield from ((path, value, query) for query in QUERIES)


async def test_no_text_of_a_form_becomes_one_either_and_none_is_a_defect(planted: EngineProcess) -> None:
    names = ("name", "app", "key", "value", "label", "service", "version", "reason", "status", "tags", "text", "q")
    troubles = set()
    async with aiohttp.ClientSession(planted.url) as session:
        for path in FORMS:
            for form in ({}, dict.fromkeys(names, HOSTILE)):
                async with session.post(at(path), data=form, headers=PART, allow_redirects=False) as answer:
                    troubles |= {f"{path}: {why}" for why in _wrong(answer, await answer.text())}
    assert not troubles


def _wrong(answer: aiohttp.ClientResponse, shown: str) -> Iterator[str]:
    """What must not be the answer of any page or form."""
    if answer.status >= 500:
        yield f"{answer.status} {shown[:200]}"
    if answer.content_type == "text/html":
        yield from Markup(shown).troubles
        yield from _lax(answer.headers)


def _lax(headers: Mapping[str, str]) -> Iterator[str]:
    """Where a page lets other code run, is in a frame, or is kept."""
    policy = headers.get("Content-Security-Policy", "")
    if not re.fullmatch(r"(?:[a-z-]+ (?:'none'|'self'|'self' data:|'self' 'nonce-[\w-]+')(?:; |$))+", policy):
        yield f"the policy is {policy!r}"
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        if rule not in policy.split("; "):
            yield f"the policy has no {rule}"
    wanted = {"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    yield from (f"{name} is not {value}" for name, value in wanted.items() if headers.get(name) != value)
