"""The fields of rules as data, for forms: what each is, what it may be, what it is where nobody says it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from governance.rules.asks import Asks, Sort, asks_of
from governance.rules.check import RuleKey
from governance.rules.darklaunch import DarkLaunch
from governance.rules.gochassis import Marker
from governance.rules.legacy import asked_by
from governance.rules.marker import MatchGroup
from governance.rules.policies import KINDS
from governance.rules.reading import camel, text
from governance.rules.routes import RouteRule

Default: TypeAlias = "str | int | float | bool | tuple[str, ...] | None"
VALUE = "value"
"""The field of a rule that is a single value."""
_RECORDS: Mapping[str, type] = {
    "matchGroup": MatchGroup,
    "match": Marker,
    "darklaunch": DarkLaunch,
    **KINDS,
}
_ROUTES = ("routeRule", "globalRouteRule")
_SHARED = ("services", "order")


@dataclass(frozen=True, slots=True)
class Field:
    """One field by its name in a text. `default` is None where there is none; `about` says to people what it is."""

    name: str
    about: str
    asks: Asks
    required: bool
    default: Default

    @property
    def fields(self) -> Sequence[Field]:
        """Those of a record, or of each record of a list."""
        record = self.asks.record or (self.asks.inner.record if self.asks.inner is not None else None)
        return fields_of_record(record) if record is not None else ()


def kinds() -> Sequence[str]:
    """The kinds of rules that have fields, in the order in which people meet them."""
    return ["matchGroup", *_ROUTES, *KINDS, "darklaunch", "match"]


def fields_of_key(key: RuleKey) -> Sequence[Field]:
    """The fields of a rule; one, `value`, where it is a single value."""
    if found := fields_of(key.kind) if key.legacy is None else ():
        return found
    reader, default = (asked_by(key.legacy) if key.legacy is not None else None) or (text, None)
    return (Field(VALUE, "", asks_of(reader), required=True, default=default),)


def fields_of(kind: str) -> Sequence[Field]:
    """The fields of a kind; none where its rules are single values. Route rules are a list, which has no name."""
    if kind in _ROUTES:
        asks = Asks(Sort.LIST, inner=Asks(Sort.RECORD, record=RouteRule))
        return (Field("", "", asks, required=True, default=None),)
    record = _RECORDS.get(kind)
    found = fields_of_record(record) if record is not None else ()
    # What all policies have is not what somebody comes for.
    return sorted(found, key=lambda one: one.name in _SHARED)


def fields_of_record(record: type) -> Sequence[Field]:
    """The fields of a dataclass that are read from a text."""
    return [_field(one) for one in dataclasses.fields(record) if "reader" in one.metadata]


def _field(one: dataclasses.Field[object]) -> Field:
    missing = one.default is dataclasses.MISSING
    default = None if missing else one.default
    assert default is None or isinstance(default, str | int | float | tuple)  # noqa: S101  rules have no other values
    required = missing and one.default_factory is dataclasses.MISSING
    return Field(camel(one.name), one.metadata["about"], asks_of(one.metadata["reader"]), required, default)
