"""Gray releases, degradations and groups of lanes, as Hypothesis draws them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from governance.rules.conditions import Condition, Operator
from governance.rules.objects.degrade import POLICIES, Degrade
from governance.rules.objects.gray import PROMOTED, ROLLED_BACK, RUNNING, GrayRelease
from governance.rules.objects.lane import BASE, CONTENT, SHARE, HeaderRule, Lane, LaneGroup
from tests.unit.rules.rule_strategies import TEXTS

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
ENVIRONMENTS = st.sampled_from(["", "development", "production"])
VERSIONS = st.lists(st.integers(0, 99), min_size=2, max_size=3).map(lambda parts: ".".join(map(str, parts)))
HEADERS = st.dictionaries(
    TEXTS.filter(bool),
    st.builds(
        Condition,
        st.dictionaries(st.sampled_from([Operator.EXACT, Operator.PREFIX, Operator.CONTAINS]), TEXTS, min_size=1),
        st.sampled_from([None, True, False]),
    ),
    min_size=1,
    max_size=2,
)


def releases(
    states: Sequence[str] = (RUNNING, PROMOTED, ROLLED_BACK),
) -> SearchStrategy[GrayRelease]:
    """Releases of a version that is not among its baseline, by share or by content."""

    @st.composite
    def draw_one(draw: st.DrawFn) -> GrayRelease:
        version, *baseline = draw(st.lists(VERSIONS, min_size=2, max_size=4, unique=True))
        by_content = draw(st.booleans())
        return GrayRelease(
            service=draw(NAMES),
            app=draw(NAMES),
            environment=draw(ENVIRONMENTS),
            version=version,
            baseline=tuple(baseline),
            share=0 if by_content else draw(st.integers(0, 100)),
            headers=draw(HEADERS) if by_content else {},
            state=draw(st.sampled_from(states)),
            reason=draw(TEXTS),
            max_error_rate=draw(st.none() | st.floats(0.001, 100)),
            max_latency=draw(st.none() | st.integers(1, 10**6)),
            latency=draw(st.sampled_from(["mean", "p99"])),
            min_calls=draw(st.integers(1, 10**6)),
        )

    return draw_one()


@st.composite
def degrades(draw: st.DrawFn) -> Degrade:
    """Degradations of services, and of operations with and without a path."""
    operation = draw(st.booleans())
    return Degrade(
        consumer=draw(NAMES),
        target=".".join(draw(st.lists(NAMES, min_size=3, max_size=3))) if operation else draw(NAMES),
        app=draw(NAMES),
        environment=draw(ENVIRONMENTS),
        policy=draw(st.sampled_from(POLICIES)),
        error_code=draw(st.integers(200, 600)),
        path=draw(TEXTS.map(lambda text: f"/{text}") | st.just("")) if operation else "",
        reason=draw(TEXTS),
    )


HEADER_RULES = st.builds(
    HeaderRule,
    header=NAMES,
    condition=st.sampled_from(["exact", "prefix"]) | st.just("regex"),
    value=st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
)
LABELS = st.from_regex(r"[a-z][a-z0-9._-]{0,6}[a-z0-9]", fullmatch=True).filter(lambda label: label != BASE)


@st.composite
def lane_groups(draw: st.DrawFn) -> LaneGroup:
    """Groups with a baseline and gray lanes, by headers or by share."""
    labels = [BASE, *draw(st.lists(LABELS, max_size=3, unique=True))]
    components = draw(st.lists(NAMES, max_size=6, unique=True))
    by_share = draw(st.booleans())
    weights = [100 // len(labels)] * len(labels)
    weights[0] += 100 - sum(weights)
    lanes = tuple(
        Lane(
            name=f"lane-{at}",
            label=label,
            components=tuple(components[at :: len(labels)]),
            match=draw(st.sampled_from(["any", "all"])),
            rules=() if label == BASE else tuple(draw(st.lists(HEADER_RULES, max_size=2))),
            weight=weights[at] if by_share else 0,
        )
        for at, label in enumerate(labels)
    )
    return LaneGroup(
        name=draw(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,6}[A-Za-z0-9]", fullmatch=True)),
        app=draw(NAMES),
        environment=draw(ENVIRONMENTS),
        description=draw(TEXTS.filter(lambda text: len(text) <= 128)),
        gateway=draw(NAMES),
        target=draw(NAMES),
        header=draw(NAMES),
        on=draw(st.booleans()) and len(labels) > 1,
        routing=SHARE if by_share else CONTENT,
        lanes=lanes,
        reason=draw(TEXTS),
    )
