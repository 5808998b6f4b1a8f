"""The figures of a whole run, and the JSON that keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from benchmarks.sample import LoadFailedError, Sample


@dataclass(frozen=True, slots=True)
class LoadFigure:
    """A load on one server: medians of its rounds. `rate` is answers a second (frames, where they are pushed), `rates` that of each round.

    `cpu_us` is the server's processor time for one answer in microseconds, where the process is ours. `problem` says why it failed.
    """

    rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_us: float | None = None
    count: int = 0
    errors: int = 0
    rates: Sequence[float] = ()
    p99s_ms: Sequence[float] = ()
    problem: str = ""

    @classmethod
    def of(cls, samples: Sequence[Sample], failure: LoadFailedError | None) -> LoadFigure:
        """From the rounds; a load that failed once has no figures."""
        count = sum(sample.count for sample in samples)
        if failure is not None:
            return cls(count=count, errors=failure.errors, problem=str(failure))
        spent = [sample.cpu_us for sample in samples if sample.cpu_us is not None]
        return cls(
            rate=median(sample.rate for sample in samples),
            p50_ms=median(sample.p50_ms for sample in samples),
            p99_ms=median(sample.p99_ms for sample in samples),
            cpu_us=median(spent) if spent else None,
            count=count,
            rates=[sample.rate for sample in samples],
            p99s_ms=[sample.p99_ms for sample in samples],
        )


@dataclass(frozen=True, slots=True)
class SizeFigure:
    """What so many instances cost an engine, or so many rules a call, in `unit`."""

    name: str
    about: str
    instances: int
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """Everything measured on one server."""

    url: str
    version: str
    loads: Mapping[str, LoadFigure]


@dataclass(frozen=True, slots=True)
class Results:
    """A whole run. `load_average` is that of the last minute, when it began and when it ended."""

    date: str
    machine: Mapping[str, object]
    versions: Mapping[str, str]
    plan: Mapping[str, object]
    load_average: Sequence[float]
    engine: ServerFigures
    against: ServerFigures | None = None
    sizes: Sequence[SizeFigure] = ()
    problems: Sequence[str] = field(default_factory=tuple)

    @property
    def failures(self) -> Sequence[str]:
        """What failed, and why; nothing where every figure counts."""
        servers = [("engine", self.engine), *([("against", self.against)] if self.against else [])]
        failed = [
            f"{label} {name}: {figure.problem}"
            for label, server in servers
            for name, figure in server.loads.items()
            if figure.problem
        ]
        return [*failed, *self.problems]

    def ratio(self, name: str) -> float | None:
        """How many times better the engine is than the other server: the median over the rounds."""
        if self.against is None or name not in self.against.loads:
            return None
        ours, theirs = self.engine.loads[name], self.against.loads[name]
        pairs = (
            [(late, soon) for soon, late in zip(ours.p99s_ms, theirs.p99s_ms, strict=False)]
            if name in PUSHED
            else list(zip(ours.rates, theirs.rates, strict=False))
        )
        return median(one / other for one, other in pairs) if pairs else None

    def document(self) -> Mapping[str, object]:
        """The JSON object."""
        ratios = {name: self.ratio(name) for name in self.engine.loads} if self.against else {}
        return {**asdict(self), "ratios": ratios, "failures": list(self.failures)}


PUSHED = frozenset(("watch-push", "config-poll-1000", "config-poll-5000"))
"""The loads whose measure is how soon, not how many."""
