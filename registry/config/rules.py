"""What keys, values, labels and queries may be. Protocol: KIE sections A.3 and A.7. Lengths are in characters."""

from __future__ import annotations

import re
from collections.abc import Mapping

from registry.config.records import VALUE_TYPES, Draft
from registry.errors import ConfigError

_KEY = re.compile(r"[a-zA-Z0-9._:-]+")
_LABEL_NAME = re.compile(r"[a-zA-Z0-9]{1,32}|[a-zA-Z0-9][a-zA-Z0-9_\-.]{1,30}[a-zA-Z0-9]")
_LABEL_VALUE = re.compile(r"[a-zA-Z0-9]{0,160}|[a-zA-Z0-9][a-zA-Z0-9_\-.]{0,158}[a-zA-Z0-9]")
_QUERIED_KEY = re.compile(r"[a-zA-Z0-9._:-]*|beginWith\([a-zA-Z0-9._:-]*\)|wildcard\([a-zA-Z0-9*._:-]*\)")
_NAME = re.compile(r"[a-zA-Z0-9]*|[a-zA-Z0-9][a-zA-Z0-9_\-.]*[a-zA-Z0-9]")
_ASCII = re.compile(r"[\x00-\x7F]*")
_STATUSES = ("enabled", "disabled")

LONGEST_KEY = 2048
LONGEST_VALUE = 131072
LONGEST_CHECK = 1048576
LONGEST_QUERY = 128
LONGEST_NAME = 256
MOST_LABELS = 6
MOST_QUERIED_LABELS = 8
MOST_A_PAGE = 100


def broken(field: str, rule: str) -> ConfigError:
    """The refusal of a value, in the words that clients of KIE know."""
    return ConfigError(400001, f"validate failed, field: {field}, rule: {rule}")


def check_draft(draft: Draft) -> None:
    """Raise 400001 for the first part of a key-value that breaks its rule."""
    check_length("KVDoc.Key", draft.key, LONGEST_KEY)
    if not _KEY.fullmatch(draft.key):
        raise broken("KVDoc.Key", f"^{_KEY.pattern}$")
    check_value("KVDoc", draft.value)
    if draft.value_type not in VALUE_TYPES:
        raise broken("KVDoc.ValueType", f"^$|^({'|'.join(VALUE_TYPES)})$")
    if draft.status not in _STATUSES:
        raise broken("KVDoc.Status", f"^$|^({'|'.join(_STATUSES)})$")
    check_length("KVDoc.Check", draft.check, LONGEST_CHECK)
    if not _ASCII.fullmatch(draft.check):
        raise broken("KVDoc.Check", "ascii")
    check_labels("KVDoc", draft.labels, MOST_LABELS)


def check_value(owner: str, value: str) -> None:
    """Raise 400001 for a value that is too long."""
    check_length(f"{owner}.Value", value, LONGEST_VALUE)


def check_status(owner: str, status: str) -> None:
    """Raise 400001 for a status that is neither of the two nor empty."""
    if status and status not in _STATUSES:
        raise broken(f"{owner}.Status", f"^$|^({'|'.join(_STATUSES)})$")


def check_labels(owner: str, labels: Mapping[str, str], most: int) -> None:
    """Raise 400001 for too many labels, or for one that breaks its rule."""
    if len(labels) > most:
        raise broken(f"{owner}.Labels", f"max = {most}")
    for name, value in labels.items():
        if not _LABEL_NAME.fullmatch(name):
            raise broken(f"{owner}.Labels[{name[:64]}]", f"^{_LABEL_NAME.pattern}$")
        if not _LABEL_VALUE.fullmatch(value):
            raise broken(f"{owner}.Labels[{name[:64]}]", f"^{_LABEL_VALUE.pattern}$")


def check_queried_key(text: str) -> None:
    """Raise 400001 for what is no key, `beginWith(…)` or `wildcard(…)`."""
    check_length("ListKVRequest.Key", text, LONGEST_QUERY)
    if not _QUERIED_KEY.fullmatch(text):
        raise broken("ListKVRequest.Key", f"^{_QUERIED_KEY.pattern}$")


def check_project(name: str) -> None:
    """Raise 400001 for what is no name of a domain or project."""
    if not name or len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise broken("ListKVRequest.Project", f"^{_NAME.pattern}$")


def check_length(field: str, text: str, most: int) -> None:
    """Raise 400001 for a text of more characters."""
    if len(text) > most:
        raise broken(field, f"max = {most}")
