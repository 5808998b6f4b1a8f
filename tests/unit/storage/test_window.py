"""What is old enough to be compacted: told by events, whatever gaps their revisions have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.engine.window import STEP, Window


@given(st.integers(1, 5 * STEP), st.lists(st.integers(1, 200_000), max_size=20), st.integers(0, 9 * STEP))
def test_what_has_left_has_at_least_so_many_after_it(size: int, gaps: list[int], plain: int) -> None:
    window, revisions, revision = Window(size), [], 0
    for gap in [*gaps, *[1] * plain]:
        revision += gap
        revisions.append(revision)
        window.saw(revision)
        left = window.left()
        if left:
            assert sum(later > left for later in revisions) >= size


def test_everything_old_leaves_in_the_end_and_little_of_it_at_a_time() -> None:
    window = Window(2 * STEP)
    left = []
    for revision in range(1, 20 * STEP + 1):
        window.saw(revision)
        left.append(window.left())
    steps = [revision for revision in left if revision]
    assert steps == sorted(set(steps))
    assert max(later - earlier for earlier, later in zip([0, *steps], steps, strict=False)) == STEP
    assert steps[-1] >= 16 * STEP
