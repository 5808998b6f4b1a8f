"""How many instances there were counts for a while: of the most for ten minutes, of any at all for a day."""

from __future__ import annotations

from registry.alarms.population import LOOK_BACK, RETIRED_AFTER, Group, Population

CART = Group("default/default", "", "mall", "cart")


def test_instances_are_lost_against_the_most_of_late() -> None:
    population = Population()
    assert population.lost(CART, 4, 0) == 0
    assert population.lost(CART, 1, 30) == 75
    assert population.lost(CART, 1, LOOK_BACK + 120) == 0, "that is how many there are now"


def test_a_service_without_instances_is_missed_for_a_day() -> None:
    population = Population()
    assert population.lost(CART, 0, 0) is None, "there were none ever"
    population.lost(CART, 2, 10)
    assert population.lost(CART, 0, 20) == 100
    assert population.lost(CART, 0, 10 + RETIRED_AFTER) == 0, "none of late, but some within a day"
    assert population.lost(CART, 0, 11 + RETIRED_AFTER) is None


def test_what_the_journal_knows_of_counts() -> None:
    population = Population()
    population.seen(CART, 100)
    assert population.lost(CART, 0, 200) == 0
    population.seen(CART, 50)
    assert population.lost(CART, 0, 100 + RETIRED_AFTER) == 0, "the newest counts"


def test_a_clock_that_is_set_back_breaks_nothing() -> None:
    population = Population()
    population.lost(CART, 4, 10_000)
    assert population.lost(CART, 2, 0) == 0, "what was counted in the future is forgotten"
