"""What is remembered of callers: bounded, of the last hour, by what they did."""

from __future__ import annotations

from registry.access.callers import HOUR, MOST_CALLERS, Callers, Origin, Seen, Told
from registry.access.permissions import Need
from registry.access.tokens import Identity
from registry.errors import RegistryError

_NEED = Need("service", "update")
_GOOD = Seen(_NEED, Identity("a", ("r",), 10), None, enforced=False)
_BAD = Seen(_NEED, None, RegistryError(401204), enforced=False)


def _told(seen: Seen) -> Told:
    return Told.of(seen, ())


def test_what_is_remembered_is_bounded() -> None:
    """The one that was silent longest gives way, and of a caller what it did longest ago."""
    callers = Callers()
    for number in range(MOST_CALLERS + 10):
        callers.note(Origin("t", f"host-{number}"), _told(_GOOD), number)
        callers.note(Origin("t", "busy"), _told(_GOOD), number)
    assert len(callers) == MOST_CALLERS
    heard = {caller.origin.address: caller for caller in callers.heard(MOST_CALLERS)}
    assert "busy" in heard
    assert "host-0" not in heard
    for number in range(200):
        seen = _GOOD._replace(need=Need("service", "get", ({"serviceName": f"s{number}"},)))
        callers.note(Origin("t", "busy"), _told(seen), number)
    assert len(heard["busy"].acts) == 64
    assert any("s199" in name for name in heard["busy"].acts)


def test_a_list_and_what_needs_a_permission_without_labels_are_two_things_that_were_done() -> None:
    """They read the same: were they one, the later one would hide what the earlier one needs."""
    callers = Callers()
    for labels in ((), ({},)):
        callers.note(Origin("t", "a"), _told(_GOOD._replace(need=Need("service", "get", labels))), 1)
    (caller,) = callers.heard(2)
    assert [act.need.labels for act in caller.recent(2)] == [(), ({},)]


def test_refusals_are_counted_by_outcome_and_reason() -> None:
    callers = Callers()
    origin = Origin("t", "a", "s", "i")
    callers.note(origin, _told(_BAD), 1)
    callers.note(origin, _told(_BAD._replace(enforced=True)), 2)
    denied = Seen(_NEED, Identity("a", ("r",), 10), RegistryError(403205), enforced=False)
    callers.note(origin, _told(denied), 3)
    assert {name: dict(numbers) for name, numbers in callers.counts.items()} == {
        "observed": {"none": 1, "permission": 1},
        "enforced": {"none": 1},
    }
    (caller,) = callers.heard(4)
    assert dict(caller.refused) == {"none": 2, "permission": 1}


def test_only_the_last_hour_counts() -> None:
    callers = Callers()
    origin = Origin("t", "a")
    callers.note(origin, _told(_GOOD), 0)
    callers.note(origin, _told(_GOOD._replace(need=Need("service", "get"))), HOUR)
    (caller,) = callers.heard(HOUR + 1)
    assert [act.need.verb for act in caller.recent(HOUR + 1)] == ["get"]
    assert callers.heard(2 * HOUR + 1) == []
    callers.note(origin, _told(_GOOD), 2 * HOUR)
    callers.begin(2 * HOUR)
    assert (callers.heard(2 * HOUR), callers.began) == ([], 2 * HOUR)
