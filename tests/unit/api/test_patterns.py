"""No text makes a pattern think for long: every pattern of the engine is tried on the texts that trap careless ones."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import registry
from registry.api.service_center import shapes
from registry.api.shapes import Member, Rule, Shape

LENGTH = 20_000
PATIENCE = 60
PIECES = [
    "a",
    "A0",
    "1",
    "1.",
    ".",
    "-",
    "1.1.",
    "a-",
    "_",
    " ",
    "\t",
    "testing",
    "production",
    "SDK",
    "SDKSIDECAR",
    "/",
    "%",
    "&amp;",
    "é",
]
ENDS = ["", "!", "\n", "\x00", " "]


def _of_rules(value: object) -> Iterator[Rule]:
    match value:
        case Rule():
            yield value
        case Shape():
            for member in value.members:
                yield from _of_rules(member)
        case Member():
            yield value.rule
            if value.shape is not None:
                yield from _of_rules(value.shape)


def _of_modules() -> Iterator[tuple[re.Pattern[str], str]]:
    """Every compiled text pattern that a module of the engine keeps, with each method that the module calls on it."""
    for found in pkgutil.walk_packages(registry.__path__, "registry."):
        if "__main__" in found.name:
            continue
        module = importlib.import_module(found.name)
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                yield from ((value, method) for method in re.findall(rf"\b{name}\.(\w+)\(", source))


def uses() -> set[tuple[re.Pattern[str], str]]:
    """The patterns of the engine and how it uses them; those of the rules of bodies are matched whole."""
    rules = [rule for value in vars(shapes).values() for rule in _of_rules(value)]
    whole = {(rule.pattern, "fullmatch") for rule in rules if rule.pattern is not None}
    return whole | set(_of_modules())


def slow_ones() -> list[str]:
    """The patterns that take longer for a long text than a thousand times what a linear one takes."""
    slow = []
    for (pattern, method), piece, end in itertools.product(uses(), PIECES, ENDS):
        text = piece * (LENGTH // len(piece)) + end
        arguments = ("", text) if method in ("sub", "subn") else (text,)
        started = time.process_time()
        result = getattr(pattern, method)(*arguments)
        if method == "finditer":
            list(result)
        if time.process_time() - started > 0.3:
            slow.append(f"{method} of {pattern.pattern!r} on {piece!r}… {end!r}")
    return slow


def test_no_pattern_takes_more_than_linear_time() -> None:
    """Even a text far longer than any that is let through; a pattern that never ends is a failure, not a hang."""
    code = f"from {__name__} import slow_ones; print(*slow_ones(), sep=chr(10))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_the_patterns_are_found() -> None:
    """The search above would pass by finding nothing."""
    found = {pattern.pattern for pattern, _ in uses()}
    assert {shapes.VERSION_RULE.pattern.pattern, shapes.TAG_RULE.pattern.pattern} <= found  # type: ignore[union-attr]
    assert len(found) > 20


def test_a_careless_pattern_would_be_caught() -> None:
    """The texts do trap what backtracks, even on a short one."""
    text = "a" * 22 + "!"
    started = time.process_time()
    re.compile(r"(a+)+").fullmatch(text)
    assert time.process_time() - started > 0.01
