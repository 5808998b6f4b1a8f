"""Many at once: heartbeats, finds, statuses and deletions, each answered on its own. Protocol: sections 5.5, 7.4, 7.7 and 7.10."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = {"max_answer_bytes": 100_000}
GONE = "Instance does not exist(leaseId not exist, instance not exist)"


class Shop:
    """Two providers with two instances each, and a consumer."""

    def __init__(self, api: Client) -> None:
        self.api = api

    async def open(self) -> None:
        """Register all."""
        self.consumer = await self.api.service("consumer")
        self.cart = await self.api.service("cart", alias="trolley")
        self.stock = await self.api.service("stock")
        for owner, name in ((self.cart, "c"), (self.stock, "s")):
            for number in (1, 2):
                await self.api.instance(owner, instanceId=f"{name}{number}", properties={"lane": f"l{number}"})

    async def batch(self, consumer: str = "", **parts: object) -> Any:
        """The answer of a batch find."""
        headers = {"X_ConsumerId": consumer} if consumer else {}
        return (await self.api.call("POST", "/instances/action?type=query", parts, 200, **headers))[1]

    async def statuses(self) -> dict[str, str]:
        """The status of every instance."""
        rows = [*await self.api.find("cart"), *await self.api.find("stock")]
        return {str(row["instanceId"]): str(row["status"]) for row in rows}


@pytest_asyncio.fixture(name="shop", loop_scope="module")
async def _shop(api: Client) -> Shop:
    shop = Shop(api)
    await shop.open()
    return shop


def _service(name: str, rev: str = "", **more: str) -> dict[str, object]:
    return {"service": {"appId": "default", "serviceName": name, **more}, **({"rev": rev} if rev else {})}


async def test_a_batch_of_heartbeats_says_which_failed(api: Client, shop: Shop) -> None:
    """Always 200; each pair once, in the order of the request; wrong ids fail alone, whatever they look like."""
    beats = [
        {"serviceId": shop.cart, "instanceId": "c1"},
        {"serviceId": shop.cart, "instanceId": "s1"},
        {"serviceId": shop.cart, "instanceId": "c1"},
        {"serviceId": "nobody", "instanceId": "c1"},
        {"serviceId": "", "instanceId": "c1"},
        {"instanceId": "a/b \u2603"},
        {},
        {"serviceId": shop.stock, "instanceId": "s2", "more": 1},
    ]
    _, body, _ = await api.call("PUT", "/heartbeats", {"instances": beats}, 200)
    assert body == {
        "instances": [
            {"serviceId": shop.cart, "instanceId": "c1"},
            {"serviceId": shop.cart, "instanceId": "s1", "errMessage": GONE},
            {"serviceId": "nobody", "instanceId": "c1", "errMessage": GONE},
            {"instanceId": "c1", "errMessage": GONE},
            {"instanceId": "a/b \u2603", "errMessage": GONE},
            {"errMessage": GONE},
            {"serviceId": shop.stock, "instanceId": "s2"},
        ]
    }


async def test_a_batch_that_is_repeated_tells_of_an_instance_that_has_left(api: Client, shop: Shop) -> None:
    """Also on the hot path, which answers repeated batches."""
    beats = {"instances": [{"serviceId": shop.cart, "instanceId": name} for name in ("c1", "c2")]}
    for _ in range(3):
        assert "errMessage" not in str((await api.call("PUT", "/heartbeats", beats, 200))[1])
    await api.call("DELETE", f"/microservices/{shop.cart}/instances/c2", None, 200)
    _, body, _ = await api.call("PUT", "/heartbeats", beats, 200)
    assert body["instances"][1] == {"serviceId": shop.cart, "instanceId": "c2", "errMessage": GONE}  # type: ignore[index]


async def test_a_batch_find_sorts_its_items_into_updated_unchanged_and_failed(shop: Shop) -> None:
    """By index; failures of one code are one entry with the first one's text."""
    first = await shop.batch(services=[_service("cart")])
    (updated,) = first["services"]["updated"]
    assert updated["index"] == 0
    assert {row["instanceId"] for row in updated["instances"]} == {"c1", "c2"}
    answer = await shop.batch(
        shop.consumer,
        services=[
            _service("none"),
            _service("cart", updated["rev"]),
            _service("stock", "old"),
            _service("gone"),
            _service("cart", environment="testing"),
        ],
    )
    services = answer["services"]
    assert services["notModified"] == [1]
    assert [(row["index"], len(row["instances"])) for row in services["updated"]] == [(2, 2), (4, 2)]
    (failed,) = services["failed"]
    assert failed["indexes"] == [0, 3]
    assert failed["error"]["errorCode"] == "400012"
    assert failed["error"]["detail"].startswith("Micro-service does not exist(Consumer[")
    assert "[/default/none]" in failed["error"]["detail"]
    assert "instances" not in answer


