"""What the recorded answers leave out about schemas and tags. Protocol: Service Center sections 5.7 and 6."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _schemas(api: Client, service: str, query: str = "") -> Any:
    return (await api.call("GET", f"/microservices/{service}/schemas{query}", None, 200))[1]


async def test_the_summary_is_in_a_header_and_kept_byte_for_byte(api: Client) -> None:
    """Java clients compare it with their own; the header is there even where it is empty."""
    service = await api.service("cart")
    path = f"/microservices/{service}/schemas"
    summary = "0123456789abcdefABCDEF" * 2
    await api.call("PUT", f"{path}/with", {"schema": "\u00fc: '\u2603'\n", "summary": summary}, 200)
    await api.call("PUT", f"{path}/without", {"schema": "x", "schemaId": "other", "serviceId": "other"}, 200)
    for name, expected in (("with", summary), ("without", "")):
        for target in (f"{path}/{name}", f"/existence?type=schema&serviceId={service}&schemaId={name}"):
            _, body, headers = await api.call("GET", target, None, 200)
            assert headers["X-Schema-Summary"] == expected  # type: ignore[call-overload, index]
            assert "summary" not in body  # type: ignore[operator]
    _, body, _ = await api.call("GET", f"{path}/with", None, 200)
    assert body == {"schema": "\u00fc: '\u2603'\n"}


async def test_an_upload_lists_the_schema_and_a_deletion_keeps_it_listed(api: Client) -> None:
    """Declared without content afterwards; the service's time of change is its own."""
    service = await api.service("cart")
    before = (await api.call("GET", f"/microservices/{service}", None, 200))[1]["service"]  # type: ignore[index]
    await api.call("PUT", f"/microservices/{service}/schemas/a", {"schema": "x"}, 200)
    after = (await api.call("GET", f"/microservices/{service}", None, 200))[1]["service"]  # type: ignore[index]
    assert after == {**before, "schemas": ["a"]}
    await api.call("DELETE", f"/microservices/{service}/schemas/a", None, 200)
    assert await _schemas(api, service, "?withSchema=1") == {"schemas": [{"schemaId": "a"}]}


@pytest.mark.parametrize("query", ["", "?withSchema=", "?withSchema=0", "?withSchema=%20"])
async def test_content_is_listed_on_demand_only(query: str, api: Client) -> None:
    service = await api.service("cart", schemas=["a"])
    await api.call("PUT", f"/microservices/{service}/schemas/b", {"schema": "x", "summary": "s"}, 200)
    assert await _schemas(api, service, query) == {"schemas": [{"schemaId": "a"}, {"schemaId": "b", "summary": "s"}]}


async def test_a_whole_set_replaces_all_or_nothing(api: Client) -> None:
    """One bad schema among good ones changes none."""
    service = await api.service("cart", schemas=["old"])
    path = f"/microservices/{service}/schemas"
    good = {"schemaId": "new", "schema": "x", "summary": "s"}
    status, body, _ = await api.call("POST", path, {"schemas": [good, {"schemaId": "bad", "schema": "x"}]})
    assert (status, body["errorCode"], body["detail"]) == (400, "400001", "Invalid request.")  # type: ignore[index]
    assert await _schemas(api, service) == {"schemas": [{"schemaId": "old"}]}
    await api.call("POST", path, {"schemas": [good]}, 200)
    assert await _schemas(api, service, "?withSchema=1") == {"schemas": [good]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/schemas", None),
        ("GET", "/schemas/a", None),
        ("PUT", "/schemas/a", {"schema": "x"}),
        ("POST", "/schemas", {"schemas": [{"schemaId": "a", "schema": "x", "summary": "s"}]}),
        ("DELETE", "/schemas/a", None),
        ("GET", "/tags", None),
        ("POST", "/tags", {"tags": {}}),
        ("PUT", "/tags/a?value=b", None),
        ("DELETE", "/tags/a", None),
        ("PUT", "/properties", {"properties": {}}),
    ],
)
async def test_an_unknown_service_has_neither(method: str, path: str, body: object, api: Client) -> None:
    status, answer, _ = await api.call(method, f"/microservices/nobody{path}", body)
    assert (status, answer["errorCode"]) == (400, "400012")  # type: ignore[index]


async def _tags(api: Client, service: str) -> Any:
    return (await api.call("GET", f"/microservices/{service}/tags", None, 200))[1]


async def test_posted_tags_replace_all(api: Client) -> None:
    """Despite the method; other members of objects are let be, and none is none."""
    service = await api.service("cart")
    path = f"/microservices/{service}/tags"
    await api.call("POST", path, {"tags": {"a": "x", "b": "y"}}, 200)
    await api.call("POST", path, {"tags": {"c": "z"}, "more": {"any": "text"}}, 200)
    assert await _tags(api, service) == {"tags": {"c": "z"}}
    await api.call("POST", path, {"tags": {}}, 200)
    assert await _tags(api, service) == {}


async def test_tags_are_deleted_all_or_none(api: Client) -> None:
    service = await api.service("cart")
    path = f"/microservices/{service}/tags"
    await api.call("POST", path, {"tags": {"a": "x", "b": "y", "c": "z"}}, 200)
    status, body, _ = await api.call("DELETE", f"{path}/a,none,b")
    assert (status, body["errorCode"]) == (400, "400018")  # type: ignore[index]
    assert body["detail"] == "Delete tags failed for this key none does not exist."  # type: ignore[index]
    assert await _tags(api, service) == {"tags": {"a": "x", "b": "y", "c": "z"}}
    await api.call("DELETE", f"{path}/a,b", None, 200)
    assert await _tags(api, service) == {"tags": {"c": "z"}}


@pytest.mark.parametrize(
    ("key", "value", "code"), [("none", "x", "400018"), ("a", "", "400001"), ("a", "1", "400001"), ("1", "x", "400001")]
)
async def test_a_tag_that_cannot_be_set_is_refused(key: str, value: str, code: str, api: Client) -> None:
    service = await api.service("cart")
    await api.call("POST", f"/microservices/{service}/tags", {"tags": {"a": "x"}}, 200)
    status, body, _ = await api.call("PUT", f"/microservices/{service}/tags/{key}?value={value}")
    assert (status, body["errorCode"]) == (400, code)  # type: ignore[index]
    assert await _tags(api, service) == {"tags": {"a": "x"}}


async def test_properties_are_replaced_as_a_whole(api: Client) -> None:
    """`framework` beside them, which Spring clients send, is let be."""
    service = await api.service("cart", properties={"a": "1"}, framework={"name": "f", "version": "1"})
    path = f"/microservices/{service}"
    sent = {"properties": {"b": "2", "empty": None}, "framework": {"name": "other", "version": "9"}}
    await api.call("PUT", f"{path}/properties", sent, 200)
    _, body, _ = await api.call("GET", path, None, 200)
    assert body["service"]["properties"] == {"b": "2", "empty": ""}  # type: ignore[index]
    assert body["service"]["framework"] == {"name": "f", "version": "1"}  # type: ignore[index]
    for nothing in ({}, {"properties": None}, {"properties": {}}):
        await api.call("PUT", f"{path}/properties", nothing, 200)
        _, body, _ = await api.call("GET", path, None, 200)
        assert "properties" not in body["service"]  # type: ignore[index]
