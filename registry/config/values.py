"""Whether a value is what its type says, and, where the key is of a rule, whether it is one.

The original stores anything; clients then skip what does not parse, or fail with it (protocol: KIE section C.1). Text is anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from xml.parsers import expat

import orjson

from governance.rules.check import check
from governance.rules.flatten import flatten_yaml
from governance.rules.parsing import ParseError, Position
from governance.rules.problems import Problem, Severity
from governance.rules.properties import parse_properties
from governance.rules.runtimes import Runtime
from registry.config.records import Draft
from registry.errors import ConfigError

_BLANKS = " \t"
_BREAK = re.compile(r"\r\n|\r|\n")


def check_value(value_type: str, value: str) -> None:
    """Raise `ParseError` for a value that does not parse as its type. A large YAML value takes seconds."""
    check = _CHECKS.get(value_type)
    if check is not None:
        check(value)


def refuse_unparsable(draft: Draft) -> None:
    """Raise 400006 for a draft whose value does not parse as its type, or that is a rule with an error."""
    try:
        check_value(draft.value_type, draft.value)
    except ParseError as error:
        raise ConfigError(400006, f"as {draft.value_type}, {error}") from error
    errors = [problem for problem in rule_problems(draft) if problem.severity is Severity.ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise ConfigError(400006, f"as a rule, {errors[0].at}: {errors[0].text}{more}")


def rule_problems(draft: Draft, runtimes: Iterable[Runtime] = ()) -> Sequence[Problem]:
    """What is wrong with a draft as a rule; nothing where its key is of none. `runtimes` are those that are registered."""
    return check(draft.key, draft.value, runtimes, value_type=draft.value_type).problems


def _check_json(value: str) -> None:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ParseError(Position(error.lineno, error.colno), error.msg) from error


def _check_ini(value: str) -> None:
    """Sections in brackets, `name = value` or `name: value`, comments after ; or #, and lines that go on where they are indented."""
    open_entry = False
    for number, line in enumerate(_BREAK.split(value), 1):
        text = line.lstrip(_BLANKS)
        column = len(line) - len(text) + 1
        if not text or text[0] in ";#" or (open_entry and column > 1):
            continue
        if text[0] == "[":
            end = text.find("]")
            if end < 0:
                raise ParseError(Position(number, column), "the section has no closing ]")
            _check_section(text, end, Position(number, column))
            open_entry = False
        else:
            _check_entry(text, Position(number, column))
            open_entry = True


def _check_section(text: str, end: int, at: Position) -> None:
    if not text[1:end].strip():
        raise ParseError(at, "the section has no name")
    rest = text[end + 1 :].strip()
    if rest and rest[0] not in ";#":
        raise ParseError(Position(at.line, at.column + end + 1), "nothing but a comment may follow a section")


def _check_entry(text: str, at: Position) -> None:
    separators = [place for place in (text.find("="), text.find(":")) if place >= 0]
    if not separators:
        raise ParseError(at, "a name with = and a value, or a section in brackets, is expected here")
    if min(separators) == 0:
        raise ParseError(at, "the entry has no name")


def _check_xml(value: str) -> None:
    """Well formed, and without a document type: what that may define makes a few lines into gigabytes, or reads files."""
    parser = expat.ParserCreate()

    def refuse(*_declared: object) -> None:
        raise ParseError(Position(parser.CurrentLineNumber, parser.CurrentColumnNumber + 1), "a DOCTYPE is not allowed")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(value, True)
    except expat.ExpatError as error:
        raise ParseError(Position(error.lineno, error.offset + 1), expat.ErrorString(error.code)) from error


_CHECKS: Mapping[str, Callable[[str], object]] = {
    "json": _check_json,
    "ini": _check_ini,
    "xml": _check_xml,
    "properties": parse_properties,
    "yaml": flatten_yaml,
}
