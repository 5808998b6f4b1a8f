"""The targets that Prometheus scrapes, in the form of http_sd, who sees which, and how Prometheus signs in."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.api.access import PASSWORD, ROOT_PASSWORD, guarded_engine, signed_in
from tests.api.office import Office, permission
from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")
TARGETS = "/waggle/v1/prometheus/targets"
TOKEN = "/waggle/v1/access/oauth2/token"
FORM = {"grant_type": "client_credentials", "client_id": "root", "client_secret": ROOT_PASSWORD}


async def _targets(api: Client, query: str = "", **headers: str) -> list[Mapping[str, object]]:
    own = api._headers["X-Domain-Name"]
    _, body, _ = await api.call("GET", f"{TARGETS}?domain={own}{query}", None, 200, **headers)
    return body  # type: ignore[return-value]


async def _exposing(api: Client, name: str, properties: Mapping[str, str], **more: object) -> str:
    return await api.instance(await api.service(name, appId=name), properties=properties, **more)


async def test_an_instance_with_metrics_is_a_target_with_all_that_is_known_of_it(api: Client) -> None:
    service = await api.service("cart", appId="shop", version="1.2.0", environment="production")
    name = await api.instance(
        service,
        hostName="box",
        status="DOWN",
        endpoints=["rest://10.0.0.7:8080?sslEnabled=true"],
        properties={"prometheus.port": "9696", "CAS_LANE_TAG": "gray"},
        dataCenterInfo={"name": "dc", "region": "north", "availableZone": "az1"},
    )
    await api.instance(await api.service("silent"))
    labels = {
        "__metrics_path__": "/metrics",
        "__scheme__": "http",
        "__meta_waggle_app": "shop",
        "__meta_waggle_service": "cart",
        "__meta_waggle_version": "1.2.0",
        "__meta_waggle_environment": "production",
        "__meta_waggle_instance_id": name,
        "__meta_waggle_host_name": "box",
        "__meta_waggle_status": "DOWN",
        "__meta_waggle_lane": "gray",
        "__meta_waggle_datacenter": "dc",
        "__meta_waggle_region": "north",
        "__meta_waggle_zone": "az1",
    }
    assert await _targets(api) == [{"targets": ["10.0.0.7:9696"], "labels": labels}]


@pytest.mark.parametrize(
    ("properties", "endpoint", "target", "scheme", "path"),
    [
        ({"prometheus.port": "80"}, "rest://[fd00::1]:8080", "[fd00::1]:80", "http", "/metrics"),
        ({"prometheus.port": "80", "prometheus.host": "fd00::2"}, "", "[fd00::2]:80", "http", "/metrics"),
        (
            {"prometheus.port": "8080", "prometheus.path": "actuator/prometheus", "prometheus.scheme": "HTTPS"},
            "rest://cart:8080",
            "cart:8080",
            "https",
            "/actuator/prometheus",
        ),
        ({"prometheus.port": "8080", "prometheus.scheme": "ftp"}, "grpc://cart:1", "cart:8080", "http", "/metrics"),
    ],
)
async def test_properties_say_where_it_is(
    api: Client, properties: Mapping[str, str], endpoint: str, target: str, scheme: str, path: str
) -> None:
    await _exposing(api, "cart", properties, endpoints=[endpoint] if endpoint else [])
    (found,) = await _targets(api)
    labels = found["labels"]
    assert found["targets"] == [target]
    assert isinstance(labels, dict)
    assert (labels["__scheme__"], labels["__metrics_path__"]) == (scheme, path)


@pytest.mark.parametrize("port", ["", "0", "-1", "65536", "99999999999999999999", "\uff19", "x"])
async def test_a_port_that_is_none_makes_no_target_and_no_error(api: Client, port: str) -> None:
    await _exposing(api, "cart", {"prometheus.port": port})
    await _exposing(api, "good", {"prometheus.port": "1"})
    assert [one["targets"] for one in await _targets(api)] == [["127.0.0.1:1"]]


async def test_an_instance_without_any_host_is_no_target(api: Client) -> None:
    await _exposing(api, "cart", {"prometheus.port": "1"}, endpoints=["rest://[broken:1"])
    await _exposing(api, "none", {"prometheus.port": "1"}, endpoints=[])
    assert await _targets(api) == []


async def test_the_query_narrows_and_tenants_keep_apart(api: Client, default_api: Client) -> None:
    for name in ("a", "b"):
        await _exposing(api, name, {"prometheus.port": "1"})
    assert len(await _targets(api)) == 2
    assert len(await _targets(api, "&app=a")) == 1
    assert len(await _targets(api, "&app=a&service=b")) == 0
    assert len(await _targets(api, "&environment=production")) == 0
    assert await _targets(default_api) == []
    status, _, _ = await api.call("GET", f"{TARGETS}?project=no/project")
    assert status == 400


async def test_prometheus_takes_the_type_of_the_answer(api: Client) -> None:
    async with api.session.get(api.url + TARGETS) as answer:
        assert answer.headers["Content-Type"].lower() == "application/json; charset=utf-8"
        assert await answer.read() == b"[]"


async def test_without_access_control_there_are_no_tokens(api: Client) -> None:
    async with api.session.post(api.url + TOKEN, data=FORM) as answer:
        assert answer.status == 404


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """An engine with access enforced."""
    folder: Path = tmp_path_factory.mktemp("guarded") / "data"
    with pytest.MonkeyPatch.context() as patch:
        async with guarded_engine(folder, "enforce", patch) as (_, client):
            yield client


async def _token(client: Client, form: Mapping[str, str], auth: str = "") -> tuple[int, Mapping[str, object]]:
    headers = {"Authorization": auth} if auth else {}
    async with client.session.post(client.url + TOKEN, data=form, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_targets_are_shown_to_those_who_may_see_the_service(guarded: Client) -> None:
    root = await signed_in(guarded)
    for name in ("orders", "other"):
        given = {"service": {"serviceName": name, "appId": name}}
        _, body, _ = await guarded.call("POST", "/microservices", given, 200, Authorization=root)
        path = f"/microservices/{body['serviceId']}/instances"  # type: ignore[index]
        one = {"hostName": "h", "endpoints": ["rest://h:1"], "properties": {"prometheus.port": "9696"}}
        await guarded.call("POST", path, {"instance": one}, 200, Authorization=root)
    office = Office(guarded)
    await office.open()
    some = await office.account("some", [permission("service", appId="orders")])
    assert len(await _targets(guarded, Authorization=root)) == 2
    (seen,) = await _targets(guarded, **some)
    assert seen["labels"]["__meta_waggle_service"] == "orders"  # type: ignore[index]
    assert (await guarded.call("GET", TARGETS))[0] == 401


async def test_a_tool_signs_in_by_oauth_with_the_form_or_the_header(guarded: Client) -> None:
    coded = base64.b64encode(f"root:{ROOT_PASSWORD.replace('!', '%21')}".encode()).decode()
    for form, auth in ((FORM, ""), ({"grant_type": "client_credentials"}, f"Basic {coded}")):
        status, body = await _token(guarded, form, auth)
        assert (status, body["token_type"], body["expires_in"]) == (200, "Bearer", 43200)
        header = f"Bearer {body['access_token']}"
        assert (await guarded.call("GET", TARGETS, Authorization=header))[0] == 200
        async with guarded.session.post(guarded.url + TOKEN, data=form, headers={"Authorization": auth}) as answer:
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("form", "auth", "error"),
    [
        ({**FORM, "grant_type": "password"}, "", "unsupported_grant_type"),
        ({}, "", "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "root"}, "", "invalid_request"),
        ({"grant_type": "client_credentials"}, "Basic !!!", "invalid_request"),
        ({"grant_type": "client_credentials"}, "Basic cm9vdA==", "invalid_request"),
    ],
)
async def test_what_is_no_such_form_is_told_in_the_words_of_oauth(
    guarded: Client, form: Mapping[str, str], auth: str, error: str
) -> None:
    status, body = await _token(guarded, form, auth)
    assert (status, body["error"]) == (400, error)
    assert body["error_description"]


async def test_a_wrong_password_is_refused_as_anywhere_and_a_body_that_is_no_form_as_a_form(guarded: Client) -> None:
    status, body = await _token(guarded, {**FORM, "client_id": "nobody", "client_secret": PASSWORD})
    assert (status, body["errorCode"]) == (401, "401202")
    async with guarded.session.post(guarded.url + TOKEN, data=b"\xff" * 50) as answer:
        assert answer.status == 400
    many = aiohttp.FormData([(f"n{number}", "") for number in range(100)])
    async with guarded.session.post(guarded.url + TOKEN, data=many) as answer:
        assert answer.status == 400


async def test_guesses_by_a_form_count_as_any_others(guarded: Client) -> None:
    guess = {**FORM, "client_id": "guessed", "client_secret": PASSWORD}
    for _ in range(3):
        assert (await _token(guarded, guess))[1]["errorCode"] == "401202"
    assert (await _token(guarded, guess))[1]["errorCode"] == "403201"
    _, body, _ = await guarded.call("POST", "/v4/token", {"name": "guessed", "password": PASSWORD}, 403)
    assert body["errorCode"] == "403201"  # type: ignore[index]
