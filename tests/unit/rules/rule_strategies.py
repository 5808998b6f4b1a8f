"""Rules of every kind, as Hypothesis draws them."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from governance.rules import policies
from governance.rules.access import AccessPart
from governance.rules.check import Rule
from governance.rules.conditions import GO_ONLY, MARKER, Condition, Operator
from governance.rules.darklaunch import DarkItem, DarkLaunch
from governance.rules.gochassis import OPERATORS as GO_OPERATORS
from governance.rules.gochassis import Marker, MarkerMatch
from governance.rules.legacy import Setting
from governance.rules.marker import CustomMatcher, Match, MatchGroup
from governance.rules.routes import RouteItem, RouteMatch, RouteRule, RouteRules
from governance.rules.security import SecurityPart

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,8}(\.[A-Za-z0-9_-]{1,4})?", fullmatch=True)
# What KIE or a file could bring: anything but halves of characters.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    ["yes", "~", "<<", "1:30", "a: b", "- a", "\x7f"]
)
WORDS = TEXTS.filter(bool)
_COUNTS = st.integers(1, 2**31 - 1)
_TIMES = st.integers(10, 2**62)
_SHARES = st.floats(0.001, 100, allow_nan=False)
_STATUSES = st.lists(st.from_regex(r"[0-9x]{3}", fullmatch=True), min_size=1, max_size=3).map(tuple)
_COMMON = {"name": NAMES, "services": TEXTS, "order": st.integers(-(2**31), 2**31 - 1)}
_LIMIT = {**_COMMON, "rate": _COUNTS, "limit_refresh_period": _TIMES, "timeout_duration": _TIMES}
_BREAKER = {
    **_COMMON,
    "failure_rate_threshold": _SHARES,
    "slow_call_rate_threshold": _SHARES,
    "slow_call_duration_threshold": _TIMES,
    "minimum_number_of_calls": _COUNTS,
    "sliding_window_type": st.sampled_from(["TIME_BASED", "COUNT_BASED"]),
    "sliding_window_size": st.integers(1, 10**8).map(str),
    "permitted_number_of_calls_in_half_open_state": _COUNTS,
    "wait_duration_in_open_state": _TIMES,
    "record_failure_status": _STATUSES,
    "force_open": st.booleans(),
    "force_closed": st.booleans(),
}
_BULKHEAD = {**_COMMON, "max_concurrent_calls": _COUNTS, "max_wait_duration": _TIMES}
POLICIES: dict[str, SearchStrategy[policies.Policy]] = {
    "rateLimiting": st.builds(policies.RateLimiting, **_LIMIT, match=TEXTS, burst=st.integers(0, 2**31 - 1)),
    "identifierRateLimiting": st.builds(policies.IdentifierRateLimiting, **_LIMIT, identifier=WORDS),
    "retry": st.builds(
        policies.Retry,
        **_COMMON,
        max_attempts=_COUNTS,
        wait_duration=_TIMES,
        retry_on_response_status=_STATUSES,
        retry_strategy=st.sampled_from(["FixedInterval", "RandomBackoff"]),
        initial_interval=_TIMES,
        multiplier=_SHARES,
        randomization_factor=st.floats(0.001, 1),
        fail_after_max_attempts=st.booleans(),
        retry_on_same=st.integers(0, 9),
    ),
    "circuitBreaker": st.builds(policies.CircuitBreaker, **_BREAKER),
    "instanceIsolation": st.builds(policies.InstanceIsolation, **_BREAKER),
    "bulkhead": st.builds(policies.Bulkhead, **_BULKHEAD),
    "instanceBulkhead": st.builds(policies.InstanceBulkhead, **_BULKHEAD),
    "faultInjection": st.builds(
        policies.FaultInjection,
        **_COMMON,
        type=st.sampled_from(["delay", "abort"]),
        delay_time=_TIMES,
        percentage=st.integers(-1, 100),
        error_code=st.integers(200, 600),
        fallback_type=st.sampled_from(["ThrowException", "ReturnNull"]),
        force_closed=st.booleans(),
    ),
    "loadbalance": st.builds(policies.LoadBalance, **_COMMON, rule=st.sampled_from(["Random", "WeightedResponse"])),
    "mapper": st.builds(policies.Mapper, **_COMMON, target=st.dictionaries(TEXTS, TEXTS, max_size=3)),
    "timeLimiter": st.builds(
        policies.TimeLimiter, **_COMMON, timeout_duration=_TIMES, cancel_running_future=st.booleans()
    ),
    "cache": st.builds(policies.Cache, **_COMMON, ttl=_TIMES, maximum_size=_COUNTS, concurrency_level=_COUNTS),
}
_WHOLE = st.integers(-999, 999).map(str)
_PATTERNS = {
    **dict.fromkeys(Operator, TEXTS),
    **dict.fromkeys(GO_ONLY[1:], _WHOLE),
    Operator.COMPARE: st.sampled_from([">=3", "<1.5", "!0", "=7"]),
    Operator.REGEX: st.sampled_from(["gray[a-z]*", "a|b", r"\d{1,3}"]),
}


def _conditions(known: tuple[Operator, ...], folds: SearchStrategy[bool | None]) -> SearchStrategy[Condition]:
    operators = st.fixed_dictionaries({}, optional={one: _PATTERNS[one] for one in known})
    return st.builds(Condition, operators, folds)


MARKER_CONDITIONS = _conditions(MARKER, st.none())
ROUTE_CONDITIONS = _conditions(tuple(Operator), st.sampled_from([None, True, False]))
_METHODS = st.none() | st.lists(st.sampled_from(["GET", "POST", "get"]), max_size=2).map(tuple)


def _match_fields(conditions: SearchStrategy[Condition]) -> dict[str, SearchStrategy[object]]:
    return {
        "name": TEXTS,
        "api_path": st.none() | conditions,
        "method": _METHODS,
        "headers": st.dictionaries(TEXTS, conditions, max_size=2),
        "queries": st.dictionaries(TEXTS, conditions, max_size=2),
        "service_name": st.none() | TEXTS,
        "custom_matcher": st.none() | st.builds(CustomMatcher, TEXTS, TEXTS),
    }


MATCHES = st.builds(Match, **_match_fields(MARKER_CONDITIONS))
GROUPS = st.builds(MatchGroup, NAMES, st.lists(MATCHES, min_size=1, max_size=3).map(tuple), TEXTS, TEXTS)
_GO_CONDITIONS = _conditions(GO_OPERATORS, st.none())
MARKERS = st.builds(
    Marker,
    NAMES,
    st.lists(
        st.builds(
            MarkerMatch,
            TEXTS,
            st.none() | _GO_CONDITIONS,
            _METHODS.map(lambda found: found or ()),
            st.dictionaries(TEXTS, _GO_CONDITIONS, max_size=2),
            st.sampled_from(["once", "perService"]),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)
_TAGS = st.dictionaries(WORDS, WORDS, min_size=1, max_size=2)


@st.composite
def route_items(draw: st.DrawFn, least: int = 1) -> tuple[RouteItem, ...]:
    """Items whose weights add up to 100 at most."""
    weights = draw(st.lists(st.integers(0, 25), min_size=least, max_size=4))
    return tuple(RouteItem(weight, draw(_TAGS)) for weight in weights)


@st.composite
def route_rules(draw: st.DrawFn) -> RouteRules:
    """Rules with precedences that differ."""
    precedences = draw(st.lists(st.integers(-9, 9), min_size=1, max_size=3, unique=True))
    match = st.none() | st.builds(
        RouteMatch,
        **_match_fields(ROUTE_CONDITIONS),
        http_headers=st.dictionaries(TEXTS, ROUTE_CONDITIONS, max_size=1),
        source=TEXTS,
        source_tags=st.dictionaries(TEXTS, TEXTS, max_size=1),
        refer=TEXTS,
    )
    rules = tuple(
        RouteRule(
            precedence=one,
            match=draw(match),
            route=draw(route_items()),
            fallback=draw(route_items(0)),
            empty_protection=draw(st.booleans()),
        )
        for one in precedences
    )
    return RouteRules(draw(NAMES), rules)


_EXPRESSIONS = st.sampled_from(["version=1.0.1,1.0.2", "uid<100&&city=sz", "a~b*||c!=d"])


def _dark(kind: str, conditions: SearchStrategy[str]) -> SearchStrategy[DarkLaunch]:
    items = st.lists(st.builds(DarkItem, WORDS, _EXPRESSIONS, conditions, st.booleans()), min_size=1, max_size=3)
    return st.builds(DarkLaunch, NAMES, st.just(kind), items.map(tuple))


DARK = _dark("RATE", st.integers(0, 33).map(str)) | _dark("RULE", _EXPRESSIONS)
_PREFIX = "servicecomb."
_SPRING = "spring.cloud.servicecomb.webmvc.public-key"
KEYED: SearchStrategy[tuple[str, Rule]] = st.one_of(
    *(
        strategy.map(lambda rule, kind=kind: (f"{_PREFIX}{kind}.{rule.name}", rule))
        for kind, strategy in POLICIES.items()
    ),
    GROUPS.map(lambda rule: (f"{_PREFIX}matchGroup.{rule.name}", rule)),
    MARKERS.map(lambda rule: (f"{_PREFIX}match.{rule.name}", rule)),
    route_rules().map(lambda rule: (f"{_PREFIX}routeRule.{rule.service}", rule)),
    DARK.map(lambda rule: (f"{_PREFIX}darklaunch.policy.{rule.service}", rule)),
    st.booleans().map(
        lambda force: (f"{_PREFIX}fallback.Consumer.a.force", Setting("fallback", "Consumer", "a", "force", force))
    ),
    st.sampled_from(["a", "a*", "*a"]).map(
        lambda rule: (f"{_PREFIX}publicKey.accessControl.white.x.rule", AccessPart("white", "x", "rule", rule))
    ),
    WORDS.filter(lambda text: text.strip()).map(
        lambda name: (
            f"{_SPRING}.access-control.black[1].property-name",
            AccessPart("black", "[1]", "propertyName", name, spring=True),
        )
    ),
    WORDS.filter(lambda text: text.strip()).map(
        lambda name: (f"{_SPRING}.acls.action.deny[1].id", SecurityPart("deny", "[1]", "id", name))
    ),
)
"""A key with the rule of an item."""
