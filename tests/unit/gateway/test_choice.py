"""How the servers of an upstream share requests."""

from __future__ import annotations

from collections import Counter

from governance.gateway.choice import AVOIDED_SECONDS, UpstreamChoice, choice_of
from governance.gateway.config import Address, Group, Upstream


class Clock:
    """Time as the test wants it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drawn(choice: UpstreamChoice, times: int) -> str:
    """The last digits of the ports that are drawn."""
    return "".join(str(server.port % 10) for _ in range(times) if (server := choice.choose()) is not None)


def upstream(*weights: int) -> Upstream:
    """Servers on ports that end with 1, 2, …"""
    return Upstream(tuple(Address(f"http://127.0.0.1:{8000 + at}", weight) for at, weight in enumerate(weights, 1)))


def test_equal_servers_take_turns_and_weights_are_spread_evenly() -> None:
    assert drawn(choice_of("u", upstream(1, 1), Clock()), 6) == "121212"
    assert drawn(choice_of("u", upstream(7, 2, 1), Clock()), 10) == "1121131121"


def test_a_server_that_cannot_be_reached_is_passed_over_for_a_while() -> None:
    clock = Clock()
    choice = choice_of("u", upstream(1, 1, 1), clock)
    choice.avoid(choice.servers[1])
    assert Counter(drawn(choice, 6)) == {"1": 3, "3": 3}
    clock.now = AVOIDED_SECONDS + 0.1
    assert set(drawn(choice, 6)) == {"1", "2", "3"}
    for server in choice.servers:
        choice.avoid(server)
    assert len(drawn(choice, 3)) == 3, "where nobody can be reached, one is tried all the same"


def test_who_was_tried_is_not_tried_again_while_others_are_there() -> None:
    choice = choice_of("u", upstream(5, 1), Clock())
    first = choice.servers[0].instance_id
    assert {choice.choose([first]) for _ in range(5)} == {choice.servers[1]}
    assert choice_of("v", upstream(1), Clock()).choose(["http://127.0.0.1:8001"]) is not None


def test_rules_see_groups_as_tags() -> None:
    made = Upstream(
        groups={"spring": Group((Address("https://a/base"),), {"zone": "x"}), "v2": Group((Address("http://b"),))}
    )
    spring, second = choice_of("u", made, Clock()).servers
    assert spring.properties == {"group": "spring", "zone": "x"}
    assert (spring.version, second.version) == ("spring", "v2")
    assert (spring.host, spring.port, spring.secure, spring.base, spring.authority) == ("a", 443, True, b"/base", b"a")
