"""Whatever bodies and queries come, gray releases, degradations and lanes are written whole or refused, and never a defect."""

from __future__ import annotations

import json
import uuid

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.rules.objects.forms import DEGRADE, GRAY, LANES, Form
from tests.engine import EngineProcess

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.sampled_from(
    [
        "a",
        "1.0.0",
        "running",
        "rolled-back",
        "throwexception",
        "a.b.c",
        "/x",
        "servicecomb.x",
        "\x00",
        "\x85",
        "<<",
        "~",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 700) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CONDITIONS = st.dictionaries(
    TEXTS, st.dictionaries(st.sampled_from(["exact", "regex", "compare", "x"]), TEXTS), max_size=2
)
UNHURRIED = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALID: dict[Form, dict[str, object]] = {
    GRAY: {"service": "w", "app": "a", "version": "2", "baseline": ["1"]},
    DEGRADE: {"consumer": "c", "target": "t", "app": "a"},
    LANES: {
        "name": "n1",
        "app": "a",
        "gateway": "g",
        "target": "t",
        "lanes": [{"name": "base", "label": "base"}, {"name": "gray", "label": "gray", "components": ["t"]}],
    },
}
PATHS = {GRAY: "gray-releases", DEGRADE: "degrades", LANES: "lane-groups"}


@pytest.mark.parametrize("form", [*PATHS], ids=lambda form: PATHS[form])
@UNHURRIED
@given(data=st.data())
def test_any_body_is_written_whole_or_refused(shared_engine: EngineProcess, form: Form, data: st.DataObject) -> None:
    members = st.dictionaries(st.sampled_from(form.fields), JSON | CONDITIONS | TEXTS, max_size=4)
    body = data.draw(members.map(lambda given: {**VALID[form], **given}) | JSON)
    root = f"{shared_engine.url}/waggle/v1/{PATHS[form]}"
    tenant = {"project": f"p{uuid.uuid4().hex[:8]}", "force": data.draw(st.sampled_from(["", "1"]))}
    answer = requests.put(f"{root}/one", params=tenant, data=json.dumps(body).encode(), timeout=30)
    assert answer.status_code in (200, 400, 409), answer.text
    found = requests.get(root, params=tenant, timeout=30).json()["objects"]
    if answer.status_code != 200:
        assert found == []
        return
    written = answer.json()
    assert [one["object"] for one in found] == [written["object"]]
    assert not written["drifted"]
    again = requests.put(f"{root}/one", params=tenant, data=json.dumps(written["object"]).encode(), timeout=30)
    assert (again.status_code, again.json().get("action")) == (200, "unchanged"), again.text


@pytest.mark.parametrize("form", [*PATHS], ids=lambda form: PATHS[form])
@UNHURRIED
@given(data=st.data())
def test_any_query_is_answered(shared_engine: EngineProcess, form: Form, data: st.DataObject) -> None:
    root = f"{shared_engine.url}/waggle/v1/{PATHS[form]}"
    names = (*form.named, "expected", "revision", "force", "project", "domain")
    query = data.draw(st.dictionaries(st.sampled_from(names), TEXTS))
    method, path = data.draw(
        st.sampled_from([("GET", "/one"), ("DELETE", "/one"), ("GET", "/history"), ("POST", "/rollback")])
    )
    answer = requests.request(method, root + path, params=query, timeout=30)
    assert answer.status_code in (400, 404), f"{method} {path} {query}: {answer.text}"
