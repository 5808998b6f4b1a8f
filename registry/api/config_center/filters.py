"""`keyFilter`: which keys a client wants, as a regular expression. Protocol: Config Center section B.3.

A pattern from outside must not be able to keep the engine busy, so only a part of the language is known, which is matched in a time that
grows with the key alone: characters, `.`, `.*`, `.+`, a backslash before a sign, `^`, `$`, and `|` between alternatives. Like Go's, an
expression without `^` and `$` is looked for anywhere in the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from registry.errors import ConfigError

_LONGEST = 256
_PIECE = re.compile(r"\\[^a-zA-Z0-9]|\.[*+]?|[^\\.*+?()\[\]{}^$|]")


def key_filter(pattern: str) -> Callable[[str], bool]:
    """A test of keys. Raises 400001 for an expression that is not known."""
    if len(pattern) > _LONGEST:
        raise ConfigError(400001, f"keyFilter has at most {_LONGEST} characters")
    tests = [re.compile(_translated(alternative), re.DOTALL) for alternative in re.split(r"(?<!\\)\|", pattern)]
    return lambda key: any(test.match(key) for test in tests)


def _translated(alternative: str) -> str:
    """The alternative as a pattern from the key's begin: a fixed run after a `.*` is taken where it is first found, and never again."""
    anchored, ended = alternative.startswith("^"), re.search(r"(?<!\\)\$$", alternative)
    first, *runs = _runs(alternative[anchored : -1 if ended else None], anchored=anchored)
    last = f".*{runs.pop()}" if runs and ended else ""
    return first + "".join(f"(?>.*?{run})" for run in runs) + last + (r"\Z" if ended else "")


def _runs(body: str, *, anchored: bool) -> list[str]:
    """The patterns of fixed length that `.*` stands between."""
    pieces = _PIECE.findall(body)
    if "".join(pieces) != body:
        raise ConfigError(400001, r"keyFilter: only characters, . .* .+ ^ $ | and \ before a sign are known")
    runs = [""] if anchored else ["", ""]
    for piece in pieces:
        if piece in (".*", ".+"):
            runs[-1] += "." * piece.count("+")
            runs.append("")
        else:
            runs[-1] += "." if piece == "." else re.escape(piece[-1])
    return runs
