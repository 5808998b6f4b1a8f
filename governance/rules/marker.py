"""The traffic marker, `servicecomb.matchGroup.<name>`: which requests a policy of the same name applies to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from ruamel.yaml.nodes import Node

from governance.rules.asks import Asks, Sort, asking
from governance.rules.conditions import MARKER, Condition, condition
from governance.rules.joining import all_of, any_of
from governance.rules.problems import Code, Notes, Path
from governance.rules.reading import by, list_of, mapping_by, read_record, text

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT")
CONDITION = condition(MARKER)


@dataclass(frozen=True, slots=True)
class Request:
    """What of a request rules look at. `service_name` is the callee's on the consumer's side, None where it is not known.

    `source` and `source_tags` are the caller's name and properties.
    """

    path: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)
    service_name: str | None = None
    source: str | None = None
    source_tags: Mapping[str, str] = field(default_factory=dict)
    _folded: Mapping[str, str] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def folded_headers(self) -> Mapping[str, str]:
        """The headers by name in one case, made once. Of several with the same name, the first counts."""
        folded = self._folded
        if folded is None:
            folded = {name.casefold(): value for name, value in reversed(tuple(self.headers.items()))}
            object.__setattr__(self, "_folded", folded)
        return folded


RequestTest: TypeAlias = Callable[[Request], bool]


@dataclass(frozen=True, slots=True)
class CustomMatcher:
    """A class of Java that decides; without its name or without parameters it lets everything pass."""

    custom_matcher_handler: str = field(default="", metadata=by(text, "the class"))
    custom_matcher_parameters: str = field(default="", metadata=by(text, "what it is given"))


@asking(Asks(Sort.RECORD, record=CustomMatcher))
def _custom(node: Node, notes: Notes, path: Path) -> CustomMatcher | None:
    found = read_record(CustomMatcher, node, notes, path)
    if found is not None and found.custom_matcher_handler and found.custom_matcher_parameters:
        notes.warn(
            path,
            Code.UNSUPPORTED,
            "only Java Chassis from 2.8.1 and Spring Cloud Huawei run such a class; for others the rule never matches",
        )
    return found


@asking(Asks(Sort.LIST, inner=Asks(Sort.CHOICE, words=METHODS)))
def methods(node: Node, notes: Notes, path: Path) -> tuple[str, ...] | None:
    """Verbs of HTTP; the comparison heeds their case."""
    found: tuple[str, ...] | None = list_of(text)(node, notes, path)
    if found == ():
        notes.warn(
            path,
            Code.NEVER_MATCHES,
            "the list of methods is empty, so it matches nothing",
            "add a method or leave method away",
        )
    for index, method in enumerate(found or ()):
        if method not in METHODS:
            instead = f"write {method.upper()}" if method.upper() in METHODS else f"write one of {', '.join(METHODS)}"
            notes.warn((*path, index), Code.NEVER_MATCHES, f"no request has the method {method[:100]!r}", instead)
    return found


@dataclass(frozen=True)
class Match:
    """Conditions that must all hold; what is None is not asked for."""

    name: str = field(default="", metadata=by(text, "for people"))
    api_path: Condition | None = field(default=None, metadata=by(CONDITION, "operators on the path"))
    method: tuple[str, ...] | None = field(default=None, metadata=by(methods, "one of these, in upper case"))
    headers: Mapping[str, Condition] = field(
        default_factory=dict, metadata=by(mapping_by(CONDITION), "operators for each header; names in any case")
    )
    queries: Mapping[str, Condition] = field(
        default_factory=dict,
        metadata=by(
            mapping_by(CONDITION), "operators for each parameter of the query; Java Chassis 3 alone looks at them"
        ),
    )
    service_name: str | None = field(
        default=None,
        metadata=by(
            text, "the callee; at a provider in Python or of Spring Cloud Huawei (webmvc) the caller, at others nobody"
        ),
    )
    custom_matcher: CustomMatcher | None = field(
        default=None, metadata=by(_custom, "a class of Java: customMatcherHandler, customMatcherParameters")
    )

    @cached_property
    def holds(self) -> RequestTest:
        """Whether all that is asked for holds for a request, prepared once. Names of headers are found in any case."""
        of_headers = [header_test(name, asked, fold=False) for name, asked in self.headers.items()]
        return all_of([*tests_without_headers(self), *of_headers])


@asking(Asks(Sort.RECORD, record=Match))
def match(node: Node, notes: Notes, path: Path) -> Match | None:
    """Reads one item of `matches`."""
    return read_record(Match, node, notes, path)


@dataclass(frozen=True)
class MatchGroup:
    """A request is of the group when one of its matches holds. `alias` is what Service Center's API calls it, for people."""

    name: str
    matches: tuple[Match, ...] = field(
        metadata=by(list_of(match, empty=False), "a request is of the group when one of these holds")
    )
    services: str = field(
        default="",
        metadata=by(
            text,
            "which services obey: name or name:version, with commas and without blanks; everyone where it is empty",
        ),
    )
    alias: str = field(
        default="", metadata=by(text, "for people; the API of Service Center gives the name where there is none")
    )

    @cached_property
    def holds(self) -> RequestTest:
        """Whether one of the matches holds for a request, prepared once."""
        return any_of([one.holds for one in self.matches])


def header_test(name: str, asked: Condition, *, fold: bool) -> RequestTest:
    """Whether a header is as it is asked for; `fold` counts where the rule does not say whether upper and lower case are the same."""
    folded, holds = name.casefold(), asked.test(fold=fold)

    def test(request: Request) -> bool:
        value = request.folded_headers.get(folded)
        return value is not None and holds(value)

    return test


def tests_without_headers(one: Match) -> Iterator[RequestTest]:
    """The tests of the other parts of a match."""
    methods, service_name = one.method, one.service_name
    if methods is not None:
        yield lambda request: request.method in methods
    if one.api_path is not None:
        fits = one.api_path.test(fold=False)
        yield lambda request: fits(request.path)
    for name, asked in one.queries.items():
        yield _query_test(name, asked)
    if service_name is not None:
        yield lambda request: request.service_name == service_name
    if not _custom_passes(one.custom_matcher):
        yield lambda _: False


def _query_test(name: str, asked: Condition) -> RequestTest:
    return lambda request: asked.holds(request.queries.get(name))


def _custom_passes(custom: CustomMatcher | None) -> bool:
    """What Java would decide is not known here."""
    return custom is None or not (custom.custom_matcher_handler and custom.custom_matcher_parameters)


def in_scope(services: str, name: str, version: str = "") -> bool:
    """Whether a rule's `services` names a service: a list with commas, of names or name:version; empty is everyone. Blanks count."""
    return not services or any(one in (name, f"{name}:{version}") for one in services.split(","))
