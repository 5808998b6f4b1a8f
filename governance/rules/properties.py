"""Java properties, read as `java.util.Properties.load` reads them, with the place of every key."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from governance.rules.parsing import ParseError, Position, whole_characters

_BREAK = re.compile(r"\r\n|\r|\n")
_BLANKS = " \t\f"
_KEY = re.compile(r"(?:\\.|[^\\=: \t\f])*")
_SEPARATOR = re.compile(r"[ \t\f]*[=:]?[ \t\f]*")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_MEANINGS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Property:
    """One key with its value, and where the key begins."""

    key: str
    value: str
    at: Position


@dataclass(slots=True)
class _Line:
    """A logical line: the natural lines that backslashes join, and the offset and place at which each begins."""

    parts: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    places: list[Position] = field(default_factory=list)
    length: int = 0

    def add(self, text: str, place: Position) -> None:
        """Join a natural line."""
        self.parts.append(text)
        self.offsets.append(self.length)
        self.places.append(place)
        self.length += len(text)

    def place(self, offset: int) -> Position:
        """Where the character at an offset stands."""
        index = bisect_right(self.offsets, offset) - 1
        begin = self.places[index]
        return Position(begin.line, begin.column + offset - self.offsets[index])


def parse_properties(text: str) -> Sequence[Property]:
    """All properties in their order; the last of a key counts. Raises `ParseError`."""
    return [_property(line) for line in _lines(text)]


def _lines(text: str) -> Iterator[_Line]:
    """The logical lines. A comment is no part of one, but what a backslash joins may begin like a comment."""
    line = _Line()
    for number, natural in enumerate(_BREAK.split(text), 1):
        rest = natural.lstrip(_BLANKS)
        if not line.length and (not rest or rest[0] in "#!"):
            continue
        goes_on = (len(rest) - len(rest.rstrip("\\"))) % 2 == 1
        line.add(rest[:-1] if goes_on else rest, Position(number, len(natural) - len(rest) + 1))
        if not goes_on:
            yield line
            line = _Line()
    if line.length:
        yield line


def _property(line: _Line) -> Property:
    text = "".join(line.parts)
    key = _KEY.match(text)
    assert key is not None  # noqa: S101  it matches the empty text too
    separator = _SEPARATOR.match(text, key.end())
    assert separator is not None  # noqa: S101  so does this
    value = _unescaped(line, text[separator.end() :], separator.end())
    return Property(_unescaped(line, key[0], 0), value, line.place(0))


def _unescaped(line: _Line, text: str, begin: int) -> str:
    """A part of a line, which begins at an offset, with its escapes read."""

    def meaning(found: re.Match[str]) -> str:
        what = found[1]
        if what == "u":
            raise ParseError(line.place(begin + found.start()), r"\u needs four hexadecimal digits")
        return chr(int(what[1:], 16)) if len(what) > 1 else _MEANINGS.get(what, what)

    if "\\" not in text:
        return text
    return whole_characters(_ESCAPE.sub(meaning, text))
