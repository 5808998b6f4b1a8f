"""Objects as bodies of requests: what is given is laid over what there is, and the whole is checked by the rule language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from governance.rules.objects.forms import GRAY, LONGEST, Form, Object, read
from governance.rules.objects.gray import RUNNING
from governance.rules.objects.items import Place
from governance.rules.printing import plain_record
from governance.rules.problems import Severity
from registry.api.call import Call
from registry.api.shapes import parse
from registry.errors import ConfigError

_ACTS = ("share", "headers")


def given_in(call: Call, form: Form) -> Mapping[str, object]:
    """The members of the body. One that is unknown is refused: it may be a misspelt one. Raises 400001."""
    if len(call.body) > LONGEST:
        raise ConfigError(400001, f"the body has more than {LONGEST} bytes")
    body = parse(call.body)
    if not isinstance(body, dict):
        raise ConfigError(400001, "the body is no JSON object")
    for name in body:
        if name not in form.fields:
            raise ConfigError(400001, f"the body has no member {name[:64]!r}, only {', '.join(form.fields)}")
    return body


def place_of(form: Form, given: Mapping[str, object]) -> Place:
    """Where the object is kept that a body or a query names. Raises 400001."""
    values = []
    for name in form.named:
        value = given.get(name, "")
        if not isinstance(value, str):
            raise ConfigError(400001, f"{name}: a string is expected")
        if not value and name != "environment":
            raise ConfigError(400001, f"{name} is missing")
        values.append(value)
    return form.place(*values)


def merged(
    form: Form,
    before: Object | None,
    given: Mapping[str, object],
    baseline: Sequence[str],
    new: Mapping[str, object],
) -> Object:
    """The object that a body makes of what there is, or of what a `new` one has where nobody says otherwise.

    `baseline` are the versions that it is about where none are named.

    A member that is null has its default. It takes time. Raises 400001 with what to write instead.
    """
    there: Mapping[str, object] = plain_record(before) if before is not None else new
    if form is GRAY:
        there = _released(there, given, baseline)
        given = {name: value for name, value in given.items() if (name, value) != ("baseline", None)}
    members = {name: value for name, value in {**there, **given}.items() if value is not None}
    if form is GRAY and not members.get("baseline"):
        raise ConfigError(400001, "baseline is missing, and no other version is up: name the versions that run now")
    found, problems = read(form, _yaml(members))
    errors = [problem.text for problem in problems if problem.severity is Severity.ERROR]
    if found is None:
        raise ConfigError(400001, "; ".join(errors)[:2000])
    return found


def _yaml(members: Mapping[str, object]) -> str:
    """JSON that is YAML as well: breaks of lines that YAML knows and JSON does not are written as escapes."""
    try:
        return json.dumps(members).replace("\x7f", "\\u007f")
    except RecursionError as error:
        raise ConfigError(400001, "the body is nested too deeply") from error


def _released(
    there: Mapping[str, object], given: Mapping[str, object], baseline: Sequence[str]
) -> Mapping[str, object]:
    """Of a share and headers, the one that is given takes the other's place; both let the release run again."""
    acts = any(given.get(name) is not None for name in _ACTS)
    dropped = {*_ACTS, "reason"} if acts else {"reason"} if "state" in given else set()
    version = given.get("version") or there.get("version")
    if version != there.get("version"):
        dropped |= {"baseline", "state", *_ACTS}
    if given.get("baseline", ()) is None:
        dropped |= {"baseline"}
    kept = {name: value for name, value in there.items() if name not in dropped}
    if acts:
        kept["state"] = RUNNING
    if "baseline" not in kept:
        kept["baseline"] = [one for one in baseline if one != version] or None
    return kept
