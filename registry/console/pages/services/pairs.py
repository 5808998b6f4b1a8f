"""Names and values as a person writes them: one pair a line, `name=value`."""

from __future__ import annotations

from collections.abc import Mapping


class PairsError(ValueError):
    """A line that is no pair: its number, from 1 on, and what is wrong, to be said with `line` and `name` filled in."""

    def __init__(self, text: str, line: int, name: str) -> None:
        self.text = text
        self.line = line
        self.name = name
        super().__init__(text)


NO_PAIR = "Line {line}: write name=value, not {name}"
TWICE = "Line {line}: {name} is there twice"


def pairs_in(text: str) -> dict[str, str]:
    """The pairs of a text; empty lines count for nothing. Raises `PairsError`."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name:
            raise PairsError(NO_PAIR, number, line.strip()[:60])
        if name in found:
            raise PairsError(TWICE, number, name)
        found[name] = value
    return found


def written(pairs: Mapping[str, str]) -> str:
    """Pairs as a person writes them."""
    return "\n".join(f"{name}={value}" for name, value in sorted(pairs.items()))
