"""`waggle alarms rules`, `set`, `delete`, `history` and `rollback`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

import typer
from rich.text import Text

from registry.cli.alarms.asking import call
from registry.cli.alarms.listing import STYLES
from registry.cli.client import Target
from registry.cli.objects import say_json
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import Cell, Row, milliseconds, part, print_table, rows_of, text

_PARTS = ("environment", "app", "service", "version", "instance", "interface")
_MEMBERS: Mapping[str, tuple[type, str]] = {
    "metric": (str, "What it is about; needed for a new rule."),
    "above": (float, "Raise it above this."),
    "below": (float, "Raise it below this."),
    "clear": (float, "Clear it once the number is back at this; where it is not given, at what raises it."),
    "for": (float, "Seconds that the number must be wrong."),
    "clear_for": (float, "Seconds that it must be right again."),
    "severity": (str, "critical, major, minor or warning."),
    "per": (str, "What counts as one source: service, version, instance or interface."),
    "min_rate": (float, "Calls a second below which failures and times are not looked at."),
    "note": (str, "What it is for."),
    **{part: (str, f"Only this {part}; * stands for any text.") for part in _PARTS},
}
_SPELLED = {"clear_for": "clearFor", "min_rate": "minRate"}


def _option(name: str, kind: type, about: str) -> inspect.Parameter:
    flag = "--" + name.replace("_", "-")
    return keyword(f"{name}_", kind | None, typer.Option(flag, help=about, show_default=False))


NAME = keyword("name", str, typer.Argument(help="Name of the rule."), ...)
TO = keyword("to", int, typer.Option(help="As it was at this revision."), ...)
SET_OPTIONS = (
    NAME,
    *(_option(name, kind, about) for name, (kind, about) in _MEMBERS.items()),
    keyword("enabled", bool | None, typer.Option("--on/--off", help="Switch it on or off.", show_default=False)),
    AS_JSON,
)


def show_all(target: Target, *, as_json: bool) -> None:
    """List the rules that count, the built-in ones among them."""
    rows = rows_of(call(target, "GET", "/rules"), "rules")
    if as_json:
        say_json(rows)
        return
    names = ("rule", "severity", "raised", "cleared", "for", "about", "origin", "note")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, rows)))


def put(target: Target, *, name: str, as_json: bool, enabled: bool | None, **given: object) -> None:
    """Write a rule, or change a built-in one; what is not given stays as it is."""
    members = {key.removesuffix("_"): value for key, value in given.items() if value is not None}
    if "above" in members and "below" in members:
        raise typer.BadParameter("--above and --below: give one of them")
    for side in ("above", "below"):
        if side in members:
            members |= {"raise": members.pop(side), "condition": side}
    body = {_SPELLED.get(key, key): value for key, value in members.items()}
    on = {} if enabled is None else {"enabled": enabled}
    answer = part(call(target, "PUT", "/rules", body={"name": name, **body, **on}), "rule")
    if as_json:
        say_json(answer)
    else:
        typer.echo(f"rule {name}: {text(answer, 'metric')} {_raised(answer)}, {text(answer, 'severity')}{_off(answer)}")


def delete(target: Target, *, name: str) -> None:
    """Delete a rule that somebody wrote; a built-in one is as it was again."""
    left = call(target, "DELETE", "/rules", {"name": name}).get("rule")
    typer.echo(f"rule {name}: " + ("as it is built in" if left else "deleted"))


def history(target: Target, *, name: str, as_json: bool) -> None:
    """List the versions of a rule, the newest first, also after its end."""
    rows = rows_of(call(target, "GET", "/rules/history", {"name": name}), "versions")
    if as_json:
        say_json(rows)
        return
    names = ("revision", "time", "author", "severity", "raised", "for", "about")
    print_table(name, names, list(map(_version, rows)))


def rollback(target: Target, *, name: str, to: int) -> None:
    """Let a rule be as it was at a revision."""
    call(target, "POST", "/rules/rollback", {"name": name, "revision": str(to)})
    typer.echo(f"rule {name}: as it was at revision {to}")


def _raised(rule: Row) -> str:
    reported = rule.get("metric") == "reported"
    return "reported by the engine" if reported else f"{text(rule, 'condition')} {text(rule, 'raise')}"


def _off(rule: Row) -> str:
    return "" if rule.get("enabled", True) else ", switched off"


def _about(rule: Row) -> str:
    parts = [f"{part}={text(rule, part)}" for part in _PARTS if rule.get(part, "*") != "*"]
    per = text(rule, "per")
    return " ".join([*parts, f"per {per}" if per else ""]).strip()


def _cells(rule: Row) -> Sequence[Cell]:
    severity, on = text(rule, "severity"), rule.get("enabled", True)
    built_in, written = rule.get("builtIn"), rule.get("written")
    origin = ("changed" if written else "built in") if built_in else "written"
    reported = rule.get("metric") == "reported"
    raised = _raised(rule) if reported else f"{text(rule, 'metric')} {_raised(rule)}"
    return (
        text(rule, "name"),
        Text(severity if on else "off", STYLES.get(severity, "") if on else "dim"),
        raised,
        "" if reported else text(rule, "clear"),
        "" if reported else text(rule, "for"),
        _about(rule),
        origin,
        text(rule, "note"),
    )


def _version(row: Row) -> Sequence[Cell]:
    rule, at = part(row, "rule"), (text(row, "revision"), milliseconds(row.get("at")), text(row, "author"))
    if not rule:
        return *at, Text("deleted", "red"), "", "", ""
    raised = f"{text(rule, 'metric')} {_raised(rule)}{_off(rule)}"
    return *at, text(rule, "severity"), raised, text(rule, "for"), _about(rule)
