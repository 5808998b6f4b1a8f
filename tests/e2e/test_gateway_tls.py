"""The edge speaks TLS, to clients and to servers, with certificates made for the test."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import aiohttp
import pytest

from tests.api.test_tls import Authority
from tests.e2e.gateways import gateway_inside, server_of, telling
from tests.e2e.test_gateway import to

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="OPENSSL IS MISSING: nothing was tried over TLS"
)


def serving(own: tuple[Path, Path]) -> ssl.SSLContext:
    """What a server needs that shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*own)
    return context


async def test_tls_to_clients_and_to_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path / "ca")
    cert, key = own = authority.issue("edge")
    tls = f"tls: {{cert: {cert}, key: {key}}}\n"
    async with server_of(telling, serving(own)) as url, gateway_inside(to(url) + tls) as gateway:
        address = f"https://localhost:{gateway.port}/"
        async with aiohttp.ClientSession() as session:
            async with session.get(address, ssl=authority.context()) as answer:
                assert answer.status == 502, "nobody vouches for the server's certificate"
            monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    async with server_of(telling, serving(own)) as url, gateway_inside(to(url) + tls) as gateway:
        address = f"https://localhost:{gateway.port}/"
        async with aiohttp.ClientSession() as session, session.get(address, ssl=authority.context()) as answer:
            assert answer.status == 200
            told = dict((await answer.json())["headers"])
    assert told["X-Forwarded-Proto"] == "https"
    assert told["Host"] == url.removeprefix("https://")


async def test_a_certificate_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.pem"
    with pytest.raises(ExceptionGroup) as raised:
        async with gateway_inside(to("http://127.0.0.1:1") + f"tls: {{cert: {nowhere}}}\n"):
            pass
    assert "nowhere.pem" in str(raised.value.exceptions[0])
