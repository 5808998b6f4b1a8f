"""`waggle rule explain`: what becomes of one request, before or after a rule is saved."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from registry.cli.client import Target, ask, document, printable, warn
from registry.cli.config.items import read_text
from registry.cli.config.labels import shown
from registry.cli.config.previews import Client, caution_text
from registry.cli.options import AS_JSON, keyword
from registry.cli.problems import problems_of
from registry.cli.show import Cell, Row, part, print_table, rows_of, text

_STYLES = {"applies": "bold green", "skipped": "dim", "wrong": "bold red"}
_PATH = "governance/explain"
_PAIR = "NAME=VALUE"
_ABOUT_DRAFT = "A rule that is not saved yet, laid over what is: KEY=TEXT, or KEY=@FILE; repeatable."
_ABOUT_DRAFT_LABEL = "A label of the drafts beside the application and the environment, as service=NAME; repeatable."
_ABOUT_APP = "Application of the service; else the one that it is registered in."
_ABOUT_ENVIRONMENT = "Environment; else the one that it is registered in."
_ABOUT_CLIENT = "As what both sides read their configuration; else by their frameworks."


def _maybe(name: str, about: str) -> inspect.Parameter:
    return keyword(name, str | None, typer.Option(help=about, show_default=False))


def _pairs(name: str, about: str, metavar: str = _PAIR) -> inspect.Parameter:
    return keyword(name, list[str] | None, typer.Option(help=about, metavar=metavar))


OPTIONS = (
    keyword("service", str, typer.Argument(help="The service that is called."), ...),
    keyword("consumer", str, typer.Option("--from", help="The service that calls.", show_default=False), ...),
    _maybe("from_version", "Its version; else the newest that is registered."),
    _maybe("from_app", "Its application, where that is another one."),
    _maybe("app", _ABOUT_APP),
    _maybe("environment", _ABOUT_ENVIRONMENT),
    _maybe("version", "Version of the service; else all that are registered."),
    keyword("path", str, typer.Option(help="Path of the request."), "/"),
    keyword("method", str, typer.Option(help="Method of the request."), "GET"),
    _pairs("header", "A header of the request; repeatable."),
    _pairs("query", "A parameter of its query; repeatable."),
    _maybe("operation", "Schema and operation that it calls, as SCHEMA.OPERATION, for older keys."),
    keyword("client", Client | None, typer.Option(help=_ABOUT_CLIENT, show_default=False)),
    _pairs("draft", _ABOUT_DRAFT, "KEY=TEXT"),
    _pairs("draft_label", _ABOUT_DRAFT_LABEL),
    AS_JSON,
)


def explain(target: Target, *, as_json: bool, **given: object) -> None:
    """Show which rules apply to a request, at the consumer and at the provider, where it goes, and why. Nothing is sent or stored."""
    labels = _read_pairs(given["draft_label"], "--draft-label")
    body = {**_body(given), "drafts": [{**one, "labels": labels} for one in _drafts(given["draft"])]}
    found = document(ask(target, lambda client: client.own("POST", _PATH, body=json.dumps(body).encode())))
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    _show(found, str(body["method"]), str(body["path"]))


def _body(given: Mapping[str, object]) -> Mapping[str, object]:
    names = ("service", "consumer", "app", "environment", "version", "path", "method", "operation", "client")
    body = {name: given[name] for name in names if given[name] is not None}
    for name in ("app", "version"):
        if given[f"from_{name}"] is not None:
            body[f"consumer_{name}"] = given[f"from_{name}"]
    headers, queries = _read_pairs(given["header"], "--header"), _read_pairs(given["query"], "--query")
    return {**body, "headers": headers, "queries": queries}


def _read_pairs(given: object, option: str) -> Mapping[str, str]:
    pairs = {}
    for one in given if isinstance(given, list) else ():
        name, separator, value = str(one).partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"{option} {one!r} is not {_PAIR}")
        pairs[name] = value
    return pairs


def _drafts(given: object) -> Sequence[Mapping[str, str]]:
    pairs = _read_pairs(given, "--draft").items()
    return [
        {"key": key, "value": read_text(Path(value[1:])) if value.startswith("@") else value} for key, value in pairs
    ]


def _show(found: Row, method: str, path: str) -> None:
    consumer, routing = part(found, "consumer"), part(found, "routing")
    service = text(found, "service")
    where = " ".join(f"{name} {text(found, name)}" for name in ("app", "environment") if found.get(name))
    caller = " ".join(filter(None, (text(consumer, "service"), text(consumer, "version"))))
    _say(f"{method} {path} from {caller} to {service}, {where}, at revision {text(found, 'revision')}")
    for draft in rows_of(found, "drafts"):
        for line in problems_of(draft):
            warn(f"draft {text(draft, 'key')}: {line}")
    _show_side(f"at the consumer {caller}", consumer, [*rows_of(consumer, "rules"), *rows_of(routing, "rules")])
    _show_outcomes(service, routing)
    for provider in rows_of(found, "providers"):
        versions = provider.get("versions")
        named = ", ".join(map(str, versions)) if isinstance(versions, list) else ""
        _show_side(f"at the provider {service} {named}".rstrip(), provider, rows_of(provider, "rules"))


def _show_side(title: str, side: Row, rules: Sequence[Row]) -> None:
    if not side.get("registered"):
        title += ", which is not registered"
    if rules:
        names = ("", "kind", "name", "says", "why", "from")
        print_table(title, names, [_cells(rule) for rule in rules])
    else:
        _say(f"{title}: no rule")
    notes = side.get("notes")
    for note in notes if isinstance(notes, list) else ():
        _say(f"  {note}", "bold")
    for rule in rules:
        if rule.get("verdict") == "applies":
            for line in problems_of(rule):
                warn(f"{text(part(rule, 'item'), 'key')}: {line}")
    for warning in rows_of(side, "warnings"):
        warn(caution_text(warning))


def _show_outcomes(service: str, routing: Row) -> None:
    outcomes = rows_of(routing, "outcomes")
    away = routing.get("away")
    more = f" ({away} not up)" if away else ""
    if not outcomes:
        _say(f"goes to nobody: {text(routing, 'why')}{more}", "bold red")
        return
    rows = [row for outcome in outcomes for row in _outcome_cells(outcome)]
    print_table(f"goes to {service}{more}", ("share", "version", "instance", "why"), rows)


def _outcome_cells(outcome: Row) -> Sequence[Sequence[Cell]]:
    """A line for each instance, of which the first has the share that all have together."""
    share = Text(f"{text(outcome, 'share').removesuffix('.0')} %", "bold")
    instances = rows_of(outcome, "instances")
    if not instances:
        return [(share, "", Text("nobody", "red"), text(outcome, "why"))]
    first = (share, text(instances[0], "version"), text(instances[0], "instanceId"), text(outcome, "why"))
    return [first, *(("", text(one, "version"), text(one, "instanceId"), "") for one in instances[1:])]


def _cells(rule: Row) -> Sequence[Cell]:
    item, verdict = part(rule, "item"), text(rule, "verdict")
    at = f", line {text(rule, 'line')}" if "line" in rule else ""
    source = "draft" if item.get("draft") else f"revision {text(item, 'revision')}"
    return (
        Text(verdict, _STYLES.get(verdict, "")),
        text(rule, "kind"),
        text(rule, "name"),
        text(rule, "does"),
        text(rule, "why"),
        f"{text(item, 'key')} [{shown(item.get('labels'))}] {source}{at}",
    )


def _say(line: str, style: str = "") -> None:
    Console(soft_wrap=True).print(Text(printable(line), style), highlight=False)
