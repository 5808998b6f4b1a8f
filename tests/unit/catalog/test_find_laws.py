"""Finds that filter, against a plain filter; and revisions, which name exactly what was answered."""

from __future__ import annotations

import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.catalog import Catalog, Limits
from registry.catalog.discovery import Query
from registry.catalog.records import ProviderKey
from registry.catalog.versions import parse_version
from registry.ledger import Ledger

TENANT = "default/default"
KEY = ProviderKey("", "shop", "cart")
VERSIONS = ("1.0.0", "1.2.0", "2.0.0")
PROPERTIES = st.dictionaries(st.sampled_from(["lane", "zone"]), st.sampled_from(["a", "b", ""]), max_size=2)
INSTANCES = st.lists(st.tuples(st.sampled_from(VERSIONS), PROPERTIES), max_size=6)
PAIRS = st.lists(st.tuples(st.sampled_from(["lane", "zone", "none"]), st.sampled_from(["a", "b", ""])), max_size=2)


def _catalog(instances: list[tuple[str, dict[str, str]]]) -> tuple[Catalog, dict[str, str]]:
    """A catalog with these instances, and the service ids by version."""
    ids = itertools.count()
    catalog = Catalog(Limits(), lambda: f"i{next(ids)}", Ledger())
    services = {
        version: catalog.services.register(TENANT, {"appId": "shop", "serviceName": "cart", "version": version}, 0)
        for version in VERSIONS
    }
    for version, properties in instances:
        catalog.instances.register(TENANT, services[version], {"hostName": "h", "properties": properties}, 0)
    return catalog, services


def _found(body: bytes) -> list[dict[str, object]]:
    found = json.loads(body).get("instances", [])
    assert isinstance(found, list)
    return found


@given(INSTANCES, st.sampled_from(["", "latest", "1.2+", "1.0-2.0", "1.0.0", "9"]), PAIRS)
def test_filters_choose_what_a_plain_filter_chooses(
    instances: list[tuple[str, dict[str, str]]], rule: str, pairs: list[tuple[str, str]]
) -> None:
    """By version and by every pair of name and value; nothing is added, lost or changed."""
    catalog, _ = _catalog(instances)
    everything = _found(catalog.discovery.find(TENANT, Query(KEY)).body)
    assert len(everything) == len(instances)
    allowed = {
        "": VERSIONS,
        "latest": ("2.0.0",),
        "1.2+": ("1.2.0", "2.0.0"),
        "1.0-2.0": ("1.0.0", "1.2.0"),
        "1.0.0": ("1.0.0",),
        "9": (),
    }[rule]
    wanted = [
        row
        for row in everything
        if row["version"] in allowed and all(row.get("properties", {}).get(name) == value for name, value in pairs)  # type: ignore[attr-defined]
    ]
    answer = catalog.discovery.find(TENANT, Query(KEY, version_rule=rule, properties=pairs))
    assert _found(answer.body) == wanted
    assert (answer.body == b"{}") == (not wanted)


@settings(max_examples=60)
@given(
    INSTANCES.filter(bool),
    st.lists(
        st.tuples(st.sampled_from(["status", "drop", "beat", "tags", "properties"]), st.integers(0, 5)),
        min_size=1,
        max_size=8,
    ),
)
def test_a_revision_names_what_was_answered_and_nothing_else(
    instances: list[tuple[str, dict[str, str]]], steps: list[tuple[str, int]]
) -> None:
    """Two answers have the same revision exactly when they are the same: a client's 304 never hides a change."""
    catalog, services = _catalog(instances)
    commands = catalog.instances
    seen: dict[str, frozenset[str]] = {}
    queries = [
        Query(KEY),
        Query(KEY, tags=("t",)),
        Query(KEY, version_rule="latest"),
        Query(KEY, properties=(("lane", "a"),)),
    ]
    for number, (step, which) in enumerate(steps, 1):
        alive = [
            (owner, name) for owner in services.values() for name in catalog.state.existing(TENANT).instances_of(owner)
        ]
        service = list(services.values())[which % len(services)]
        if step == "tags":
            tags = catalog.tags.get(TENANT, service)
            catalog.tags.replace(TENANT, service, {} if tags else {"t": "v"}, number)
        elif alive:
            owner, name = alive[which % len(alive)]
            if step == "status":
                commands.set_status(TENANT, owner, name, "DOWN" if number % 2 else "UP", number * 1000)
            elif step == "drop":
                commands.unregister(TENANT, owner, name, number)
            elif step == "properties":
                commands.set_properties(TENANT, owner, name, {"lane": "b" if number % 2 else "a"}, number * 1000)
            else:
                commands.heartbeat(TENANT, owner, name)
        for query in queries:
            answer = catalog.discovery.find(TENANT, query)
            shown = frozenset(json.dumps(row) for row in _found(answer.body))
            assert seen.setdefault(answer.revision, shown) == shown
    assert len(set(seen.values())) == len(seen)


def test_the_empty_answer_has_the_originals_revision() -> None:
    """Clients that were told so by the original still get their 304."""
    catalog, _ = _catalog([])
    assert catalog.discovery.find(TENANT, Query(KEY)).revision == "97784746be9a2d00f08bc72fe1ce5ff8c7d07ffe"


def test_two_sets_that_share_newest_and_number_have_two_revisions() -> None:
    """The original's formula names both alike where tags move from one version to another."""
    catalog, services = _catalog([("1.0.0", {}), ("1.2.0", {}), ("2.0.0", {})])
    first, second, third = sorted(services, key=parse_version)
    tagged = Query(KEY, tags=("t",))
    for version in (first, third):
        catalog.tags.replace(TENANT, services[version], {"t": "v"}, 1)
    before = catalog.discovery.find(TENANT, tagged)
    catalog.tags.replace(TENANT, services[first], {}, 2)
    catalog.tags.replace(TENANT, services[second], {"t": "v"}, 2)
    after = catalog.discovery.find(TENANT, tagged)
    assert len(_found(before.body)) == len(_found(after.body)) == 2
    assert before.revision != after.revision


def test_a_service_that_changes_keeps_its_place_in_lists() -> None:
    """And so do its instances in the answer of a find."""
    catalog, services = _catalog([(version, {}) for version in VERSIONS])
    listed = [service.service_id for service in catalog.services.list(TENANT, with_shared=False)]
    before = catalog.discovery.find(TENANT, Query(KEY)).body
    catalog.services.set_properties(TENANT, services["1.0.0"], {"a": "b"}, 1)
    catalog.tags.replace(TENANT, services["1.2.0"], {"t": "v"}, 1)
    assert [service.service_id for service in catalog.services.list(TENANT, with_shared=False)] == listed
    assert catalog.discovery.find(TENANT, Query(KEY)).body == before
