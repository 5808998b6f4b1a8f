"""Rules of files, or given one by one, checked as the engine would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from governance.rules.check import Checked, check, not_a_rule
from governance.rules.parsing import ParseError, Position
from governance.rules.problems import Problem, Severity
from governance.rules.runtimes import Runtime
from registry.cli.client import EngineClient, document
from registry.cli.config.files import format_of
from registry.cli.config.items import read_text
from registry.cli.config.labels import Labels
from registry.cli.show import Row, part, rows_of
from registry.config.edits import Edit
from registry.config.files import Format, read_file
from registry.config.places import ValuePlace, value_places
from registry.config.records import Draft, id_of
from registry.config.ruled import Present, check_together
from registry.config.values import check_value

_START = Position(1, 1)


@dataclass(frozen=True, slots=True)
class Subject:
    """An item to be checked: where it stands, and where its value does."""

    file: str
    draft: Draft
    at: Position = _START
    value: ValuePlace | None = None
    whole_file: bool = False
    """Whether it was given as a rule by its key, so that the file, if there is one, is its value."""

    def place(self, inner: Position) -> tuple[Position, str]:
        """The place in the file of a place in the value; words where it can only be said of the item."""
        if self.whole_file:
            return inner, ""
        found = self.value.at(inner) if self.value is not None else None
        return (found, "") if found is not None else (self.at, f"{self.draft.key[:256]}, {inner}: ")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is wrong."""

    file: str
    at: Position
    severity: Severity
    text: str
    key: str = ""
    code: str = "syntax"

    def __str__(self) -> str:
        return f"{self.file}:{self.at.line}:{self.at.column}: {self.severity}: {self.text}"

    def document(self) -> Mapping[str, object]:
        """As JSON."""
        place = {"file": self.file, "line": self.at.line, "column": self.at.column}
        return {**place, "severity": self.severity, "code": self.code, "key": self.key, "text": self.text}

    @property
    def failed(self) -> bool:
        """Whether it is an error."""
        return self.severity is Severity.ERROR


def subjects_of(what: Iterable[str], labels: Labels) -> tuple[list[Subject], list[Line]]:
    """The items of files, and those that are given as KEY=VALUE, with these labels; and the errors of files that do not read."""
    subjects: list[Subject] = []
    errors: list[Line] = []
    for one in what:
        try:
            subjects += _subjects(one, labels)
        except ParseError as error:
            errors.append(Line(one, error.at, Severity.ERROR, error.why))
    return subjects, errors


def _subjects(what: str, labels: Labels) -> Iterator[Subject]:
    """The items of a file, or one that is given as KEY=VALUE. Raises `ParseError`."""
    key, separator, value = what.partition("=")
    if separator and not Path(what).exists():
        from_file = value.startswith("@")
        given = read_text(Path(value[1:])) if from_file else value
        yield Subject(value[1:] if from_file else key, _draft(Edit(key, labels, given)), whole_file=True)
        return
    file = Path(what)
    body, form = read_text(file), Format(format_of(file))
    edits = read_file(body, form, labels if form is Format.PROPERTIES else {})
    places = value_places(body, form) or [None] * len(edits)
    for edit, place in zip(edits, places, strict=True):
        yield Subject(what, _draft(edit), edit.at or _START, place)


def _draft(edit: Edit) -> Draft:
    return edit.over(None)


# --- what is registered


@dataclass(frozen=True, slots=True)
class _Instance:
    version: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Registered:
    """What an engine has: by default nothing."""

    runtimes: Sequence[Runtime] = ()
    present: Present | None = None
    drafts: Sequence[Draft] = ()


async def registered(client: EngineClient) -> Registered:
    """What an engine has."""
    details = await client.get("/govern/microservices", {"options": "instances", "withShared": "1"})
    listed = document(await client.config("GET", "items", [("rules", "1")]))
    runtimes: set[Runtime] = set()
    present: dict[tuple[str | None, str | None], dict[str, list[_Instance]]] = {}
    for row in rows_of(details, "allServicesDetail"):
        service, instances = part(row, "microService"), rows_of(row, "instances")
        if instances:
            framework = part(service, "framework")
            runtimes.add(Runtime(str(framework.get("name", "")), str(framework.get("version", ""))))
        place = present.setdefault((str(service.get("appId", "")), str(service.get("environment", ""))), {})
        for one in instances:
            properties = {**_texts(service, "properties"), **_texts(one, "properties")}
            place.setdefault(str(service.get("serviceName", "")), []).append(
                _Instance(str(service.get("version", "")), properties)
            )
    return Registered(
        sorted(one for one in runtimes if one.name), present, [_stored(row) for row in rows_of(listed, "data")]
    )


def _texts(row: Row, name: str) -> Mapping[str, str]:
    return {key: str(value) for key, value in part(row, name).items()}


def _stored(row: Row) -> Draft:
    names = ("key", "value", "value_type", "status")
    key, value, value_type, status = (str(row.get(name, "")) for name in names)
    return Draft(key, value, _texts(row, "labels"), value_type, status)


# --- what is wrong


def lines_of(subjects: Sequence[Subject], known: Registered) -> Iterator[Line]:
    """Everything that is wrong, in the order of the files. What is in them goes before what is registered."""
    drafts = {_name(draft): draft for draft in known.drafts}
    by_name: dict[str, Subject] = {}
    for one in subjects:
        first = by_name.setdefault(_name(one.draft), one)
        if first is not one:
            why = f"{one.draft.key[:256]} is there twice with the same labels: first at {first.file}:{first.at.line}"
            yield Line(one.file, one.at, Severity.ERROR, why, one.draft.key, "twice")
    drafts |= {name: one.draft for name, one in by_name.items()}

    def alone(_name: str, draft: Draft) -> Checked:
        return check(draft.key, draft.value, known.runtimes, value_type=draft.value_type)

    checked = check_together(drafts, alone, known.present or {}, by_name)
    for name, one in by_name.items():
        yield from _unparsable(one)
        problems = checked[name].problems
        if one.whole_file and not problems:
            problems = not_a_rule(one.draft.key, one.draft.value_type)
        yield from (_line(one, problem) for problem in problems)


def _name(draft: Draft) -> str:
    return id_of("", draft.key, draft.labels)


def _unparsable(one: Subject) -> Iterator[Line]:
    try:
        check_value(one.draft.value_type, one.draft.value)
    except ParseError as error:
        at, words = one.place(error.at)
        yield Line(one.file, at, Severity.ERROR, f"{words}as {one.draft.value_type}, {error.why}", one.draft.key)


def _line(one: Subject, problem: Problem) -> Line:
    at, words = one.place(problem.at)
    return Line(one.file, at, problem.severity, words + problem.text, one.draft.key, problem.code)
