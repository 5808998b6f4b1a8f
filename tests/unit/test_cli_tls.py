"""The looking commands at an engine that has a certificate and wants one of its clients."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from click.testing import Result
from typer.testing import CliRunner

from registry.cli.app import app
from tests.engine import EngineProcess, running_engine


async def _openssl(command: str, folder: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("openssl", *command.split(), cwd=folder, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates of an engine and of a client, each its own authority, and the client's in one file, too."""
    if not shutil.which("openssl"):
        pytest.skip("OPENSSL IS MISSING: the commands were not tried with certificates")
    folder = tmp_path_factory.mktemp("certificates")
    for name, names in (("engine", " -addext subjectAltName=IP:127.0.0.1"), ("client", "")):
        subject = f"-subj /CN={name}.example -days 1{names}"
        await _openssl(f"req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem {subject}", folder)
    whole = (folder / "client.pem").read_text() + (folder / "client.key").read_text()
    (folder / "whole.pem").write_text(whole)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """An engine that lets in only who has the client's certificate."""
    files = {"tls_cert": "engine.pem", "tls_key": "engine.key", "tls_client_ca": "client.pem"}
    settings = {name: certificates / file for name, file in files.items()}
    async with running_engine(tmp_path_factory.mktemp("engine") / "data", **settings) as started:
        yield started


async def _services(engine: EngineProcess, *options: str | Path) -> Result:
    words = ["services", "--engine", engine.url, *map(str, options)]
    return await asyncio.to_thread(CliRunner().invoke, app, words, env={"COLUMNS": "200"})


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "files", [("--client-cert", "client.pem", "--client-key", "client.key"), ("--client-cert", "whole.pem")]
)
@pytest.mark.parametrize("trust", [("--ca", "engine.pem"), ("--insecure",)])
async def test_a_client_with_a_certificate_is_let_in(
    engine: EngineProcess, certificates: Path, files: tuple[str, ...], trust: tuple[str, ...]
) -> None:
    options = [word if word.startswith("--") else certificates / word for word in (*files, *trust)]
    shown = await _services(engine, *options)
    assert shown.exit_code == 0, shown.stderr
    assert "SERVICECENTER" in shown.stdout


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_without_a_certificate_is_told_what_it_needs(engine: EngineProcess, certificates: Path) -> None:
    shown = await _services(engine, "--ca", certificates / "engine.pem")
    assert shown.exit_code == 3
    expected = f"no answer from the engine at {engine.url}: it closed the connection; does it require a client certificate (--client-cert)?"
    assert shown.stderr == f"waggle: {expected}\n"


@pytest.mark.asyncio(loop_scope="module")
async def test_an_engine_of_an_unknown_authority_is_not_trusted(engine: EngineProcess, certificates: Path) -> None:
    shown = await _services(engine, "--client-cert", certificates / "whole.pem")
    assert shown.exit_code == 3
    assert "its certificate is not trusted" in shown.stderr


@pytest.mark.asyncio(loop_scope="module")
async def test_a_certificate_that_cannot_be_used_is_a_usage_error(engine: EngineProcess, certificates: Path) -> None:
    shown = await _services(
        engine, "--client-cert", certificates / "client.pem", "--client-key", certificates / "engine.key"
    )
    assert shown.exit_code == 2
    names = f"--client-cert {certificates / 'client.pem'} with --client-key {certificates / 'engine.key'}"
    assert shown.stderr == f"waggle: {names} has no certificate that can be used\n"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_needs_a_certificate(engine: EngineProcess, certificates: Path) -> None:
    shown = await _services(engine, "--client-key", certificates / "client.key")
    assert shown.exit_code == 2
    assert "--client-key needs --client-cert" in shown.stderr
