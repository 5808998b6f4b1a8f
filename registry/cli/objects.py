"""What the commands on gray releases, degradations and lanes share: which one is meant, how to ask for it, and what became of it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.text import Text

from registry.cli.client import EngineClient, document, printable, warn
from registry.cli.config.labels import shown
from registry.cli.options import keyword
from registry.cli.problems import problems_of
from registry.cli.show import Cell, Row, milliseconds, part, print_table, rows_of, text

_SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "deleted": ("-", "red"), "unchanged": ("=", "dim")}
_ACTIONS = {"CREATE": "green", "DELETE": "red"}
PLACE: Sequence[inspect.Parameter] = (
    keyword("app", str | None, typer.Option(help="Application. Not needed where the service is in one only.")),
    keyword("environment", str | None, typer.Option(help="Environment. Not needed where the service is in one only.")),
)
REASON = keyword("reason", str, typer.Option(help="Why, for those who look later.", show_default=False), "")
FORCE = keyword("force", bool, typer.Option("--force", help="Overwrite what others wrote."), default=False)
TO = keyword("to", int | None, typer.Option(help="As it was at this revision, with its items.", show_default=False))
TIMEOUT = keyword("timeout", float, typer.Option(min=0, help="Seconds to wait at most."), 300.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object: its path, and the fields that name one, beside application and environment; the first a service, or a group."""

    path: str
    named: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """One object, asked for over a client."""

    client: EngineClient
    kind: Kind
    names: Mapping[str, str]

    async def get(self) -> Row:
        """What the engine says of it. Raises `EngineRefusedError`, 404 where there is none."""
        return await self._call("GET", "one")

    async def put(self, members: Mapping[str, object], *, force: bool = False, expected: int | None = None) -> Row:
        """Let it be so."""
        query = {**_forced(force), **({} if expected is None else {"expected": str(expected)})}
        body = json.dumps({**self.names, **members}).encode()
        return document(await self.client.own("PUT", f"{self.kind.path}/one", list(query.items()), body))

    async def delete(self, *, force: bool) -> Row:
        """End it."""
        return await self._call("DELETE", "one", _forced(force))

    async def history(self) -> Sequence[Row]:
        """Its versions, the newest first."""
        return rows_of(await self._call("GET", "history"), "versions")

    async def drain(self) -> Row:
        """Take what it leads no requests to out of service: of a release alone."""
        return await self._call("POST", "drain")

    async def rollback(self, revision: int, *, force: bool) -> Row:
        """Let it be as it was."""
        return await self._call("POST", "rollback", {"revision": str(revision), **_forced(force)})

    async def _call(self, method: str, path: str, query: Mapping[str, str] | None = None) -> Row:
        pairs = [*self.names.items(), *(query or {}).items()]
        return document(await self.client.own(method, f"{self.kind.path}/{path}", pairs))


async def objects(client: EngineClient, kind: Kind) -> Sequence[Row]:
    """All objects of a kind."""
    return rows_of(document(await client.own("GET", kind.path)), "objects")


async def named(client: EngineClient, kind: Kind, given: Mapping[str, object], of: str = "") -> Named:
    """The object that names mean. Where it is not said, application and environment are its own, else those that the service is in.

    `of` is the service where the names name none.
    """
    names = {name: str(given[name]) for name in kind.named}
    app, environment = given["app"], given["environment"]
    if app is None or environment is None:
        service = of or names[kind.named[0]]
        places = await _places(client, kind, names, service)
        fitting = sorted(place for place in places if app in (None, place[0]) and environment in (None, place[1]))
        if len(fitting) > 1:
            listed = "; ".join(f"--app {one[0]!r} --environment {one[1]!r}" for one in fitting)
            raise typer.BadParameter(f"{service} is in several places, say which: {listed}")
        found = fitting[0] if fitting else ("default", "")
        app, environment = app or found[0], found[1] if environment is None else environment
    return Named(client, kind, {**names, "app": str(app), "environment": str(environment)})


async def _places(client: EngineClient, kind: Kind, names: Mapping[str, str], service: str) -> set[tuple[str, str]]:
    """Application and environment of the objects of these names, else of the service's registrations."""
    rows = [part(row, "object") for row in await objects(client, kind)]
    own = [row for row in rows if all(row.get(name) == value for name, value in names.items())]
    if own:
        return {(str(row.get("app", "")), str(row.get("environment", ""))) for row in own}
    found = await client.get("/govern/microservices", {"serviceName": service})
    services = [part(row, "microService") for row in rows_of(found, "allServicesDetail")]
    return {(str(row.get("appId", "")), str(row.get("environment", ""))) for row in services}


def tell(done: Row, what: str, *, as_json: bool) -> None:
    """Say what became of an object and of each of its items, and what one should know."""
    if as_json:
        say_json(done)
        return
    say(f"{text(done, 'action')} {what}; at revision {text(done, 'at')}")
    for change in rows_of(done, "changes"):
        sign, style = _SIGNS.get(text(change, "action"), ("?", ""))
        say(f"  {sign} {text(change, 'key')} [{shown(change.get('labels'))}]", style)
    tell_warnings(done)


def tell_warnings(done: Row) -> None:
    """What one should know of an object: on standard error."""
    warnings = done.get("warnings")
    for line in [*(warnings if isinstance(warnings, list) else ()), *problems_of(done), *_drift(done)]:
        warn(str(line))


def _drift(done: Row) -> Iterable[str]:
    for item in rows_of(done, "items"):
        if item.get("differs"):
            yield f"{text(item, 'key')} was {text(item, 'differs')} by hand; --force writes it again"


def show_history(versions: Sequence[Row], title: str, summary: Mapping[int, str], *, as_json: bool) -> None:
    """A table of versions; `summary` says of each revision what the object was."""
    if as_json:
        say_json(versions)
        return
    rows: list[Sequence[Cell]] = []
    for version in versions:
        action = text(version, "action")
        at = text(version, "revision"), milliseconds(version.get("at")), text(version, "author")
        said = summary.get(int(at[0]), "")
        rows.append((*at, Text(action, _ACTIONS.get(action, "yellow")), said, text(part(version, "object"), "reason")))
    print_table(title, ("revision", "time", "author", "action", "what", "reason"), rows)


def say(line: str, style: str = "") -> None:
    """One line on standard output; what could steer a terminal is made visible."""
    Console(soft_wrap=True).print(Text(printable(line), style), highlight=False)


def say_json(value: object) -> None:
    """JSON on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _forced(force: bool) -> Mapping[str, str]:
    return {"force": "1"} if force else {}
