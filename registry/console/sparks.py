"""Small curves beside numbers, as the points of a line in a box of 120 by 28, which `macros` of overview/now.html draw."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT = 120, 28
_EDGE = 2


def line(values: Sequence[float]) -> str:
    """The points of a curve from left to right, the largest value at the top; nothing where there are fewer than two."""
    if len(values) < 2:
        return ""
    top = max(values)
    across, down = WIDTH / (len(values) - 1), HEIGHT - 2 * _EDGE
    heights = [HEIGHT - _EDGE - (down * value / top if top > 0 else 0) for value in values]
    return " ".join(f"{place * across:.1f},{height:.1f}" for place, height in enumerate(heights))


def area(values: Sequence[float]) -> str:
    """The points of what is below the curve."""
    points = line(values)
    return f"0,{HEIGHT} {points} {WIDTH},{HEIGHT}" if points else ""
