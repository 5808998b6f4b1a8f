"""`waggle watch`: what happens in an engine, one line each, over the engine's restarts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import aiohttp
import typer
from rich.console import Console
from rich.text import Text

from registry.cli.client import EngineClient, EngineRefusedError, NoEngineError, ask, cause, fail, printable
from registry.cli.options import Look, keyword, looking
from registry.cli.show import Row, endpoints, part, text

_RETRY_SECONDS = 1.0
STYLES = {"CREATE": "green", "UPDATE": "yellow", "DELETE": "red", "RAISE": "red", "CLEAR": "green"}
"""Colours of what was done."""


FILTERS = (
    keyword("kind", str, typer.Option(help="Only these kinds, with commas between, such as config,rule,alarm."), ""),
    keyword("author", str, typer.Option(help="Only authors with this in their name or address."), ""),
    keyword("contains", str, typer.Option(help="Only what has this text in it."), ""),
)


def watch(look: Look, **wanted: str) -> None:
    """Follow what happens: registrations, changes of configuration, rules and access, alarms, protections."""
    follow(look, wanted)


def follow(look: Look, wanted: Mapping[str, str]) -> None:
    """Print the events that are wanted, by the parameters of the stream, until it is interrupted."""
    ask(look.target, lambda client: _Follower(client, look, wanted).run())


class _Follower:
    """Prints events until it is interrupted. The first connection must succeed; later ones are tried again."""

    def __init__(self, client: EngineClient, look: Look, wanted: Mapping[str, str]) -> None:
        self._client = client
        self._look = look
        self._parameters = {name: value for name, value in wanted.items() if value}
        self._after = ""
        self._connected = False
        self._away = False

    async def run(self) -> None:
        while True:
            try:
                await self._read()
                self._lost("it ended the stream")
            except EngineRefusedError as error:
                # A proxy in front answers 502 or 503 while the engine restarts.
                if not self._connected or error.status < 500:
                    raise
                self._lost(str(error))
            except (aiohttp.ClientError, TimeoutError) as error:
                if not self._connected:
                    raise
                self._lost(cause(error))
            await asyncio.sleep(_RETRY_SECONDS)

    def _lost(self, why: str) -> None:
        if not self._away:
            fail(f"the engine is away ({why}); connecting again")
        self._away = True

    async def _read(self) -> None:
        async with self._client.stream(self._parameters, self._after) as lines:
            if self._away:
                fail("the engine is back")
            self._connected, self._away = True, False
            async for line in lines:
                name, _, value = line.decode(errors="replace").rstrip("\n").partition(": ")
                if name == "id":
                    self._after = value
                elif name == "data":
                    self._show(_event(value))

    def _show(self, event: Row) -> None:
        service = part(event, "service")
        wanted = {"appId": self._look.app, "environment": self._look.environment}
        if any(value and service.get(name) != value for name, value in wanted.items()):
            return
        if self._look.as_json:
            typer.echo(json.dumps(event, separators=(",", ":")))
        else:
            Console(soft_wrap=True).print(_line(event, service))


def _event(data: str) -> Row:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise NoEngineError from error
    if not isinstance(event, dict):
        raise NoEngineError
    return event


def _line(event: Row, service: Row) -> Text:
    instance, action, alarm = part(event, "instance"), text(event, "action"), part(event, "alarm")
    facts = (
        "/".join(text(service, name) for name in ("appId", "serviceName", "version") if service),
        text(instance, "instanceId") or text(event, "instanceId"),
        text(instance, "status"),
        *endpoints(instance),
        text(event, "record"),
        text(event, "reason"),
        " ".join(text(alarm, name) for name in ("severity", "message") if alarm),
        *_item(part(event, "item")),
        f"by {author}" if (author := text(event, "author")) else "",
    )
    return Text.assemble(
        (_clock(event.get("at")), "dim"),
        (f" {text(event, 'kind'):>10} {action:<6} ", STYLES.get(action, "magenta")),
        " ".join(fact for fact in facts if fact),
    )


def _item(item: Row) -> Sequence[str]:
    labels = " ".join(f"{printable(name)}={printable(str(value))}" for name, value in part(item, "labels").items())
    return [text(item, "key"), f"[{labels}]"] if item else []


def _clock(milliseconds: object) -> str:
    if not isinstance(milliseconds, int):
        return ""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    return at.strftime("%H:%M:%S.%f")[:-3]


commands = typer.Typer()
commands.command("watch")(
    looking(watch, keyword("service", str, typer.Argument(help="Only this service."), ""), *FILTERS)
)
