"""Versions and version rules. Protocol: Service Center sections 4.5 and 7.11.

A version is one to four numbers of 0 to 32767; missing ones count as 0. A rule is `latest`, `v+` (v and newer), `a-b` (from a up to,
but not including, b; the bounds in any order), or one exact version text.
"""

import re
from collections.abc import Callable, Iterable

_VERSION = re.compile(r"\d{1,5}(\.\d{1,5}){0,3}", re.ASCII)
_LARGEST_PART = 32767

Version = tuple[int, int, int, int]


def parse_version(text: str) -> Version:
    """The version as numbers, for comparing. Raises `ValueError` where the text is no version."""
    if not _VERSION.fullmatch(text):
        raise ValueError(f"{text!r} is not of the form x[.y[.z[.w]]]")
    parts = [int(part) for part in text.split(".")]
    if max(parts) > _LARGEST_PART:
        raise ValueError(f"{text!r} has a part above {_LARGEST_PART}")
    parts += [0] * (4 - len(parts))
    return parts[0], parts[1], parts[2], parts[3]


def version_filter(rule: str, versions: Iterable[str]) -> Callable[[str], bool]:
    """A test that says which version texts a rule selects; `versions` are those that `latest` chooses from.

    Raises `ValueError` for a text that is no rule.
    """
    if rule == "latest":
        newest = max(versions, key=parse_version, default=None)
        return lambda version: version == newest
    if rule.endswith("+"):
        least = parse_version(rule[:-1])
        return lambda version: parse_version(version) >= least
    if "-" in rule:
        low, high = sorted(parse_version(bound) for bound in rule.split("-", 1))
        return lambda version: low <= parse_version(version) < high
    parse_version(rule)
    return lambda version: version == rule
