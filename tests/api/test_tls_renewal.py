"""Certificates that are renewed while the engine runs: connections that are there go on, new ones get the new certificate."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.api.test_tls import Authority, _free_ports
from tests.engine import EngineProcess, eventually, running_engine
from tests.raw import RawConnection, request

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="OPENSSL IS MISSING: no renewed certificate was tried"
)
_ASKED = request("GET", "/version")


class Renewals:
    """The files that the engine reads, and the certificates that were put there."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "ca")
        self.cert, self.key = folder / "engine.pem", folder / "engine.key"
        self.names = 0

    def issue(self) -> tuple[bytes, bytes, int]:
        """A new certificate, its key, and its serial number."""
        self.names += 1
        cert, key = (path.read_bytes() for path in self.authority.issue(f"engine-{self.names}"))
        return cert, key, x509.load_pem_x509_certificate(cert).serial_number

    def renew(self) -> int:
        """Put a new certificate where the engine looks, as tools do: each file at once; its serial number."""
        cert, key, serial = self.issue()
        for path, content in ((self.cert, cert), (self.key, key)):
            self.replace(path, content)
        return serial

    def replace(self, path: Path, content: bytes) -> None:
        """Put another file in the place of one."""
        new = path.with_suffix(".new")
        new.write_bytes(content)
        new.replace(path)

    @contextlib.asynccontextmanager
    async def connect(self, port: int) -> AsyncIterator[tuple[RawConnection, int]]:
        """A connection, and the serial number of the certificate that it was shown."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=self.authority.context())
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        try:
            yield RawConnection(reader, writer), x509.load_der_x509_certificate(shown).serial_number
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def serial(self, port: int) -> int:
        """What a new connection is shown."""
        async with self.connect(port) as (connection, serial):
            assert (await connection.exchange(_ASKED)).status == 200
            return serial

    async def serials(self, engine: EngineProcess) -> set[int]:
        """What a new connection to each port is shown."""
        return {await self.serial(int(url.rsplit(":", 1)[1])) for url in engine.urls}


@pytest.fixture
def renewals(tmp_path: Path) -> Renewals:
    return Renewals(tmp_path)


@pytest.fixture
async def secured(renewals: Renewals, tmp_path: Path) -> AsyncIterator[tuple[EngineProcess, int]]:
    """An engine with two ports, and the serial number of its first certificate."""
    first = renewals.renew()
    (extra,) = _free_ports(1)
    settings = {"tls_cert": renewals.cert, "tls_key": renewals.key, "kie_port": extra}
    async with running_engine(tmp_path / "data", **settings) as engine:
        yield engine, first


async def _told(engine: EngineProcess, event: str, times: int = 1) -> None:
    async def logged() -> bool:
        return engine.log.read_text().count(event) >= times

    await eventually(logged)


async def test_a_renewed_certificate_is_noticed_and_connections_go_on(
    secured: tuple[EngineProcess, int], renewals: Renewals
) -> None:
    """Nobody is told anything: the changed files are enough. On every port."""
    engine, first = secured
    async with renewals.connect(engine.port) as (before, serial):
        assert serial == first
        second = renewals.renew()
        await _told(engine, "tls.renewed")
        assert await renewals.serials(engine) == {second} != {first}
        assert (await before.exchange(_ASKED)).status == 200
    assert engine.log.read_text().count("tls.renewed") == 1


async def test_a_signal_reads_the_files_at_once(secured: tuple[EngineProcess, int], renewals: Renewals) -> None:
    """SIGHUP, also where nothing has changed: that is told and hurts nobody."""
    engine, first = secured
    os.kill(engine.pid, signal.SIGHUP)
    await _told(engine, "tls.renewed")
    assert await renewals.serials(engine) == {first}
    async with renewals.connect(engine.port) as (before, _):
        second = renewals.renew()
        os.kill(engine.pid, signal.SIGHUP)
        await _told(engine, "tls.renewed", 2)
        assert await renewals.serials(engine) == {second}
        assert (await before.exchange(_ASKED)).status == 200


@pytest.mark.parametrize("content", [b"no certificate", b"", None], ids=["broken", "empty", "missing"])
async def test_a_file_that_cannot_be_used_is_refused_and_the_old_one_stays(
    content: bytes | None, secured: tuple[EngineProcess, int], renewals: Renewals
) -> None:
    """One line of the log names the setting and the file; the next one that is in order counts."""
    engine, first = secured
    if content is None:
        renewals.cert.unlink()
    else:
        renewals.replace(renewals.cert, content)
    await _told(engine, "tls.refused")
    assert await renewals.serials(engine) == {first}
    assert f"tls_cert {renewals.cert}" in engine.log.read_text()
    second = renewals.renew()
    await _told(engine, "tls.renewed")
    assert await renewals.serials(engine) == {second}
    assert engine.log.read_text().count("tls.refused") == 1


async def test_a_certificate_whose_key_comes_later_waits_for_it(
    secured: tuple[EngineProcess, int], renewals: Renewals
) -> None:
    """A certificate without its key is never half taken: connections go on being made with the old pair."""
    engine, first = secured
    cert, key, serial = renewals.issue()
    renewals.replace(renewals.cert, cert)
    await _told(engine, "tls.refused")
    assert await renewals.serials(engine) == {first}
    renewals.replace(renewals.key, key)
    await _told(engine, "tls.renewed")
    assert await renewals.serials(engine) == {serial}


async def test_authorities_of_clients_are_renewed_too(renewals: Renewals, tmp_path: Path) -> None:
    """Who had a certificate of the former authority is refused from then on, and the new one's clients get in."""
    renewals.renew()
    former, later = (Authority(tmp_path / name) for name in ("former", "later"))
    authorities = tmp_path / "clients.pem"
    shutil.copy(former.certificate, authorities)
    settings = {"tls_cert": renewals.cert, "tls_key": renewals.key, "tls_client_ca": authorities}
    own = {authority: authority.issue("client") for authority in (former, later)}
    async with running_engine(tmp_path / "data", **settings) as engine:

        async def enters(authority: Authority) -> bool:
            context = renewals.authority.context(own[authority])
            reader, writer = await asyncio.open_connection("127.0.0.1", engine.port, ssl=context)
            writer.write(_ASKED)
            answer = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                answer = await asyncio.wait_for(reader.readline(), 15)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            return answer.startswith(b"HTTP/1.1 200")

        assert (await enters(former), await enters(later)) == (True, False)
        renewals.replace(authorities, later.certificate.read_bytes())
        await _told(engine, "tls.renewed")
        assert (await enters(former), await enters(later)) == (False, True)


async def test_without_tls_a_hang_up_ends_the_engine_as_ever(tmp_path: Path) -> None:
    """There is nothing to renew: a terminal that is closed ends what runs in it."""
    async with running_engine(tmp_path / "data") as engine:
        os.kill(engine.pid, signal.SIGHUP)
        assert engine.process is not None
        async with asyncio.timeout(15):
            assert await engine.process.wait() == -signal.SIGHUP
