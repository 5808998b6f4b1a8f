"""Long lists of instances and interfaces over HTTP: searched, sorted and cut by the engine, so that nobody has to load them whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def upload(api: Client, number: int) -> None:
    """The document of an instance that is the busier the higher its number is."""
    interfaces = [
        {"name": "Provider.weather.w.show", "qps": number, "latency": 5 - number},
        {"name": "Provider.weather.w.list", "qps": 0.5},
    ]
    ids = {"serviceId": f"s{number}", "instanceId": f"i{number}", "instance": f"host-{number}"}
    document = {"appId": "mall", "name": "weather", "version": "1.0.0", **ids, "interfaces": interfaces}
    await api.call("POST", "/v2/default/csemonitor/metric", document, 200)


async def read(api: Client, what: str, expect: int = 200, /, **query: str) -> Any:
    """An answer about the client's own domain."""
    params = {"domain": str(api._headers["X-Domain-Name"]), **query}
    async with api.session.get(f"{api.url}/waggle/v1/monitor/{what}", params=params) as answer:
        assert answer.status == expect
        return await answer.json()


async def test_instances_are_sorted_cut_and_searched(api: Client) -> None:
    for number in (2, 1, 3):
        await upload(api, number)

    async def ids(**query: str) -> tuple[int, list[str]]:
        answer = await read(api, "instances", **query)
        return answer["total"], [one["instanceId"] for one in answer["instances"]]

    assert await ids(sort="rate") == (3, ["i1", "i2", "i3"])
    assert await ids(sort="rate", descending="true", limit="2") == (3, ["i3", "i2"])
    assert await ids(sort="latency", descending="true", offset="1", limit="1") == (3, ["i2"])
    assert await ids(sort="host", offset="3") == (3, [])
    assert await ids(q="HOST-3") == (1, ["i3"])
    assert await ids(q="nothing") == (0, [])
    assert sorted((await ids())[1]) == ["i1", "i2", "i3"]


async def test_interfaces_are_sorted_cut_and_searched(api: Client) -> None:
    for number in (2, 1, 3):
        await upload(api, number)
    answer = await read(api, "interfaces", sort="rate", descending="true", limit="2")
    assert answer["total"] == 6
    assert [(one["instanceId"], one["rate"]) for one in answer["interfaces"]] == [("i3", 3), ("i2", 2)]
    answer = await read(api, "interfaces", q="w.LIST", sort="instanceId")
    assert [one["instanceId"] for one in answer["interfaces"]] == ["i1", "i2", "i3"]


@pytest.mark.parametrize(
    "query", [{"sort": "colour"}, {"limit": "0"}, {"limit": "10001"}, {"offset": "-1"}, {"q": "x" * 129}], ids=str
)
async def test_what_no_list_can_be_cut_by_is_refused(api: Client, query: dict[str, str]) -> None:
    for what in ("instances", "interfaces"):
        assert (await read(api, what, 400, **query))["errorCode"] == "400001"


async def test_a_series_may_be_of_a_whole_application(api: Client) -> None:
    for number in (1, 2):
        await upload(api, number)
    points = (await read(api, "series", app="mall"))["points"]
    assert (points[-1]["rate"], points[-1]["instances"]) == (4, 2)
