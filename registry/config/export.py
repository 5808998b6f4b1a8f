"""Key-values written as files, in the formats that registry/config/files.py reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import orjson

from registry.config.files import Format
from registry.config.records import ENABLED, Draft, KeyValue, label_format

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*|[0-9]+(?:ms|s|m|h)")
# What YAML, of one version or another, takes for something else than text.
_NOT_TEXT = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"))
_SPECIAL = re.compile(r"[:=#!\\ ]")
_ESCAPED = r"\\\g<0>"
_KIE_MEMBERS = ("key", "value", "value_type", "status", "labels", "priority", "check")


def file_of(items: Iterable[KeyValue], form: Format) -> str:
    """The file that holds these items, in an order that does not depend on when they were written.

    A properties file holds the items of one set of labels; their types, states and priorities are comments in it.
    """
    drafts = [item.draft for item in sorted(items, key=lambda item: (label_format(item.draft.labels), item.draft.key))]
    match form:
        case Format.YAML:
            return "".join(_yaml(drafts))
        case Format.PROPERTIES:
            return "".join(_properties(drafts))
        case Format.KIE:
            return _kie(drafts)


def _kie(drafts: Iterable[Draft]) -> str:
    data = [
        {name: getattr(draft, name) for name in _KIE_MEMBERS if getattr(draft, name) not in ("", 0, {})}
        for draft in drafts
    ]
    for item in data:
        item.setdefault("value", "")
    document = {"metadata": {"version": "1.0", "annotations": {}}, "data": data}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


# --- YAML


def _yaml(drafts: Sequence[Draft]) -> Iterator[str]:
    yield "items:\n" if drafts else "items: []\n"
    for draft in drafts:
        yield f"  - key: {_scalar(draft.key)}\n"
        if draft.labels:
            pairs = ", ".join(f"{_scalar(name)}: {_scalar(value)}" for name, value in sorted(draft.labels.items()))
            yield f"    labels: {{{pairs}}}\n"
        if draft.value_type != "text":
            yield f"    type: {draft.value_type}\n"
        if draft.status != ENABLED:
            yield f"    status: {draft.status}\n"
        if draft.priority:
            yield f"    priority: {draft.priority}\n"
        if draft.check:
            yield f"    check: {_scalar(draft.check)}\n"
        yield f"    value: {_block(draft.value) or _scalar(draft.value)}\n"


def _scalar(text: str) -> str:
    """Plain where no YAML takes it for anything else, in quotes otherwise."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    return (
        '"'
        + "".join(letter if letter.isprintable() and letter not in '"\\' else _escaped(letter) for letter in text)
        + '"'
    )


def _escaped(letter: str) -> str:
    known = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(letter)
    return known or (f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}")


def _block(text: str) -> str:
    """A text of several lines as a block that shows it as it is; empty where a block cannot."""
    lines = text.split("\n")
    if len(lines) == 1 or not any(lines) or not all(line.replace("\t", " ").isprintable() for line in lines):
        return ""
    ending = len(text) - len(text.rstrip("\n"))
    indent = "2" if text[0] in " \t\n" else ""
    body = text[:-1] if ending else text
    shown = "\n".join(f"      {line}" if line else "" for line in body.split("\n"))
    return f"|{indent}{'-' if not ending else '' if ending == 1 else '+'}\n{shown}"


# --- properties


def _properties(drafts: Iterable[Draft]) -> Iterator[str]:
    for draft in drafts:
        yield "".join(f"# {note}\n" for note in _notes(draft))
        value = "\\n\\\n  ".join(_property_text(line) for line in draft.value.split("\n"))
        yield f"{_SPECIAL.sub(_ESCAPED, draft.key)}={value}\n"


def _notes(draft: Draft) -> Iterator[str]:
    if draft.value_type != "text":
        yield f"type {draft.value_type}"
    if draft.status != ENABLED:
        yield draft.status
    if draft.priority:
        yield f"priority {draft.priority}"


def _property_text(line: str) -> str:
    """A line of a value; its first blank would be dropped, and so would a letter that the encoding of the reader does not have."""
    shown = "".join(
        letter if letter.isascii() and letter.isprintable() and letter != "\\" else _half(letter) for letter in line
    )
    return "\\" + shown if shown.startswith(" ") else shown


def _half(letter: str) -> str:
    if known := {"\\": "\\\\", "\t": "\\t", "\r": "\\r", "\f": "\\f"}.get(letter):
        return known
    halves = letter.encode("utf-16-be")
    return "".join(f"\\u{halves[place]:02x}{halves[place + 1]:02x}" for place in range(0, len(halves), 2))
