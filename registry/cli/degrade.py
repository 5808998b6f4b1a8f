"""`waggle degrade`: a service no longer calls another, or one operation of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import typer
from rich.text import Text

from registry.cli.client import EngineClient, Target, ask
from registry.cli.objects import FORCE, PLACE, REASON, Kind, Named, named, objects, say_json, show_history, tell
from registry.cli.options import AS_JSON, keyword, reaching
from registry.cli.show import Cell, Row, part, print_table, text

_DEGRADES = Kind("degrades", ("consumer", "target"))


class Policy(StrEnum):
    """What a caller gets instead."""

    NULL = "returnnull"
    THROW = "throwexception"
    CACHE = "fromcache"


_NAMES = (
    keyword("consumer", str, typer.Argument(help="The service that calls."), ...),
    keyword(
        "callee",
        str,
        typer.Argument(help="What it no longer calls: SERVICE, or SERVICE.SCHEMA.OPERATION.", metavar="TARGET"),
        ...,
    ),
)
_ON = (
    *_NAMES,
    keyword(
        "policy",
        Policy | None,
        typer.Option(help="What the caller gets: nothing (the default), an error, or the last good answer."),
    ),
    keyword(
        "error_code",
        int | None,
        typer.Option(min=200, max=600, help="The status of the error; 500.", show_default=False),
    ),
    keyword(
        "path",
        str | None,
        typer.Option(help="How the path of an operation begins, for Spring Cloud Huawei.", show_default=False),
    ),
    REASON,
    *PLACE,
    FORCE,
    AS_JSON,
)
_TO = keyword("to", int, typer.Option(help="As it was at this revision, with its items."), ...)


def on(target: Target, *, as_json: bool, **given: object) -> None:
    """Let a service no longer call another, or change what it gets instead. All forms that runtimes know are written."""
    names = {"policy": "policy", "error_code": "errorCode", "path": "path"}
    members = {name: given[option] for option, name in names.items() if given[option] is not None}

    async def work(client: EngineClient) -> Row:
        degrade = await _meant(client, given)
        return await degrade.put({**members, "reason": given["reason"]}, force=bool(given["force"]))

    done = ask(target, work)
    one = part(done, "object")
    who = f"{text(one, 'consumer')} no longer calls {text(one, 'target')} ({text(one, 'policy')})"
    tell(done, f"degradation: {who}", as_json=as_json)


def off(target: Target, *, force: bool, as_json: bool, **given: object) -> None:
    """Let a service call another again: all forms are deleted."""

    async def work(client: EngineClient) -> Row:
        return await (await _meant(client, given)).delete(force=force)

    tell(ask(target, work), f"degradation: {given['consumer']} calls {given['callee']} again", as_json=as_json)


def show_all(target: Target, *, as_json: bool) -> None:
    """List the degradations, and fallback keys of others that amount to one."""
    found = ask(target, lambda client: objects(client, _DEGRADES))
    if as_json:
        say_json(found)
        return
    names = ("consumer", "target", "app", "environment", "policy", "items", "reason")
    print_table(f"{target.domain}/{target.project}", names, list(map(_cells, found)))


def history(target: Target, *, as_json: bool, **given: object) -> None:
    """List what a degradation was, the newest first, also of one that is over."""

    async def work(client: EngineClient) -> tuple[Named, Sequence[Row]]:
        degrade = await _meant(client, given)
        return degrade, await degrade.history()

    degrade, versions = ask(target, work)
    summary = {int(text(row, "revision")): text(part(row, "object"), "policy") for row in versions}
    title = f"{degrade.names['consumer']} → {degrade.names['target']} [app={degrade.names['app']}]"
    show_history(versions, title, summary, as_json=as_json)


def rollback(target: Target, *, to: int, force: bool, as_json: bool, **given: object) -> None:
    """Let a degradation be as it was at a revision, also one that is over."""

    async def work(client: EngineClient) -> Row:
        return await (await _meant(client, given)).rollback(to, force=force)

    tell(ask(target, work), f"degradation of {given['callee']} for {given['consumer']}", as_json=as_json)


async def _meant(client: EngineClient, given: Mapping[str, object]) -> Named:
    """The degradation that the names mean. A command's own `target` is the engine."""
    return await named(client, _DEGRADES, {**given, "target": given["callee"]})


def _cells(row: Row) -> Sequence[Cell]:
    one = part(row, "object")
    items = "" if row.get("kept") else "not of an object"
    names = [text(one, name) for name in ("consumer", "target", "app", "environment", "policy")]
    return *names, Text("drifted", "red") if row.get("drifted") else items, text(one, "reason")


degrade = typer.Typer(
    no_args_is_help=True, help="Let a service no longer call another: it gets nothing, or an error, at once."
)
degrade.command("on")(reaching(on, *_ON))
degrade.command("off")(reaching(off, *_NAMES, *PLACE, FORCE, AS_JSON))
degrade.command("list")(reaching(show_all, AS_JSON))
degrade.command("history")(reaching(history, *_NAMES, *PLACE, AS_JSON))
degrade.command("rollback")(reaching(rollback, *_NAMES, _TO, *PLACE, FORCE, AS_JSON))

commands = typer.Typer()
commands.add_typer(degrade, name="degrade")
