"""The image's parts as tests need them: the Dockerfile as instructions, and its health check as a command."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from registry.settings import PREFIX
from tests.engine import ROOT

DOCKER = ROOT / "docker"
Instruction = tuple[str, str]


def _instructions() -> list[Instruction]:
    text = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


INSTRUCTIONS = _instructions()
_STARTS = [number for number, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM"]
CONSOLE, BUILD = (INSTRUCTIONS[start:end] for start, end in itertools.pairwise(_STARTS))
FINAL = INSTRUCTIONS[_STARTS[-1] :]
"""The instructions of the stage that builds the console, of that which builds the engine, and of the one that becomes the image."""


def only(word: str, stage: Sequence[Instruction] = FINAL) -> str:
    """The arguments of an instruction that a stage has once."""
    found = [rest for name, rest in stage if name == word]
    assert len(found) == 1, f"{word} is there {len(found)} times"
    return found[0]


def copied(stage: Sequence[Instruction] = INSTRUCTIONS) -> list[str]:
    """What a stage copies from the project."""
    commands = [rest.split() for word, rest in stage if word == "COPY"]
    return [source for words in commands if not words[0].startswith("--from=") for source in words[:-1]]


async def run_health(*arguments: str, python: str | Path = sys.executable, **environment: str) -> tuple[int, str]:
    """Exit status and words of the health check."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    process = await asyncio.create_subprocess_exec(
        python, DOCKER / "health.py", *arguments, env={**clean, **environment}, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        _, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
