"""The client libraries, unmodified, where a server fails: one address of several, an engine that is killed and started again, TLS."""

from __future__ import annotations

import subprocess
from pathlib import Path

import aiohttp
import pytest

from tests.api.test_tls import Authority
from tests.engine import EngineProcess, eventually, running_engine
from tests.interop.programs import HERE, JAVA, assert_checked, go, java, nobody, tool, walk

pytestmark = pytest.mark.interop

JAVA_OUTAGE = {
    "several addresses: each call of the registry is answered",
    "several addresses: KIE leaves the one that fails",
    "several addresses: Config Center leaves the one that fails",
    "restart: registered before it",
    "restart: KIE tells of a change before it",
    "restart: Config Center tells of a change before it",
    "restart: discovery sees the provider before it",
    "restart: the library tells that heartbeats fail",
    "restart: what was discovered stays",
    "restart: heartbeats are taken again",
    "restart: it is the same instance",
    "restart: it is registered once",
    "restart: KIE tells of a change after it",
    "restart: Config Center tells of a change after it",
    "watch: it tells of an instance",
    "watch: the revision is another one",
    "watch: that one is not modified",
    "watch: discovery has it",
    "restart: discovery sees what is new",
    "restart: by pulls, for the watch does not come back",
    "shutdown: the status is taken",
    "shutdown: others see it",
    "shutdown: others see nobody at once",
}
CALLS_OVER_TLS = {
    "registers and beats",
    "finds itself",
    "reads its configuration",
    "the watch tells over wss",
    "an engine of an unknown authority is not trusted",
}
GO_OUTAGE = {
    "several addresses: each call is answered",
    "stop: a poll ends without a change",
    "stop: one that follows at once finds nobody, and is not cut off",
    "stop: after the start it polls as before",
    "restart: the library tells that a heartbeat fails",
    "restart: it tells that a poll fails",
    "restart: the heartbeat is taken again",
    "restart: find with the revision is not modified",
    "restart: who registers again is the same",
    "restart: it is registered once",
    "restart: a change ends a poll",
    "restart: the watch tells again",
    "shutdown: unregistering is taken",
    "shutdown: others see it at once",
    "shutdown: nothing changes by closing",
}
_STORE_PASSWORD = "waggle-test"


async def test_java_libraries_survive_a_failing_server_and_a_restart(tmp_path: Path) -> None:
    """service-center-client, config-kie-client and config-center-client 2.8.25: two addresses, one engine killed, a service's end."""
    command = await java("OutageCheck")
    async with running_engine(tmp_path / "data") as engine:
        with nobody() as address:
            steps = {"kill": engine.kill, "start": engine.start}
            outcome = await walk((*command, engine.url, f"http://{address}"), JAVA, 240, steps)
    assert_checked(outcome, JAVA_OUTAGE)


def _trusting(authority: Authority) -> str:
    """The path of a PKCS12 store that trusts an authority."""
    store = str(authority.folder / "trust.p12")
    words = ["-importcert", "-noprompt", "-alias", "ca", "-file", str(authority.certificate), "-keystore", store]
    store_words = ["-storetype", "PKCS12", "-storepass", _STORE_PASSWORD]
    subprocess.run([tool("keytool"), *words, *store_words], check=True, capture_output=True)
    return store


async def test_java_libraries_speak_tls(tmp_path: Path) -> None:
    """All four Java libraries, 2.8.25, with the peer checked: calls, uploads and the watch, and an authority they do not trust."""
    command = await java("TlsCheck")
    tool("openssl")
    authority = Authority(tmp_path / "ca")
    stores = [_trusting(authority), _trusting(Authority(tmp_path / "other"))]
    cert, key = authority.issue("engine")
    async with running_engine(tmp_path / "data", tls_cert=cert, tls_key=key) as engine:
        uploaded: list[int] = []

        async def look() -> None:
            url = f"{engine.url}/waggle/v1/monitor/instances?app=tls-java&service=own"
            async with aiohttp.ClientSession() as session, session.get(url, ssl=authority.context()) as answer:
                uploaded.extend(row["threads"] for row in (await answer.json())["instances"])

        outcome = await walk((*command, engine.url, *stores, _STORE_PASSWORD), JAVA, 120, {"uploaded": look})
    assert_checked(outcome, CALLS_OVER_TLS | {"reads Config Center"})
    assert uploaded == [23]


async def test_go_libraries_survive_a_failing_server_and_a_restart(tmp_path: Path) -> None:
    """sc-client v0.7.0 and kie-client v0.2.0: two addresses, an engine that is stopped, and one that is killed, a service's end."""
    folder = HERE / "go_outage"
    program = await go(folder, "outagecheck")
    async with running_engine(tmp_path / "data") as engine:
        with nobody() as address:

            async def stop() -> None:
                await eventually(lambda: _waits(engine))
                assert await engine.stop() == 0

            steps = {"kill": engine.kill, "start": engine.start, "stop": stop}
            command = (program, "outage", engine.url.removeprefix("http://"), address)
            # How often it looks whether its servers are there, in seconds; it is 25.
            outcome = await walk(command, folder, 120, steps, {"CHASSIS_SC_HEALTH_CHECK_INTERVAL": "1"})
    assert_checked(outcome, GO_OUTAGE)


async def _waits(engine: EngineProcess) -> bool:
    """Whether the engine has an open poll."""
    async with aiohttp.ClientSession() as session, session.get(f"{engine.url}/metrics") as answer:
        return "\nwaggle_config_polls 1.0" in await answer.text()


async def test_go_libraries_speak_tls(tmp_path: Path) -> None:
    """sc-client v0.7.0 and kie-client v0.2.0 with the peer checked: calls and the watch, and an authority they do not trust."""
    folder = HERE / "go_outage"
    program = await go(folder, "outagecheck")
    tool("openssl")
    trusted, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    cert, key = trusted.issue("engine")
    async with running_engine(tmp_path / "data", tls_cert=cert, tls_key=key) as engine:
        address = engine.url.removeprefix("https://")
        command = (program, "tls", address, str(trusted.certificate), str(other.certificate))
        outcome = await walk(command, folder, 120, {}, {"SSL_CERT_FILE": str(trusted.certificate)})
    assert_checked(outcome, CALLS_OVER_TLS)
