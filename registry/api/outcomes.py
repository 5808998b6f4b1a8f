"""What consumers report of their calls, so that gray releases can be judged. docs/releases.md says what is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from governance.rules.latencies import LAST
from registry.api.call import Call, Reply, Route, Tenancy, json_reply
from registry.api.service_center.shapes import FIND_NAME_RULE, INSTANCE_ID_RULE, SERVICE_ID_RULE, VERSION_RULE
from registry.api.shapes import Kind, Member, Rule, Shape, read, validate
from registry.catalog.records import Service
from registry.engine.judge import Judge
from registry.engine.reporting import Reporting
from registry.errors import RegistryError, invalid
from registry.monitor import Outcome

MOST_OUTCOMES = 100
MOST_CALLS = 1_000_000
"""Calls to one version that one report can tell of."""
_LARGEST = 2**31 - 1
_LATENCY = Shape(
    "Latency",
    (Member("bucket", Kind.INT, items=(0, LAST)), Member("calls", Kind.INT, items=(1, MOST_CALLS))),
)
_OUTCOME = Shape(
    "Outcome",
    (
        Member("service", rule=FIND_NAME_RULE),
        Member("version", rule=VERSION_RULE),
        Member("calls", Kind.INT, items=(1, MOST_CALLS)),
        Member("failures", Kind.INT, items=(0, MOST_CALLS)),
        Member("milliseconds", Kind.INT, items=(0, _LARGEST)),
        Member("latencies", Kind.OBJECTS, items=(1, LAST + 1), shape=_LATENCY),
    ),
)
REPORT = Shape(
    "OutcomeReport",
    (
        Member("serviceId", rule=SERVICE_ID_RULE),
        Member("instanceId", rule=INSTANCE_ID_RULE),
        Member("run", rule=Rule(1, 64)),
        Member("number", Kind.INT, items=(1, _LARGEST)),
        Member("outcomes", Kind.OBJECTS, items=(1, MOST_OUTCOMES), shape=_OUTCOME),
    ),
)
_SAMPLE: Mapping[str, object] = {
    "serviceId": "7e2b",
    "instanceId": "1f0c",
    "run": "a1",
    "number": 1,
    "outcomes": [
        {
            "service": "weather",
            "version": "2.0.0",
            "calls": 2,
            "failures": 1,
            "milliseconds": 25,
            "latencies": [{"bucket": 29, "calls": 2}],
        }
    ],
}


def outcome_routes(judge: Judge, reporting: Reporting) -> Sequence[Route]:
    """The table of routes."""

    async def report(call: Call) -> Reply:
        """POST /waggle/v1/outcomes: an instance tells what became of its calls since its last report."""
        given = read(REPORT, call.body)
        validate(REPORT, given)
        consumer = _consumer(call, given)
        outcomes = list(_outcomes(given))
        reporter = f"{consumer.tenant}/{given['instanceId']}/{given['run']}"
        if not call.engine.monitor.is_new(reporter, _number(given, "number")):
            return json_reply({"counted": False, "rolledBack": []})
        for outcome in outcomes:
            reporting.count(consumer, str(given["instanceId"]), outcome)
        return json_reply({"counted": True, "rolledBack": await judge.report(consumer, outcomes)})

    about = (report.__doc__ or "").strip()
    failures = {400: "A report that cannot be, or of an instance that is not registered"}
    row = Route(
        "POST",
        "/waggle/v1/outcomes",
        report,
        "service",
        about,
        Tenancy.QUERY,
        body=REPORT,
        sample=_SAMPLE,
        failures=failures,
        verb="update",
    )
    return (row,)


def _consumer(call: Call, given: Mapping[str, object]) -> Service:
    """The service of which an instance reports. Raises 400017 where it is not registered: nobody else's word counts."""
    tenant = call.engine.catalog.state.existing(call.tenant)
    service_id, instance_id = str(given["serviceId"]), str(given["instanceId"])
    service = tenant.services.get(service_id)
    if service is None or instance_id not in tenant.instances_of(service_id):
        raise RegistryError(400017, f"{instance_id} of {service_id} is not registered")
    return service


def _outcomes(given: Mapping[str, object]) -> Iterator[Outcome]:
    """The outcomes of a report. Raises 400001 where their numbers contradict each other."""
    for row in _rows(given, "outcomes"):
        latencies = {_number(one, "bucket"): _number(one, "calls") for one in _rows(row, "latencies")}
        calls, failures = _number(row, "calls"), _number(row, "failures")
        if failures > calls or sum(latencies.values()) != calls:
            raise invalid(f"outcomes: {row['service']} {row['version']} has {calls} calls, and parts that do not fit")
        yield Outcome(
            str(row["service"]), str(row["version"]), calls, failures, _number(row, "milliseconds"), latencies
        )


def _rows(given: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    rows = given[name]
    assert isinstance(rows, list)  # noqa: S101  its shape says so
    return rows


def _number(given: Mapping[str, object], name: str) -> int:
    """A number, 0 where it is missing: then its shape allows that."""
    return int(str(given.get(name, 0)))