async def test_a_batch_find_of_nothing_to_show_has_no_list(api: Client, shop: Shop) -> None:
    """Index and revision are there nevertheless."""
    await api.service("empty")
    assert await shop.batch(services=[_service("empty")]) == {
        "services": {"updated": [{"index": 0, "rev": "97784746be9a2d00f08bc72fe1ce5ff8c7d07ffe"}]}
    }


async def test_a_batch_find_knows_no_aliases(shop: Shop) -> None:
    """As with the original; a single find does."""
    answer = await shop.batch(services=[_service("trolley"), _service("cart")])
    assert answer["services"]["failed"][0]["indexes"] == [0]
    assert [row["index"] for row in answer["services"]["updated"]] == [1]


async def test_instances_are_found_in_a_batch_beside_services(shop: Shop) -> None:
    """Unknown services and unknown instances are two failures."""
    wanted = [(shop.cart, "c1"), (shop.cart, "none"), ("nobody", "c1"), (shop.stock, "s1")]
    items = [{"instance": {"serviceId": owner, "instanceId": name}} for owner, name in wanted]
    answer = await shop.batch(shop.consumer, services=[_service("cart")], instances=items)
    found = answer["instances"]
    assert [(row["index"], row["instances"][0]["instanceId"]) for row in found["updated"]] == [(0, "c1"), (3, "s1")]
    assert {row["error"]["errorCode"]: row["indexes"] for row in found["failed"]} == {"400017": [1], "400012": [2]}
    rev = found["updated"][0]["rev"]
    again = await shop.batch(instances=[{**items[0], "rev": rev}])
    assert again == {"instances": {"notModified": [0]}}
    assert len(answer["services"]["updated"]) == 1


async def test_an_unknown_consumer_fails_every_item(shop: Shop) -> None:
    answer = await shop.batch("nobody", services=[_service("cart"), _service("stock")])
    assert [row["indexes"] for row in answer["services"]["failed"]] == [[0, 1]]


async def test_a_batch_find_records_what_the_consumer_depends_on(api: Client, shop: Shop) -> None:
    await shop.batch(shop.consumer, services=[_service("cart"), _service("none"), _service("stock")])
    _, body, _ = await api.call("GET", f"/microservices/{shop.consumer}/providers", None, 200)
    assert [row["serviceName"] for row in body["providers"]] == ["cart", "stock"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ({"matches": {"properties": {"lane": "l1"}}, "status": "DOWN"}, {"c1", "s1"}),
        ({"matches": {"properties": {"lane": "l1", "none": "x"}}, "status": "DOWN"}, set()),
        ({"matches": {}, "status": "OUTOFSERVICE"}, {"c1", "c2", "s1", "s2"}),
        ({"status": "TESTING"}, {"c1", "c2", "s1", "s2"}),
    ],
)
async def test_a_status_is_set_on_all_that_match(
    body: dict[str, Any], changed: set[str], api: Client, shop: Shop
) -> None:
    """Every pair must match, no pairs match all; the time of change stays, as with the original."""
    before = {str(row["instanceId"]): row["modTimestamp"] for row in await api.find("cart")}
    await api.call("PUT", "/instances/status", body, 200)
    assert {name for name, status in (await shop.statuses()).items() if status == body["status"]} == changed
    assert {str(row["instanceId"]): row["modTimestamp"] for row in await api.find("cart")} == before


