"""Dimensions: how Config Center names a set of items, and the labels that the same items have here.

A dimension is `application` (everyone), `service@app` or `service@app#version`. The environment is no part of its text: a client names it
aside, and the empty one is that of all clients that name none. Config Center knows exact label sets only, and in each the label
`environment`, which may be empty; items with other labels are KIE's own.

| Dimension | Labels |
|---|---|
| `application` | environment |
| `service@app` | app, service, environment |
| `service@app#version` | app, service, version, environment |

What KIE's clients call the level of an application, {app, environment}, has no name of its own in Config Center: a client of that
application reads it as a part of `application`, over what everyone has. Protocol: Config Center section B.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from registry.config.records import Labels

APPLICATION = "application"
DARK_LAUNCH = "darklaunch"
"""The service in whose name rules for dark launches of an application are kept."""
ENVIRONMENTS = ("development", "testing", "acceptance", "production")
LONGEST = 256

_FORBIDDEN = re.compile(r"""[\s$%&+()/\\^"\[\]\x00-\x1f\x7f]""")
_TEXT = re.compile(r"(?P<service>[^@#!]+)@(?P<app>[^@#!]+)(?:#(?P<version>[^@#!]+))?(?:![^@#!]*)?")
_PARTS = ("app", "service", "version")


class Level(NamedTuple):
    """One part of what a client reads: its name, and the label sets whose items make it, the later ones over the former."""

    name: str
    label_sets: tuple[Labels, ...]


@dataclass(frozen=True, slots=True)
class Dimension:
    """`service` without `app` is none, nor is `version` without `service`; with `app` alone it is an application's own level."""

    app: str = ""
    service: str = ""
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> Dimension:
        """The dimension of a text; tags of the instance, which old clients add after `!`, name none. Raises `ValueError`."""
        if len(text) > LONGEST:
            raise ValueError(f"a dimension has at most {LONGEST} characters")
        if text == APPLICATION:
            return cls()
        found = None if _FORBIDDEN.search(text) else _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"a dimension is {APPLICATION}, service@app or service@app#version")
        return cls(found["app"], found["service"], found["version"] or "")

    @classmethod
    def of_labels(cls, labels: Mapping[str, str]) -> tuple[Dimension, str] | None:
        """The dimension and environment of a label set; nothing for one that only KIE knows."""
        parts = {name: labels[name] for name in _PARTS if name in labels}
        environment = labels.get("environment")
        if environment is None or environment != environment_of(environment) or len(labels) != len(parts) + 1:
            return None
        if not all(parts.values()) or tuple(parts) != _PARTS[: len(parts)]:
            return None
        return cls(**parts), environment

    def __str__(self) -> str:
        if not self.service:
            return APPLICATION
        return f"{self.service}@{self.app}" + (f"#{self.version}" if self.version else "")

    def labels(self, environment: str) -> dict[str, str]:
        """The labels of items that are written to the dimension."""
        parts = {"app": self.app, "service": self.service, "version": self.version}
        return {**{name: text for name, text in parts.items() if text}, "environment": environment}

    def levels(self, environment: str) -> tuple[Level, ...]:
        """What a client of the dimension reads, the least specific level first. Section B.2."""
        own = (Dimension(self.app),) if self.app else ()
        everyone = tuple(_label_set(part, environment) for part in (Dimension(), *own))
        levels = [Level(APPLICATION, everyone)]
        if self.service:
            more = (
                Dimension(self.app, self.service),
                Dimension(self.app, DARK_LAUNCH),
                *((self,) if self.version else ()),
            )
            levels += [Level(str(part), (_label_set(part, environment),)) for part in dict.fromkeys(more)]
        return tuple(levels)


def environment_of(text: str) -> str:
    """The environment that a client names; an unknown one is none. Section B.2."""
    return text if text in ENVIRONMENTS else ""


def _label_set(dimension: Dimension, environment: str) -> Labels:
    return frozenset(dimension.labels(environment).items())
