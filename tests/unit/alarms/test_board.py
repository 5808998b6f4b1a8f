"""When alarms are raised and cleared: never within the band between the thresholds, and only after long enough."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.alarms.board import GONE_SECONDS, Alarm, Board, Turn, id_of
from registry.alarms.measures import REPORTED, Source
from registry.alarms.rules import Rule, rule_of
from registry.errors import RegistryError

TENANT = "default/default"
CART = Source("", "mall", "cart")
_FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def _rule(**more: object) -> Rule:
    return rule_of({"name": "r", "metric": "p99", "raise": 100, "clear": 80, **more})


class World:
    """A board, and what it tells."""

    def __init__(self, most: int = 100, history: int = 100) -> None:
        self.turns: list[tuple[Turn, str]] = []
        self.board = Board(most, history)
        self.board.tell.append(lambda turn, alarm: self.turns.append((turn, alarm.alarm_id)))

    def take(self, rule: Rule, value: float, second: float, source: Source = CART) -> None:
        """A number at a second."""
        self.board.measured(TENANT, rule, source, value, int(1000 * second), second)

    @property
    def raised(self) -> list[Alarm]:
        """The raised alarms."""
        return list(self.board.active(TENANT))


@settings(deadline=None)
@given(st.lists(st.floats(80, 100, exclude_min=True), min_size=1, max_size=50), st.booleans())
def test_a_number_within_the_band_changes_nothing(values: list[float], wrong_before: bool) -> None:
    """However it swings there, and whether the alarm is raised or not."""
    world = World()
    if wrong_before:
        world.take(_rule(), 101, 0)
    before = list(world.turns)
    for second, value in enumerate(values):
        world.take(_rule(), value, second)
    assert world.turns == before
    assert len(world.raised) == wrong_before


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 10), _FINITE), max_size=80), st.floats(0, 20), st.floats(0, 20), st.booleans())
def test_it_is_raised_only_after_long_enough_and_cleared_likewise(
    steps: list[tuple[float, float]], seconds: float, clear_seconds: float, below: bool
) -> None:
    """Against a model that remembers since when every number has been wrong, or right."""
    thresholds = {"raise": 80, "clear": 100, "condition": "below"} if below else {}
    rule = _rule(**{"for": seconds, "clearFor": clear_seconds, **thresholds})
    world, now = World(), 0.0
    raised, wrong_since, right_since = False, None, None
    for gap, value in steps:
        now += gap
        world.take(rule, value, now)
        wrong = value < 80 if below else value > 100
        right = value >= 100 if below else value <= 80
        wrong_since = (now if wrong_since is None else wrong_since) if wrong else None
        right_since = (now if right_since is None else right_since) if right else None
        if raised and right_since is not None and now - right_since >= clear_seconds:
            raised, wrong_since = False, None
        elif not raised and wrong_since is not None and now - wrong_since >= seconds:
            raised, right_since = True, None
        assert bool(world.raised) == raised
    assert [turn for turn, _ in world.turns] == [Turn.RAISED, Turn.CLEARED] * (len(world.turns) // 2) + (
        [Turn.RAISED] if raised else []
    ), "they take turns"


def test_an_alarm_says_what_is_wrong_and_since_when() -> None:
    world = World()
    world.take(_rule(severity="critical", **{"for": 5}), 150, 1)
    assert world.raised == []
    world.take(_rule(severity="critical", **{"for": 5}), 250.5, 6)
    (alarm,) = world.raised
    assert (alarm.alarm_id, alarm.severity, alarm.since) == ("r//mall/cart", "critical", 6000)
    assert alarm.message == "p99 of mall/cart is 250.5 ms, above 100 ms"
    world.take(_rule(severity="minor"), 90, 7)
    assert (alarm.value, alarm.severity) == (90, "minor"), "the newest number, and the rule as it is now"
    assert alarm.message == "p99 of mall/cart is 250.5 ms, above 100 ms", "the last number that was wrong"


def test_what_is_measured_no_more_is_over_of_calls_after_a_while() -> None:
    """Pending ones are forgotten at once: nobody knows how it went on."""
    world = World()
    world.take(_rule(), 200, 0)
    world.take(_rule(**{"for": 10}), 200, 0, Source("", "mall", "other"))
    world.take(rule_of({"name": "up", "metric": "instances-up", "raise": 1}), 0, 0)
    world.board.swept(0, 5, 5, lambda _alarm: True)
    assert [alarm.rule for alarm in world.raised] == ["r"]
    world.take(_rule(**{"for": 10}), 200, 11, Source("", "mall", "other"))
    assert len(world.raised) == 1
    world.board.swept(0, GONE_SECONDS + 1, GONE_SECONDS + 1, lambda _alarm: True)
    assert world.raised == []
    assert {alarm.why_cleared for alarm in world.board.history(TENANT)} == {"it is measured no more"}


def test_an_alarm_ends_with_its_rule() -> None:
    world = World()
    world.take(_rule(), 200, 0)
    world.board.swept(1, 0, 0, lambda alarm: alarm.rule != "r")
    assert world.turns == [(Turn.RAISED, "r//mall/cart"), (Turn.CLEARED, "r//mall/cart")]


def test_what_is_reported_is_not_swept_away() -> None:
    board = Board(10, 10)
    board.report(Alarm(TENANT, "x", "x", REPORTED, "major", Source(), "bad", 1.0, 0.0, 0))
    board.swept(0, 1000, 1000, lambda _alarm: False)
    assert [alarm.alarm_id for alarm in board.active(TENANT)] == ["x"]


def test_alarms_pending_ones_and_history_are_bounded() -> None:
    world = World(most=10, history=5)
    for number in range(100):
        world.take(_rule(), 200, 0, Source("", "mall", f"s{number}"))
    assert (len(world.raised), world.board.refused) == (10, 90)
    for number in range(100):
        world.take(_rule(name="slow", **{"for": 5}), 200, 0, Source("", "mall", f"s{number}"))
    assert world.board.pending == 40
    for alarm in world.raised:
        world.board.clear(TENANT, alarm.alarm_id, 0, "right")
    assert len(list(world.board.history(TENANT))) == 5
    assert world.board.raised_total == 10


def test_the_engine_s_own_alarms_find_room_where_services_have_taken_it_all() -> None:
    world = World(most=1)
    for number in range(10):
        world.take(_rule(), 200, 0, Source("", "mall", f"s{number}"))
        world.take(_rule(name="slow", **{"for": 5}), 200, 0, Source("", "mall", f"s{number}"))
    disk = _rule(name="disk", metric="disk-free", **{"raise": 512, "clear": 1024, "for": 5})
    world.take(disk, 1, 0, Source())
    world.take(disk, 1, 5, Source())
    assert [alarm.rule for alarm in world.raised] == ["r", "disk"]


def test_tenants_forget_their_own() -> None:
    world = World()
    world.take(_rule(), 200, 0)
    world.board.measured("other/default", _rule(), CART, 200, 0, 0)
    world.board.forget(lambda alarm: alarm.tenant == TENANT)
    assert world.raised == []
    assert [alarm.tenant for alarm in world.board.everything()] == ["other/default"]


_PARTS = st.text(st.sampled_from("a/%-"), max_size=4)


@settings(deadline=None)
@given(st.lists(_PARTS, min_size=6, max_size=6), st.lists(_PARTS, min_size=6, max_size=6))
def test_two_sources_never_have_one_id(first: list[str], second: list[str]) -> None:
    if first != second:
        assert id_of("r", Source(*first)) != id_of("r", Source(*second))


@pytest.mark.parametrize(
    ("given_rule", "why"),
    [
        ({"raise": None}, "raise: a number"),
        ({"raise": float("nan")}, "raise: a number"),
        ({"raise": True}, "raise: a number"),
        ({"clear": 101}, "clear: at most 100"),
        ({"clear": 1, "condition": "below"}, "clear: at least 100"),
        ({"metric": "px"}, "metric: one of"),
        ({"severity": "awful"}, "severity: one of critical"),
        ({"for": -1}, "for: at least 0"),
        ({"per": "pod"}, "per: one of service, version"),
        ({"metric": "quota-config", "per": "service"}, "one source only"),
        ({"metric": "instances-up", "interface": "GET*"}, "interface: the measure is not taken by that"),
        ({"metric": "disk-free", "app": "mall"}, "app: the measure is not taken by that"),
        ({"service": "[a-z]*"}, "service: of a pattern"),
        ({"service": "x" * 161}, "service: a text of 160"),
        ({"name": "a/b"}, "name: letters"),
        ({"threshold": 1}, "no member 'threshold'"),
        ({"enabled": "yes"}, "enabled: true or false"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_what_to_write(given_rule: dict[str, object], why: str) -> None:
    with pytest.raises(RegistryError) as refused:
        _rule(**given_rule)
    assert refused.value.error.code == 400001
    assert why in refused.value.detail


def test_patterns_say_which_sources_a_rule_is_about() -> None:
    rule = _rule(app="mall", service="c*t", per="version", version="1.?")
    assert rule.about(Source("", "mall", "cart", "1.0"))
    assert not rule.about(Source("", "mall", "cart", "1.10"))
    assert not rule.about(Source("", "other", "cart", "1.0"))
    assert rule_of(rule.document) == rule
