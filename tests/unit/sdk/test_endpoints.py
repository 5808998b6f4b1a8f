"""What an instance registers as its address."""

from __future__ import annotations

import ipaddress

import pytest

from governance.sdk import ServiceSettings
from governance.sdk.endpoints import own_address, published


@pytest.mark.parametrize(
    ("endpoint", "publish", "registered"),
    [
        ("10.0.0.7:8080", "", "rest://10.0.0.7:8080"),
        ("10.0.0.7:8080", "gateway", "rest://10.0.0.7:8080"),
        ("0.0.0.0:8080", "", "rest://192.0.2.1:8080"),
        ("0.0.0.0:8080", "gateway", "rest://gateway:8080"),
        ("*:8080", "", "rest://192.0.2.1:8080"),
        ("[::]:8080?sslEnabled=true", "2001:db8::1", "rest://[2001:db8::1]:8080?sslEnabled=true"),
        ("grpc://0.0.0.0:9090", "", "grpc://192.0.2.1:9090"),
    ],
)
def test_an_address_that_means_all_of_mine_is_replaced(endpoint: str, publish: str, registered: str) -> None:
    settings = ServiceSettings(name="c", endpoints=endpoint, publish_address=publish)  # type: ignore[arg-type]
    assert published(settings, lambda _: "192.0.2.1") == [registered]


def test_the_own_address_is_the_one_on_the_way_to_the_engine() -> None:
    assert own_address("http://127.0.0.1:30100") == "127.0.0.1"
    ipaddress.ip_address(own_address("http://192.0.2.1:30100"))
    assert own_address("http://no-such-host.invalid:30100") == "127.0.0.1"
