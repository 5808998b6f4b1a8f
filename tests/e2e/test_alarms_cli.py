"""`waggle alarms` as an operator uses it, on an engine with a service that has lost its instances and a certificate that ends soon."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.alarmed import Alarmed
from tests.api.test_tls import Authority
from tests.engine import ROOT, client_of, running_engine


class Shell:
    """Runs commands against an engine."""

    def __init__(self, url: str, *options: str) -> None:
        self._options = ("--engine", url, *options)

    async def run(self, *words: str, status: int = 0, given: str = "") -> str:
        """What a command says; its standard input is `given`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "registry.cli",
            *words,
            *self._options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "400"},
        )
        said, wrong = await process.communicate(given.encode())
        assert process.returncode == status, (words, said, wrong)
        return (said + wrong).decode()

    async def json(self, *words: str) -> Any:
        """The JSON that a command prints."""
        return json.loads(await self.run(*words, "--json"))


async def test_an_operator_finds_acknowledges_and_silences_alarms_and_changes_rules(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data", alarm_seconds=0.05) as engine, client_of(engine.url) as client:
        shell, alarm = Shell(engine.url), await Alarmed(client).lonely("cart")
        listed = await shell.run("alarms", "list")
        assert alarm in listed
        assert "critical" in listed
        assert "acknowledged until it is over" in await shell.run("alarms", "ack", alarm, "--note", "looking")
        (row,) = [one for one in await shell.json("alarms", "list") if one["id"] == alarm]
        assert row["silenced"]["note"] == "looking"
        assert "@127.0.0.1" in row["silenced"]["by"]
        said = await shell.run("alarms", "set", "slow-cart", "--metric", "p99", "--above", "5", "--service", "cart")
        assert said == "rule slow-cart: p99 above 5.0, major\n"
        assert "slow-cart" in await shell.run("alarms", "rules")
        assert "slow/*" in await shell.run("alarms", "silence", "slow/*", "--hours", "2")
        found = await shell.run("audit", "--kind", "alarm,alarm-rule", "--contains", "cart")
        assert "instances-up of default/cart is 0, below 1" in found
        assert "slow-cart" in found


async def test_an_operator_sets_up_a_webhook_without_its_key_on_the_command_line(tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data") as engine:
        shell = Shell(engine.url)
        said = await shell.run("alarms", "webhook", "w", "http://127.0.0.1:1/t0ken", "--signed", given="n0body\n")
        assert said == "webhook w: http://127.0.0.1:1/…, signed, from warning on\n"
        assert "no connection" in await shell.run("alarms", "test", "w", status=1)
        shown = await shell.run("alarms", "webhooks")
        assert "t0ken" not in shown
        assert "n0body" not in shown


@pytest.mark.skipif(shutil.which("openssl") is None, reason="OPENSSL IS MISSING: no certificate that ends is tried")
async def test_a_certificate_that_ends_soon_is_told(tmp_path: Path) -> None:
    """It has two days: both rules are about it."""
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("engine")
    async with running_engine(tmp_path / "data", tls_cert=cert, tls_key=key, alarm_seconds=0.05) as engine:
        shell = Shell(engine.url.replace("http:", "https:"), "--ca", str(authority.certificate))
        async with asyncio.timeout(30):
            while not (rows := [one for one in await shell.json("alarms", "list") if "certificate" in one["rule"]]):
                pass
        assert {row["rule"] for row in rows} == {"certificate", "certificate-ends"}
        assert all(1 < row["value"] < 2 for row in rows)