async def test_the_engine_itself_keeps_its_status(default_api: Client) -> None:
    """The original takes itself out of service too."""
    await default_api.call("PUT", "/instances/status", {"status": "DOWN"}, 200)
    assert {row["status"] for row in await default_api.find("SERVICECENTER")} == {"UP"}


async def test_a_batch_deletion_says_what_became_of_each(api: Client, shop: Shop) -> None:
    """Twice the same id is once; what cannot be deleted stays; by force it goes."""
    ids = [shop.consumer, shop.cart, "nobody", shop.consumer]
    _, body, _ = await api.call("DELETE", "/microservices", {"serviceIds": ids}, 200)
    assert body == {
        "services": [
            {"serviceId": shop.consumer},
            {
                "errMessage": "Micro-service has deployed instance(s)(Can not delete the service deployed instance(s).)",
                "serviceId": shop.cart,
            },
            {"errMessage": "Micro-service does not exist(Service does not exist.)", "serviceId": "nobody"},
        ]
    }
    _, body, _ = await api.call("DELETE", "/microservices", {"serviceIds": [shop.cart], "force": True}, 200)
    assert body == {"services": [{"serviceId": shop.cart}]}
    assert (await api.call("GET", "/instances?appId=default&serviceName=cart"))[0] == 400


async def test_the_engine_cannot_be_deleted(default_api: Client) -> None:
    _, body, _ = await default_api.call("GET", "/health", None, 200)
    own = body["instances"][0]["serviceId"]  # type: ignore[index]
    status, refused, _ = await default_api.call("DELETE", f"/microservices/{own}?force=1")
    assert (status, refused["errorCode"], refused["detail"]) == (400, "400001", "not allow to delete service center")  # type: ignore[index]
    _, body, _ = await default_api.call("DELETE", "/microservices", {"serviceIds": [own], "force": True}, 200)
    assert "not allow" in body["services"][0]["errMessage"]  # type: ignore[index]


async def test_long_batches_are_refused_whole(api: Client, shop: Shop) -> None:
    """Nobody's heartbeats wait for one request: 1,000 finds, 10,000 heartbeats, 1,000 instances with a service."""
    beats = [{"serviceId": shop.cart, "instanceId": f"x{number}"} for number in range(10_001)]
    many = {"service": {"serviceName": "many"}, "instances": [{"hostName": "h"}] * 1001}
    for method, path, body in (
        ("PUT", "/heartbeats", {"instances": beats}),
        ("POST", "/instances/action?type=query", {"services": [_service("none")] * 1001}),
        ("POST", "/microservices", many),
    ):
        status, answer, _ = await api.call(method, path, body)
        assert (status, answer["errorCode"]) == (400, "400001"), path  # type: ignore[index]
    await api.call("PUT", "/heartbeats", {"instances": beats[1:]}, 200)
    assert await api.find("many") == []


async def test_a_batch_find_that_would_answer_too_much_is_refused(api: Client, shop: Shop) -> None:
    """`max_answer_bytes`: a short request can ask for the same list a thousand times. One that is unchanged costs nothing."""
    answer = await shop.batch(services=[_service("cart")] * 100)
    assert len(answer["services"]["updated"]) == 100
    rev = answer["services"]["updated"][0]["rev"]
    status, body, _ = await api.call("POST", "/instances/action?type=query", {"services": [_service("cart")] * 1000})
    assert (status, body["errorCode"]) == (400, "400001")  # type: ignore[index]
    assert "larger than 100000 bytes" in body["detail"]  # type: ignore[index]
    again = await shop.batch(services=[_service("cart", rev)] * 1000)
    assert len(again["services"]["notModified"]) == 1000
