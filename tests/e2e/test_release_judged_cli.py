"""`waggle release gray --steps` ends when the engine takes the release back, and `list` and `show` say why."""

from __future__ import annotations

import asyncio
import os
import sys

import aiohttp

from tests.api.test_outcomes import Consumer
from tests.engine import ROOT, EngineProcess


async def test_steps_end_when_a_bound_breaks(engine: EngineProcess) -> None:
    async with aiohttp.ClientSession() as session:
        shop = Consumer(session, engine.url)
        await shop.register()
        where = ("--engine", engine.url, "--project", shop.gray.project)

        async def command(*words: str) -> asyncio.subprocess.Process:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "registry.cli", "release", words[0], *where, *words[1:]),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=ROOT,
                env={**os.environ, "COLUMNS": "300"},
            )

        bounds = ("--max-error-rate", "5", "--max-latency", "200", "--min-calls", "30")
        words = ("gray", "weather", "--version", "2.0.0", *bounds, "--steps", "5,50,100", "--interval", "600")
        steps = await command(*words)
        try:
            assert steps.stdout is not None
            line = b""
            async with asyncio.timeout(30):
                while b"5 % to 2.0.0" not in line:
                    line = await steps.stdout.readline()
                    assert line, "the first step was not told"
            one = await shop.now()
            assert (one["maxErrorRate"], one["maxLatency"], one["minCalls"]) == (5, 200, 30)
            assert await shop.tell(shop.report(40, 10)) == (True, ["weather"])
            async with asyncio.timeout(30):
                _, said = await steps.communicate()
        finally:
            if steps.returncode is None:
                steps.kill()
                await steps.wait()
        assert steps.returncode == 1
        reason = (await shop.now())["reason"]
        assert "so the steps end at 5 %: now all to 1.0.0 (rolled back)" in said.decode()
        assert reason in said.decode()
        for words in (("list",), ("show", "weather")):
            told, _ = await (await command(*words)).communicate()
            assert reason in told.decode()
