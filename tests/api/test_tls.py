"""TLS and client certificates, on every port, with certificates made for the test. Every port answers every protocol."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.engine import EngineProcess, client_of, running_engine
from tests.raw import connect, request

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="OPENSSL IS MISSING: nothing was tried over TLS"
)
ROOT = "/v4/default/registry"


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.certificate = folder / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")

    def _openssl(self, *words: str) -> None:
        subject = ["-subj", "/CN=waggle-test-ca", "-keyout", str(self.folder / "ca.key"), "-out", str(self.certificate)]
        subprocess.run(["openssl", *words, *subject], check=True, capture_output=True)

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key for a name on 127.0.0.1."""
        key, asked, made = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.cnf"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key)]
        sign = ["-CA", str(self.certificate), "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial", "-days", "2"]
        for words in (
            ["req", *new_key, "-out", str(asked), "-subj", f"/CN={name}"],
            ["x509", "-req", "-in", str(asked), *sign, "-extfile", str(extensions), "-out", str(made)],
        ):
            subprocess.run(["openssl", *words], check=True, capture_output=True)
        return made, key

    def context(self, own: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """What a client needs that trusts this authority, with a certificate of its own or without."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        if own is not None:
            context.load_cert_chain(*own)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


def _free_ports(number: int) -> list[int]:
    """Ports that are free now."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


async def _status(url: str, context: ssl.SSLContext) -> int:
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as response:
        return response.status


@pytest.fixture
async def secured(authority: Authority, tmp_path: Path) -> AsyncIterator[EngineProcess]:
    """An engine with TLS and an extra port."""
    certificate, key = authority.issue("engine")
    (extra,) = _free_ports(1)
    settings = {"tls_cert": certificate, "tls_key": key, "kie_port": extra}
    async with running_engine(tmp_path / "data", **settings) as engine:
        yield engine


async def test_every_port_speaks_tls_and_the_engine_says_so(secured: EngineProcess, authority: Authority) -> None:
    """Finds, a websocket and an event stream go through; the endpoint that others find tells that it is secured."""
    assert [url.split(":")[0] for url in secured.urls] == ["https", "https"]
    context = authority.context()
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        for url in secured.urls:
            async with session.get(f"{url}{ROOT}/health") as response:
                (own,) = (await response.json())["instances"]
            assert own["endpoints"] == [secured.url.replace("https", "rest") + "/?sslEnabled=true"]
        async with session.ws_connect(f"{secured.url}{ROOT}/microservices/x/watcher") as watch:
            assert (await watch.receive(timeout=10)).data == "service does not exist"
        async with session.get(f"{secured.url}/waggle/v1/events") as events:
            assert await events.content.readline() == b": waggle\n"
        async with session.get(f"{secured.url}/v4/default/admin/clusters") as response:
            assert (await response.json())["clusters"]["default"] == [secured.url]


async def test_a_client_without_tls_gets_nowhere(secured: EngineProcess, authority: Authority) -> None:
    """Its connection is closed, and others go on."""
    async with connect(secured.port) as connection:
        connection.writer.write(request("GET", "/version"))
        assert await connection.closed()
    assert await _status(f"{secured.url}/version", authority.context()) == 200


async def test_old_protocol_versions_are_refused(secured: EngineProcess, authority: Authority) -> None:
    """Nothing below TLS 1.2."""
    old = authority.context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(aiohttp.ClientError):
        await _status(f"{secured.url}/version", old)
    assert await _status(f"{secured.url}/version", authority.context()) == 200


async def test_who_does_not_trust_the_authority_does_not_connect(secured: EngineProcess) -> None:
    """The engine presents the certificate that it was given."""
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await _status(f"{secured.url}/version", ssl.create_default_context())


async def test_client_certificates_are_demanded_where_that_is_set(authority: Authority, tmp_path: Path) -> None:
    """`tls_client_ca`: none, or one of another authority, is refused; one of this authority gets in."""
    certificate, key = authority.issue("strict-engine")
    stranger = Authority(tmp_path / "other").issue("client")
    friend = authority.issue("client")
    settings = {"tls_cert": certificate, "tls_key": key, "tls_client_ca": authority.certificate}
    async with running_engine(tmp_path / "data", **settings) as engine:
        for own in (None, stranger):
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await _status(f"{engine.url}/version", authority.context(own))
        assert await _status(f"{engine.url}/version", authority.context(friend)) == 200


@pytest.mark.parametrize("wrong", ["tls_cert", "tls_key", "tls_client_ca"])
@pytest.mark.parametrize("content", ["no certificate", None], ids=["broken", "missing"])
async def test_a_file_of_tls_that_cannot_be_used_is_named_in_one_line(
    tmp_path: Path, authority: Authority, wrong: str, content: str | None
) -> None:
    """Exit status 1, setting and file in the line, no traceback, and the data folder is not touched."""
    certificate, key = authority.issue(f"good-{wrong}-{content is None}")
    file = tmp_path / "wrong.pem"
    if content is not None:
        file.write_text(content)
    given = {"tls_cert": certificate, "tls_key": key, "tls_client_ca": authority.certificate, wrong: file}
    engine = EngineProcess(tmp_path / "data", **given)
    with pytest.raises(AssertionError, match="no ready line"):
        await engine.start()
    assert await engine.stop() == 1
    log = engine.log.read_text()
    assert "server.cannot_start" in log
    assert f"{wrong} {file}" in log
    assert "Traceback" not in log
    assert not engine.data_dir.exists()


async def test_every_port_answers_every_protocol(tmp_path: Path) -> None:
    """Registry, config centre, metrics and description on each; what is registered on one is found on another."""
    kie, config, monitor = _free_ports(3)
    settings = {"kie_port": kie, "config_port": config, "monitor_port": monitor}
    async with running_engine(tmp_path / "data", **settings) as engine:
        assert [int(url.rsplit(":", 1)[1]) for url in engine.urls] == [engine.port, kie, config, monitor]
        async with client_of(engine.url) as client:
            await client.instance(await client.service("cart"), instanceId="i")
        async with asyncio.TaskGroup() as tasks:
            for url in engine.urls:
                tasks.create_task(_answers_everything(url))


async def _answers_everything(url: str) -> None:
    async with client_of(url) as client:
        assert [row["instanceId"] for row in await client.find("cart")] == ["i"]
        for path in ("/v1/health", "/metrics", "/health/ready"):
            await client.call("GET", path, None, 200)
        async with client.session.get(f"{url}/openapi.json") as response:
            assert "/v4/{project}/registry/instances" in (await response.json())["paths"]
