"""Schemathesis sends what the engine's own description allows, and what it forbids: no answer is 5xx or other than described.

Most requests are about a service and an instance that are there, so that more than the door is tried. The examples are the same every
time; a failure prints the request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from registry.api.call import WEBSOCKET
from registry.api.service_center import ROUTES
from tests.engine import EngineProcess

SETTINGS = {"quota_services": 500, "quota_instances": 500}
CHECKS = [not_a_server_error, content_type_conformance, status_code_conformance]
KNOWN = {
    "project": "default",
    "serviceId": "known-service",
    "instanceId": "known-instance",
    "schemaId": "known",
    "key": "known",
    "kind": "retry",
    "appId": "default",
    "serviceName": "known",
    "version": "0.0.1",
    "env": "",
    "value": "UP",
    "type": "microservice",
    "tags": "known",
    "force": "1",
    "filterVersion": "latest",
    "filterProperty": "a:b",
}


def _described_path(path: str) -> str:
    return re.sub(r":(\w+)", r"{\1}", path)


SAMPLES = {(route.method, _described_path(route.path)): route.sample for route in ROUTES}
OURS = {*(_described_path(route.path) for route in ROUTES), "/health/ready", "/metrics", "/openapi.json"}
WEBSOCKETS = {_described_path(route.path) for route in ROUTES if route.answers == WEBSOCKET}


class KnownWorld:
    """A service with an instance, a schema and a tag, which is put back before every operation is tried."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self.session = session
        self.root = f"{url}/v4/default/registry/microservices"

    def restore(self) -> None:
        """Register what an example may have deleted."""
        service = {"serviceId": KNOWN["serviceId"], "serviceName": KNOWN["serviceName"]}
        self._do("POST", "", {"service": service})
        path = f"/{KNOWN['serviceId']}"
        self._do("POST", f"{path}/instances", {"instance": {"hostName": "h", "instanceId": KNOWN["instanceId"]}})
        self._do("PUT", f"{path}/schemas/{KNOWN['schemaId']}", {"schema": "x"})
        self._do("POST", f"{path}/tags", {"tags": {KNOWN["key"]: "v"}})

    def _do(self, method: str, path: str, body: object) -> None:
        answer = self.session.request(method, self.root + path, json=body, timeout=60)
        assert answer.status_code == 200, answer.text


def _known(part: Any) -> Any:
    """The same with the names of what is there, wherever there is room for them."""
    match part:
        case dict():
            return {
                name: KNOWN[name] if isinstance(inner, str) and name in KNOWN else _known(inner)
                for name, inner in part.items()
            }
        case list():
            return [_known(inner) for inner in part]
    return part


def _about_what_is_there(case: schemathesis.Case) -> schemathesis.Case:
    case.path_parameters = _known(dict(case.path_parameters or {}))
    case.query = _known(dict(case.query or {}))
    if case.path.endswith("/action"):
        case.query["type"] = "query"
    headers = {name: value for name, value in (case.headers or {}).items() if "-Name" not in name}
    case.headers = {**headers, "X-ConsumerId": KNOWN["serviceId"]}
    case.body = _known(case.body)
    return case


def _with_sample(case: schemathesis.Case) -> schemathesis.Case:
    """The body that the description gives as an example, where there is one."""
    sample = SAMPLES.get((case.method.upper(), case.path))
    if sample is not None:
        case.body, case.media_type = sample, "application/json"
    return _about_what_is_there(case)


def _as_it_is(case: schemathesis.Case) -> schemathesis.Case:
    return case


def _described(engine: EngineProcess, session: requests.Session) -> schemathesis.BaseSchema:
    """The description without what never ends."""
    url = f"{engine.url}/openapi.json"
    paths = session.get(url, timeout=60).json()["paths"]
    endless = [path for path, operations in paths.items() if "text/event-stream" in str(operations)]
    schema = schemathesis.openapi.from_url(url).exclude(path=endless)

    @schema.hook
    def flatmap_case(_context: Any, case: schemathesis.Case) -> st.SearchStrategy[schemathesis.Case]:
        case.query = {name: value for name, value in (case.query or {}).items() if name != "wait"}
        return st.sampled_from([_as_it_is, _about_what_is_there, _with_sample]).map(lambda change: change(case))

    return schema


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        yield opened


def _checks(path: str) -> list[Any]:
    """Other chapters, such as the config centre, have tests of their own: here they only must not fail."""
    return CHECKS if path in OURS else [not_a_server_error]


def _examples(path: str, most: int) -> int:
    """The v3 aliases have the handlers of the v4 routes, and other chapters have tests of their own."""
    return most if path in OURS and not path.startswith("/registry/v3") else 2 + most // 10


def _try(operation: schemathesis.APIOperation, most: int, session: requests.Session) -> set[int]:
    """Send examples of one operation, such as keep its description and such as break it; the statuses of the answers."""
    statuses: set[int] = set()
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    checks = _checks(operation.path)

    @settings(
        max_examples=_examples(operation.path, most),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes)))
    def send(case: schemathesis.Case) -> None:
        answer = case.call(session=session, timeout=60)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=checks)

    send()
    return statuses


@pytest.mark.parametrize("most", [16, pytest.param(100, marks=pytest.mark.heavy)])
def test_nothing_that_is_sent_gets_a_5xx_or_an_undescribed_answer(
    most: int, shared_engine: EngineProcess, session: requests.Session
) -> None:
    """Every operation of the description; and each of them, websockets aside, does what it is asked to at least once."""
    world = KnownWorld(session, shared_engine.url)
    operations = [found.ok() for found in _described(shared_engine, session).get_all_operations()]
    assert len(operations) >= len(ROUTES)
    only_refused = []
    for operation in operations:
        world.restore()
        succeeded = 200 in _try(operation, most, session)
        ours = operation.path.startswith("/v4/") and operation.path in OURS - WEBSOCKETS
        if ours and not succeeded:
            only_refused.append(f"{operation.method} {operation.path}")
    assert only_refused == []
    assert "request.failed" not in shared_engine.log.read_text()
