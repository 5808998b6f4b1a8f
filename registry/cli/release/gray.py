"""`waggle release gray`: begin a gray release, or change who gets the new version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import typer

from registry.cli.client import EngineClient, Target, ask, fail, warn
from registry.cli.objects import REASON, TIMEOUT, Named, named, say, say_json, tell
from registry.cli.options import keyword
from registry.cli.release.waiting import unless_changed, until
from registry.cli.release.words import CHANGING, RELEASES, SERVICE, name_of, outcomes, running, traffic
from registry.cli.show import Row, part, text


class Latency(StrEnum):
    """Which latency a bound is about."""

    MEAN = "mean"
    P99 = "p99"


_HEADER = "Requests with this header get it; repeatable: with all. NAME:regex=PATTERN and other operators, too."
_STEPS = "Shares to go through, as 1,5,20,50,100. Called again, it goes on from the share of now."
OPTIONS = (
    SERVICE,
    keyword("version", str | None, typer.Option(help="The new version. Needed to begin.", show_default=False)),
    keyword("share", int | None, typer.Option(min=0, max=100, help="Percentage of requests.", show_default=False)),
    keyword("header", list[str] | None, typer.Option(help=_HEADER, metavar="NAME=VALUE", show_default=False)),
    keyword(
        "baseline",
        list[str] | None,
        typer.Option(help="A version that runs now; repeatable. All others that are up.", show_default=False),
    ),
    keyword("wait", bool, typer.Option("--wait", help="Wait until the new version is up, at share 0."), default=False),
    TIMEOUT,
    keyword("steps", str, typer.Option(help=_STEPS, show_default=False), ""),
    keyword("interval", float, typer.Option(min=0, help="Seconds between steps."), 30.0),
    keyword(
        "max_error_rate",
        float | None,
        typer.Option(min=0, max=100, help="Percentage of errors that is too much.", show_default=False),
    ),
    keyword("max_latency", int | None, typer.Option(min=1, help="Milliseconds that are too long.", show_default=False)),
    keyword("latency", Latency | None, typer.Option(help="What they are of.", show_default=False)),
    keyword("min_calls", int | None, typer.Option(min=1, help="Calls before anything is judged.", show_default=False)),
    REASON,
    *CHANGING,
)
_BOUNDS = {
    "max_error_rate": "maxErrorRate",
    "max_latency": "maxLatency",
    "latency": "latency",
    "min_calls": "minCalls",
    "version": "version",
}


def gray(target: Target, *, as_json: bool, **given: object) -> None:
    """Lead a part of the requests to a new version of a service: a share, or those with certain headers.

    Write share 0 (the default of a new release) before the first instance of the new version starts.
    """
    if sum(bool(given[way]) or given[way] == 0 for way in ("share", "header", "steps")) > 1:
        raise typer.BadParameter("--share, --header and --steps contradict each other")
    members, steps = _members(given), _steps(str(given["steps"]))

    async def work(client: EngineClient) -> None:
        release = await named(client, RELEASES, given)
        done = await _begin(release, members, given, careful=bool(given["wait"] or steps))
        for step in steps:
            done = await _step(release, done, step, given, as_json=as_json)
        if not steps:
            _tell(done, as_json=as_json)

    ask(target, work)


async def _begin(release: Named, members: Mapping[str, object], given: Mapping[str, object], *, careful: bool) -> Row:
    """Write what is asked for; carefully, that is after an instance of the new version is up, which gets nothing until then."""
    force = bool(given["force"])
    acts = {name: members[name] for name in ("share", "headers") if name in members}
    if not careful:
        return await release.put(members, force=force)
    quiet = {name: value for name, value in members.items() if name not in acts}
    done = await release.put(quiet, force=force)
    version = text(part(done, "object"), "version")
    if not running(done).get(version):
        warn(f"waiting for an instance of {version} to be up; until then {traffic(part(done, 'object'))}")
        limit, missing = float(str(given["timeout"])), f"no instance of {version} is up; the rule stays as it is"
        done = await until(release, lambda row: bool(running(row).get(version)), limit, missing)
    return await release.put({**acts, "reason": given["reason"]}, force=force) if acts else done


async def _step(release: Named, before: Row, share: int, given: Mapping[str, object], *, as_json: bool) -> Row:
    """Raise the share, and wait. A step that is below the share of now is left out; when somebody else changes the release, it ends."""
    now = part(before, "object")
    if now.get("state") == "running" and not part(now, "headers") and share <= int(text(now, "share")):
        return before
    revision = before.get("revision")
    expected = revision if isinstance(revision, int) else None
    done = await release.put({"share": share, "reason": given["reason"]}, force=bool(given["force"]), expected=expected)
    _tell(done, as_json=as_json)
    after = await unless_changed(release, done, float(str(given["interval"])) if share < 100 else 0)
    if after.get("revision") != done.get("revision"):
        one = part(after, "object")
        why = f": {text(one, 'reason')}" if one.get("reason") else ""
        fail(f"somebody else changed the release, so the steps end at {share} %: now {traffic(one)}{why}")
        raise typer.Exit(1)
    return after


def _tell(done: Row, *, as_json: bool) -> None:
    if as_json:
        say_json(done)
        return
    if "action" in done:
        tell(done, f"{name_of(done)}: {traffic(part(done, 'object'))}", as_json=False)
    for line in outcomes(done):
        say(f"  {line}")


def _members(given: Mapping[str, object]) -> Mapping[str, object]:
    """The members of the body."""
    members = {name: given[option] for option, name in _BOUNDS.items() if given[option] is not None}
    header = given["header"]
    if given["share"] is not None:
        members["share"] = given["share"]
    if isinstance(header, list) and header:
        members["headers"] = _headers(list(map(str, header)))
    if given["baseline"]:
        members["baseline"] = given["baseline"]
    return {**members, **({"reason": given["reason"]} if given["reason"] else {})}


def _headers(given: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    asked: dict[str, dict[str, str]] = {}
    for one in given:
        name, separator, value = one.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"--header {one!r} is not NAME=VALUE")
        name, _, operator = name.partition(":")
        asked.setdefault(name, {})[operator or "exact"] = value
    return asked


def _steps(given: str) -> Sequence[int]:
    parts = [part.strip() for part in given.split(",")] if given else []
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 100 for part in parts):
        raise typer.BadParameter(f"--steps {given!r} is no list of percentages, as 1,5,20,50,100")
    steps = [int(part) for part in parts]
    if steps != sorted(set(steps)):
        raise typer.BadParameter(f"--steps {given!r}: each step is more than the one before")
    return steps
