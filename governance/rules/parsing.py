"""Where a text breaks the rules of its format: the one position that values and files of configuration are talked about with."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text. Both count from 1; columns are characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class Places:
    """The places of a text's characters by their offset."""

    def __init__(self, text: str) -> None:
        self._begins = [0, *(found.end() for found in re.finditer("\n", text))]

    def at(self, offset: int) -> Position:
        """The place of the character at an offset."""
        line = bisect_right(self._begins, offset)
        return Position(line, offset - self._begins[line - 1] + 1)


def whole_characters(text: str) -> str:
    """Java's characters are halves of UTF-16: two escapes may be one character. A half alone is replaced, as Java does on the wire."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class ParseError(ValueError):
    """A text that does not parse: where, and what is wrong there."""

    def __init__(self, at: Position, why: str) -> None:
        self.at = at
        self.why = why
        super().__init__(f"{at}: {why}")
