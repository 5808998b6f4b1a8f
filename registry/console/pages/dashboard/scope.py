"""What the dashboard is about: everything, or an application, a service, a version, an instance, an interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

PATH = "/console/dashboard"
_NAMES = ("app", "environment", "service", "version", "instance", "interface")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is chosen, by name; what is missing is any. An environment is there with its application, though it may be empty."""

    chosen: Mapping[str, str]

    @staticmethod
    def of(query: Mapping[str, str]) -> Scope:
        """What an address names."""
        return Scope(
            {name: query[name] for name in _NAMES if query.get(name) or (name == "environment" and name in query)}
        )

    def __getattr__(self, name: str) -> str:
        if name not in _NAMES:
            raise AttributeError(name)
        return self.chosen.get(name, "")

    @property
    def query(self) -> Mapping[str, object]:
        """As the API is asked: an empty environment is one, too."""
        return {name: [value] for name, value in self.chosen.items()}

    @property
    def has_series(self) -> bool:
        """Whether it is about something that the API draws a curve of."""
        return bool(self.app or self.service or self.instance)

    def lists(self) -> Sequence[str]:
        """The lists of what is in it, the first one to begin with."""
        if self.instance:
            return ("interfaces",)
        if self.interface:
            return ("interfaces", "instances")
        if self.version:
            return ("instances", "interfaces")
        if self.service:
            return ("versions", "instances", "interfaces")
        return (
            ("services", "instances", "interfaces")
            if self.app
            else ("applications", "services", "instances", "interfaces")
        )

    def crumbs(self) -> Sequence[tuple[str, str]]:
        """The way to it: the text and the address of each step."""
        steps, so_far = list[tuple[str, str]](), dict[str, str]()
        for name, value in self.chosen.items():
            so_far[name] = value
            if name == "environment":
                steps[-1:] = [(f"{text} · {value}" if value else text, address(so_far)) for text, _ in steps[-1:]]
            else:
                steps.append((value, address(so_far)))
        return steps


def address(query: Mapping[str, object], part: str = "") -> str:
    """The address of the page, or of a part of it."""
    asked = urlencode(query)
    return f"{PATH}{part}?{asked}" if asked else f"{PATH}{part}"
