"""`waggle release promote`, `rollback`, `drain` and `finish`: all to one side, the other out of service, and the end of the rule."""

from __future__ import annotations

import typer

from registry.cli.client import EngineClient, Target, ask
from registry.cli.objects import REASON, TIMEOUT, TO, named, say, say_json, tell
from registry.cli.options import AS_JSON, keyword
from registry.cli.release.waiting import until
from registry.cli.release.words import CHANGING, NAMING, RELEASES, SERVICE, name_of, outcomes, running, traffic
from registry.cli.show import Row, part, rows_of, text

_WAIT = keyword("wait", bool, typer.Option("--wait", help="Wait until one version alone is up."), default=False)
PROMOTE_OPTIONS = (SERVICE, REASON, *CHANGING)
ROLLBACK_OPTIONS = (SERVICE, TO, REASON, *CHANGING)
DRAIN_OPTIONS = (*NAMING, AS_JSON)
FINISH_OPTIONS = (SERVICE, _WAIT, TIMEOUT, *CHANGING)


def promote(target: Target, *, reason: str, force: bool, as_json: bool, **given: object) -> None:
    """Lead all requests to the new version. The rule stays until `finish`, so that one can still go back."""

    async def work(client: EngineClient) -> Row:
        release = await named(client, RELEASES, given)
        return await release.put({"state": "promoted", "reason": reason}, force=force)

    _tell(ask(target, work), as_json=as_json)


def rollback(target: Target, *, to: int | None, reason: str, force: bool, as_json: bool, **given: object) -> None:
    """Lead all requests back to the old version; with --to let the release be as it was, also one that is over."""

    async def work(client: EngineClient) -> Row:
        release = await named(client, RELEASES, given)
        if to is not None:
            return await release.rollback(to, force=force)
        return await release.put({"state": "rolled-back", "reason": reason}, force=force)

    _tell(ask(target, work), as_json=as_json)


def drain(target: Target, *, as_json: bool, **given: object) -> None:
    """Take the instances out of service that get no requests any more: they stay registered, and nobody calls them."""

    async def work(client: EngineClient) -> Row:
        return await (await named(client, RELEASES, given)).drain()

    done = ask(target, work)
    if as_json:
        say_json(done)
        return
    drained = rows_of(done, "drained")
    say(f"{name_of(done)}: {len(drained)} instance{'' if len(drained) == 1 else 's'} set out of service")
    for row in drained:
        say(f"  {text(row, 'instanceId')} of {text(row, 'version')}")


def finish(target: Target, *, wait: bool, timeout: float, force: bool, as_json: bool, **given: object) -> None:
    """Delete the rule. That is the last step: while two versions are up, it is refused."""

    async def work(client: EngineClient) -> tuple[str, Row]:
        release = await named(client, RELEASES, given)
        before = await release.get()
        if wait and not force:
            await until(
                release, lambda row: len(running(row)) < 2, timeout, "more than one version is up; the rule stays"
            )
        return name_of(before), await release.delete(force=force)

    name, done = ask(target, work)
    tell(done, name, as_json=as_json)


def _tell(done: Row, *, as_json: bool) -> None:
    what = f"{name_of(done)}: {traffic(part(done, 'object'))}" if "object" in done else "the release"
    tell(done, what, as_json=as_json)
    for line in () if as_json else outcomes(done):
        say(f"  {line}")
