"""The query of a list. Protocol: KIE sections A.7 and A.8, in whose order the parameters are looked at."""

from __future__ import annotations

import re

from registry.api.call import Call
from registry.api.kie.durations import seconds_of
from registry.config.query import Query
from registry.config.records import Labels
from registry.config.rules import MOST_A_PAGE, check_query
from registry.config.state import Topic
from registry.errors import ConfigError

_NUMBER = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_INT64 = 2**63
_BAD_LABEL = "label value can not be empty, label can not be duplicated, please check query parameters"


def query_of(call: Call) -> Query:
    """What is listed. Raises 400001."""
    labels, given = labels_of(call), call.query
    offset, limit = page_of(call)
    key, value, status = (given.get(name, "") for name in ("key", "value", "status"))
    check_query(dict(labels), key, value, status)
    return Query(Topic(call.tenant, labels, given.get("match") == "exact"), key, value, status, offset, limit)


def labels_of(call: Call) -> Labels:
    """The labels of the query: `name:value`, the last of a name counts. Raises 400001."""
    labels: dict[str, str] = {}
    for parameter, text in call.pairs:
        if parameter == "label":
            name, separator, value = text.partition(":")
            if not separator or ":" in value:
                raise ConfigError(400001, _BAD_LABEL)
            labels[name] = value
    return frozenset(labels.items())


def page_of(call: Call) -> tuple[int, int]:
    """Offset and limit; no limit is no paging, in which case the offset does not count. Raises 400001."""
    given = call.query
    offset, limit = _number(given.get("offset") or "0"), given.get("limit", "")
    if offset is None or offset < 0:
        raise ConfigError(400001, "invalid offset number")
    if not limit:
        return 0, 0
    most = _number(limit)
    if most is None or not 1 <= most <= MOST_A_PAGE:
        raise ConfigError(400001, "invalid limit number")
    return offset, most


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
    number = _number(text)
    if number is None:
        raise ConfigError(400001, "revision param should be formed with number greater than 0")
    return number


def _number(text: str) -> int | None:
    """The number that a text is, as far as it fits in 64 bits."""
    number = int(text) if _NUMBER.fullmatch(text) else _INT64
    return number if -_INT64 <= number < _INT64 else None
