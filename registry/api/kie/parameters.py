"""The query of a list. Protocol: KIE sections A.7 and A.8, in whose order the parameters are looked at."""

from __future__ import annotations

import re

from registry.api.call import Call
from registry.api.kie.durations import seconds_of
from registry.config.query import Query
from registry.config.records import Labels
from registry.config.rules import (
    LONGEST_QUERY,
    MOST_A_PAGE,
    MOST_QUERIED_LABELS,
    check_labels,
    check_length,
    check_queried_key,
    check_status,
)
from registry.config.state import Topic
from registry.errors import ConfigError

_NUMBER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_BAD_LABEL = "label value can not be empty, label can not be duplicated, please check query parameters"


def query_of(call: Call) -> Query:
    """What is listed. Raises 400001."""
    labels = labels_of(call)
    given = call.query
    offset, limit = page_of(call)
    check_queried_key(given.get("key", ""))
    check_length("ListKVRequest.Value", given.get("value", ""), LONGEST_QUERY)
    check_status("ListKVRequest", given.get("status", ""))
    topic = Topic(call.tenant, labels, given.get("match") == "exact")
    return Query(topic, given.get("key", ""), given.get("value", ""), given.get("status", ""), offset, limit)


def labels_of(call: Call) -> Labels:
    """The labels of the query: `name:value`, the last of a name counts. Raises 400001."""
    labels: dict[str, str] = {}
    for parameter, text in call.pairs:
        if parameter == "label":
            name, separator, value = text.partition(":")
            if not separator or ":" in value:
                raise ConfigError(400001, _BAD_LABEL)
            labels[name] = value
    check_labels("ListKVRequest", labels, MOST_QUERIED_LABELS)
    return frozenset(labels.items())


def page_of(call: Call) -> tuple[int, int]:
    """Offset and limit; no limit is no paging, in which case the offset does not count. Raises 400001."""
    given = call.query
    offset, limit = given.get("offset", ""), given.get("limit", "")
    if offset and (not _NUMBER.fullmatch(offset) or int(offset) < 0):
        raise ConfigError(400001, "invalid offset number")
    if not limit:
        return 0, 0
    if not _NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MOST_A_PAGE:
        raise ConfigError(400001, "invalid limit number")
    return int(offset or 0), int(limit)


def wait_of(call: Call) -> float | None:
    """The seconds that the client is ready to wait, if it is. Raises 400001."""
    text = call.query.get("wait", "")
    if not text:
        return None
    try:
        return seconds_of(text)
    except ValueError as error:
        raise ConfigError(400001, str(error)) from error


def revision_of(call: Call) -> int | None:
    """The revision that the client has, if it says so. Raises 400001."""
    text = call.query.get("revision", "")
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise ConfigError(400001, "revision param should be formed with number greater than 0")
    return int(text)
