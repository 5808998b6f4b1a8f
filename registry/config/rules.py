"""What keys, values, labels and queries may be. Protocol: KIE sections A.3 and A.7. Lengths are in characters.

A refusal names every part that breaks its rule, in the words that clients of KIE know. Section A.12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from registry.config.records import VALUE_TYPES, Draft
from registry.errors import ConfigError


class Rule(NamedTuple):
    """A pattern, and the text that refusals show of it."""

    pattern: re.Pattern[str]
    shown: str


def _rule(*alternatives: str) -> Rule:
    return Rule(re.compile("|".join(alternatives)), "|".join(f"^{text}$" for text in alternatives))


def _one_of(*words: str) -> Rule:
    """What is empty has its default by the time it is looked at, so the empty text is shown as allowed and is not."""
    return Rule(re.compile("|".join(words)), f"^$|^({'|'.join(words)})$")


KIE_KEY = _rule("[a-zA-Z0-9._:-]+")
ANY_KEY = _rule("[a-zA-Z0-9._:@#/-]+")
"""What Config Center takes as a key. KIE's clients see such a key and cannot ask for it."""
_LABEL_NAME = _rule("[a-zA-Z0-9]{1,32}", r"[a-zA-Z0-9][a-zA-Z0-9_\-.]{1,30}[a-zA-Z0-9]")
_LABEL_VALUE = _rule("[a-zA-Z0-9]{0,160}", r"[a-zA-Z0-9][a-zA-Z0-9_\-.]{0,158}[a-zA-Z0-9]")
_QUERIED_KEY = _rule("[a-zA-Z0-9._:-]*", r"beginWith\([a-zA-Z0-9._:-]*\)", r"wildcard\([a-zA-Z0-9*._:-]*\)")
_PROJECT = _rule("[a-zA-Z0-9]+", r"[a-zA-Z0-9][a-zA-Z0-9_\-.]*[a-zA-Z0-9]")
_VALUE_TYPE = _one_of(*VALUE_TYPES)
_STATUS = _one_of("enabled", "disabled")

LONGEST_KEY = 2048
LONGEST_VALUE = 131072
LONGEST_CHECK = 1048576
LONGEST_QUERY = 128
LONGEST_NAME = 256
LONGEST_ID = 64
MOST_LABELS = 6
MOST_QUERIED_LABELS = 8
MOST_A_PAGE = 100


def check_draft(draft: Draft, key: Rule = KIE_KEY) -> None:
    """Raise 400001 for a key-value with parts that break their rules, of which the one for keys is given."""
    _refuse(
        (
            *_broken_text("KVDoc.Key", draft.key, LONGEST_KEY, key),
            *_too_long("KVDoc.Value", draft.value, LONGEST_VALUE),
            *_unlike("KVDoc.ValueType", draft.value_type, _VALUE_TYPE),
            *_unlike("KVDoc.Status", draft.status, _STATUS),
            *_too_long("KVDoc.Check", draft.check, LONGEST_CHECK),
            *(() if draft.check.isascii() else [_broken("KVDoc.Check", "ascii")]),
            *_broken_labels("KVDoc", draft.labels, MOST_LABELS),
        )
    )


def check_change(value: str, status: str) -> None:
    """Raise 400001 for a value that is too long, or for a status that is neither of the two nor empty."""
    _refuse(
        (
            *_too_long("UpdateKVRequest.Value", value, LONGEST_VALUE),
            *(_unlike("UpdateKVRequest.Status", status, _STATUS) if status else ()),
        )
    )


def check_query(labels: Mapping[str, str], key: str, value: str, status: str) -> None:
    """Raise 400001 for a query with parts that break their rules; `key` is a key, `beginWith(…)` or `wildcard(…)`."""
    _refuse(
        (
            *_broken_labels("ListKVRequest", labels, MOST_QUERIED_LABELS),
            *_broken_text("ListKVRequest.Key", key, LONGEST_QUERY, _QUERIED_KEY),
            *_too_long("ListKVRequest.Value", value, LONGEST_QUERY),
            *(_unlike("ListKVRequest.Status", status, _STATUS) if status else ()),
        )
    )


def check_id(owner: str, key_id: str) -> None:
    """Raise 400001 for a text that is too long for an id."""
    _refuse(_too_long(f"{owner}.ID", key_id, LONGEST_ID))


def check_project(owner: str, name: str) -> None:
    """Raise 400001 for what is no name of a project."""
    _refuse(_broken_text(f"{owner}.Project", name, LONGEST_NAME, _PROJECT))


def _broken(field: str, rule: str) -> str:
    return f"validate failed, field: {field}, rule: {rule}"


def _refuse(broken: Sequence[str]) -> None:
    if broken:
        raise ConfigError(400001, " | ".join(broken))


def _broken_text(field: str, text: str, most: int, rule: Rule) -> Sequence[str]:
    """A text that is too long is not matched: one refusal of a part is enough."""
    return _too_long(field, text, most) or _unlike(field, text, rule)


def _too_long(field: str, text: str, most: int) -> Sequence[str]:
    return (_broken(field, f"max = {most}"),) if len(text) > most else ()


def _unlike(field: str, text: str, rule: Rule) -> Sequence[str]:
    return () if rule.pattern.fullmatch(text) else (_broken(field, rule.shown),)


def _broken_labels(owner: str, labels: Mapping[str, str], most: int) -> Sequence[str]:
    if len(labels) > most:
        return (_broken(f"{owner}.Labels", f"max = {most}"),)
    broken: list[str] = []
    for name, value in labels.items():
        field = f"{owner}.Labels[{name[:LONGEST_ID]}]"
        broken += (*_unlike(field, name, _LABEL_NAME), *_unlike(field, value, _LABEL_VALUE))
    return broken
