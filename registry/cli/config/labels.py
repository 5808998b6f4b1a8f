"""Options that say which labels: those that an item has, or those that items are looked for by."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence

import typer

from registry.cli.client import printable
from registry.cli.options import keyword

Labels = Mapping[str, str]
_ORDER = ("app", "service", "version", "environment")
_ALWAYS = (
    "Environment. The label is always there, empty where this is not given, because Java clients see only items that have it; "
    "--no-environment leaves it out."
)
_OWN = keyword(
    "label", list[str] | None, typer.Option(help="One more label, as NAME=VALUE; repeatable.", metavar="NAME=VALUE")
)
_PLACE = (
    keyword("app", str | None, typer.Option(help="Application.", show_default=False)),
    keyword("service", str | None, typer.Option(help="Service of the application.", show_default=False)),
    keyword("version", str | None, typer.Option(help="Version of the service.", show_default=False)),
)
NAMING: Sequence[inspect.Parameter] = (
    *_PLACE,
    keyword("environment", str | None, typer.Option(help=_ALWAYS, show_default=False)),
    keyword("no_environment", bool, typer.Option("--no-environment", help="No label environment."), default=False),
    _OWN,
)
"""The labels of one item, all of them."""
CHOOSING: Sequence[inspect.Parameter] = (
    *_PLACE,
    keyword("environment", str | None, typer.Option(help="Environment, which may be empty.", show_default=False)),
    _OWN,
)
"""Labels that items have among others."""


def named(given: Mapping[str, object]) -> Labels:
    """The labels of the item that `NAMING` describes. A label that no client could ask for is a usage error."""
    for name, needed in (("service", "app"), ("version", "service")):
        if given[name] and not given[needed]:
            raise typer.BadParameter(f"--{name} needs --{needed}: no client asks for it alone")
    if given["environment"] and given["no_environment"]:
        raise typer.BadParameter("--environment and --no-environment contradict each other")
    return chosen({**given, "environment": None if given["no_environment"] else given["environment"] or ""})


def chosen(given: Mapping[str, object]) -> Labels:
    """The labels that `CHOOSING` asks for."""
    labels = {name: str(given[name]) for name in _ORDER if given[name] is not None}
    more = given["label"]
    for text in more if isinstance(more, list) else ():
        name, separator, value = str(text).partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"--label {text!r} is not NAME=VALUE")
        if labels.get(name, value) != value:
            raise typer.BadParameter(f"the label {name} is given twice: {labels[name]!r} and {value!r}")
        labels[name] = value
    return labels


def parameters(labels: Labels) -> Sequence[tuple[str, str]]:
    """The labels as parameters of a query."""
    return [("label", f"{name}:{value}") for name, value in labels.items()]


def shown(labels: object) -> str:
    """Labels for a terminal: where, then the others."""
    if not isinstance(labels, dict) or not labels:
        return "no labels"
    order = [name for name in _ORDER if name in labels] + sorted(set(labels) - set(_ORDER))
    return " ".join(printable(f"{name}={labels[name]}") for name in order)
