"""What operators and probes ask: health, readiness, version, alarms, the dump and the clusters. Protocol: sections 10 and 11.2."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest

from registry import __version__
from tests.engine import Client, client_of, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
ADMIN = "/v4/default/admin"


async def _get(api: Client, path: str) -> Any:
    return (await api.call("GET", path, None, 200))[1]


@pytest.mark.parametrize("path", ["/health", "/v4/default/registry/health", "/v4/other/registry/health"])
async def test_health_is_the_engines_own_instance_whoever_asks(path: str, api: Client) -> None:
    (own,) = (await _get(api, path))["instances"]
    assert own["endpoints"] == [api.url.replace("http", "rest") + "/"]
    assert own["hostName"] == platform.node()[:64]
    assert (own["status"], own["version"]) == ("UP", __version__)
    assert own["healthCheck"] == {"mode": "push", "interval": 30, "times": 3}


async def test_an_engine_that_does_not_register_itself_says_so(tmp_path: Path) -> None:
    """`self_register` off: 400012 from /health, and nothing to find."""
    async with running_engine(tmp_path / "data", self_register=False) as engine, client_of(engine.url) as client:
        status, body, _ = await client.call("GET", "/health")
        assert (status, body["errorCode"]) == (400, "400012")  # type: ignore[index]
        assert await _get(client, "/v4/default/registry/microservices?withShared=1") == {}
        assert (await _get(client, "/health/ready"))["status"] == "ready"


@pytest.mark.parametrize(("path", "api_version"), [("/version", "3.0.0"), ("/v4/default/registry/version", "4.0.0")])
async def test_the_version_names_the_engine_and_its_api(path: str, api_version: str, api: Client) -> None:
    assert await _get(api, path) == {
        "version": __version__,
        "buildTag": f"waggle-{__version__}",
        "goVersion": f"python{platform.python_version()}",
        "os": "linux",
        "arch": platform.machine(),
        "apiVersion": api_version,
    }


@pytest.mark.parametrize(
    "path",
    [
        "/v4/default/registry/health/readiness",
        "/registry/v3/health",
        "/registry/v3/version",
        "/v4/token",
        "/v4/accounts",
        "/v4/roles",
        "/v4/self-perms",
        "/v4/account-locks",
        "/v1/syncer/health",
        "/v4/default/registry/microservices/x/listwatcher",
        "/v4/default/registry/microservices/x/rules",
        "/v4/default/registry/environments",
    ],
)
async def test_what_clients_probe_and_what_is_not_there_is_404_in_text(path: str, api: Client) -> None:
    """Clients take the 404 of readiness for `connect and see`, that of the token for `no access control`."""
    async with api.session.get(api.url + path) as response:
        assert (response.status, await response.text()) == (404, "404 page not found\n")


@pytest.mark.parametrize("header", ["Bearer rubbish", "Bearer", "Basic x", "Bearer invalid"])
async def test_authorization_is_ignored(header: str, api: Client) -> None:
    """Spring clients send `Bearer invalid` once they have got the 404."""
    await api.call("GET", "/microservices", None, 200, Authorization=header)


async def test_readiness_says_up_to_where(api: Client) -> None:
    before = await _get(api, "/health/ready")
    await api.service("one")
    after = await _get(api, "/health/ready")
    assert (before["status"], after["status"]) == ("ready", "ready")
    assert after["revision"] > before["revision"]


async def test_there_are_no_alarms_and_they_can_be_forgotten(api: Client) -> None:
    assert await _get(api, f"{ADMIN}/alarms") == {}
    status, body, headers = await api.call("DELETE", f"{ADMIN}/alarms")
    assert (status, body, headers["Content-Type"]) == (200, None, "text/plain; charset=UTF-8")  # type: ignore[call-overload, index]


async def test_the_one_cluster_is_this_engine(api: Client) -> None:
    assert await _get(api, f"{ADMIN}/clusters") == {"clusters": {"default": [api.url]}}


async def test_the_dump_shows_what_is_kept(default_api: Client) -> None:
    """Each part as rows with a key, a revision that is a number, a cluster and a value."""
    consumer = await default_api.service("consumer")
    provider = await default_api.service("cart", alias="trolley")
    await default_api.instance(provider, instanceId="i")
    await default_api.call("PUT", f"/microservices/{provider}/schemas/s", {"schema": "x", "summary": "sum"}, 200)
    await default_api.call("POST", f"/microservices/{provider}/tags", {"tags": {"lane": "gray"}}, 200)
    await default_api.find("cart", consumer)
    cache = (await _get(default_api, f"{ADMIN}/dump"))["cache"]
    for part, value in {
        "services": "cart",
        "serviceIndexes": provider,
        "serviceAliases": provider,
        "serviceTags": "gray",
        "instances": "rest://127.0.0.1:8080",
        "summaries": "sum",
        "dependencyRules": "cart",
    }.items():
        rows = cache[part]
        assert all(row.keys() == {"key", "rev", "cluster", "value"} for row in rows)
        assert all(isinstance(row["rev"], int) and row["cluster"] == "default" for row in rows)
        assert [row for row in rows if value in str(row["value"])], part


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ("", {"cache"}),
        ("cache", {"cache"}),
        ("info", {"info"}),
        ("all", {"info", "cache"}),
        ("info,cache", {"info", "cache"}),
    ],
)
async def test_options_choose_parts_of_the_dump(options: str, parts: set[str], default_api: Client) -> None:
    dumped = await _get(default_api, f"{ADMIN}/dump?options={options}")
    assert dumped.keys() == parts
    assert "info" not in parts or dumped["info"]["apiVersion"] == "4.0.0"


async def test_the_dump_is_for_the_operators_tenant_only(api: Client) -> None:
    """403001; the original answers 200 with nothing."""
    status, body, _ = await api.call("GET", f"{ADMIN}/dump")
    assert (status, body["errorCode"], body["detail"]) == (403, "403001", "Required admin permission")  # type: ignore[index]
    assert (await api.call("GET", "/v4/other/admin/dump", None, X_Domain_Name="default"))[0] == 403


async def test_schemas_can_be_closed_to_uploads(tmp_path: Path) -> None:
    """`schema_read_only`: 403001 for every way of changing content; reading and registering go on."""
    async with running_engine(tmp_path / "data", schema_read_only=True) as engine, client_of(engine.url) as client:
        service = await client.service("cart", schemas=["a"])
        content = {"schemaId": "a", "schema": "x", "summary": "s"}
        for root in ("", "/registry/v3"):
            path = f"{root}/microservices/{service}/schemas"
            for method, target, body in (("PUT", f"{path}/a", content), ("POST", path, {"schemas": [content]})):
                status, refused, _ = await client.call(method, target, body)
                assert (status, refused["errorCode"]) == (403, "403001"), target  # type: ignore[index]
        assert await _get(client, f"/microservices/{service}/schemas") == {"schemas": [{"schemaId": "a"}]}
