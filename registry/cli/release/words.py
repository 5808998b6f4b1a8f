"""What is said of gray releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer

from registry.cli.client import printable
from registry.cli.objects import FORCE, PLACE, Kind
from registry.cli.options import AS_JSON, keyword
from registry.cli.show import Row, part, rows_of, text

RELEASES = Kind("gray-releases", ("service",))
SERVICE = keyword("service", str, typer.Argument(help="Name of the service."), ...)
NAMING = (SERVICE, *PLACE)
CHANGING = (*PLACE, FORCE, AS_JSON)


def name_of(row: Row) -> str:
    """A release by the name of its service and where that is."""
    one = part(row, "object")
    place = f"app={text(one, 'app')} environment={text(one, 'environment')}"
    return f"{text(one, 'service')} [{place}]"


def traffic(one: Row) -> str:
    """Where requests go, by what the release says."""
    version, state = text(one, "version"), text(one, "state")
    baseline = one.get("baseline")
    old = printable(", ".join(map(str, baseline))) if isinstance(baseline, list) else ""
    headers = part(one, "headers")
    if state == "promoted":
        return f"all to {version} (promoted)"
    if state == "rolled-back":
        return f"all to {old} (rolled back)"
    if headers:
        asked = " and ".join(_condition(name, part(headers, name)) for name in headers)
        return f"{asked} to {version}, the rest to {old}"
    return f"{text(one, 'share')} % to {version}, the rest to {old}"


def _condition(name: str, asked: Mapping[str, object]) -> str:
    return printable(" ".join(f"{name} {operator} {value}" for operator, value in asked.items()))


def outcomes(row: Row) -> Sequence[str]:
    """Where requests go now, by the instances that are up: a line for each rule."""
    return [f"{_of(rule)}: {', '.join(map(_share, rows_of(rule, 'to')))}" for rule in rows_of(row, "outcome")]


def _of(rule: Row) -> str:
    headers = part(rule, "headers")
    return " and ".join(_condition(name, part(headers, name)) for name in headers) or "requests"


def _share(outcome: Row) -> str:
    versions, instances = outcome.get("versions"), outcome.get("instances")
    count = len(instances) if isinstance(instances, list) else 0
    names = ", ".join(map(str, versions)) if isinstance(versions, list) and versions else "nobody"
    share = outcome.get("share")
    percent = f"{share:g}" if isinstance(share, int | float) else "?"
    return printable(f"{percent} % to {names} ({count} instance{'' if count == 1 else 's'})")


def running(row: Row) -> Mapping[str, int]:
    """How many instances of each version are up."""
    counts = {text(one, "version"): one.get("up") for one in rows_of(row, "versions")}
    return {version: up for version, up in counts.items() if isinstance(up, int) and up}
