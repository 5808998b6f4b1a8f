"""The config core against a model: whatever clients do, in whatever order, both say the same; and the journal's events rebuild it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from registry.config import Config
from registry.config.query import Query, answer
from registry.config.records import Draft, KeyValue, Labels, id_of
from registry.config.state import Topic
from registry.errors import ConfigError
from registry.ledger import Change, Ledger

QUOTA = 12
TENANTS = st.sampled_from(["default/default", "default/other", "elsewhere/default"])
KEYS = st.sampled_from(["a", "A", "b.c", "b"])
LABEL_SETS: Sequence[Mapping[str, str]] = (
    {},
    {"app": "x"},
    {"app": "x", "environment": ""},
    {"app": "x", "environment": "", "service": "s"},
    {"app": "y", "environment": ""},
    {"environment": ""},
)
LABELS = st.sampled_from(LABEL_SETS)
VALUES = st.sampled_from(["", "one", "two"])
PRIORITIES = st.integers(-1, 1)
Name = tuple[str, str, Labels]


class ConfigMachine(RuleBasedStateMachine):
    """The model: drafts with their last revision by tenant, key and labels, in one plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.config = Config(self.ledger, QUOTA)
        self.known: dict[Name, tuple[Draft, int]] = {}
        self.journal: list[tuple[int, str, bytes | None]] = []
        self.revisions: list[int] = []
        self.changed: dict[str, int] = {}

    def _store(self) -> list[Change]:
        changes = self.ledger.take_changes()
        for change in changes:
            self.revisions.append(change.revision)
            self.journal.append((change.revision, change.record.path, change.after.body if change.after else None))
            self.changed[change.record.path.split("/")[1]] = change.revision
        return changes

    def _of(self, tenant: str) -> dict[Name, tuple[Draft, int]]:
        return {name: row for name, row in self.known.items() if name[0] == tenant}

    @rule(tenant=TENANTS, key=KEYS, labels=LABELS, value=VALUES, priority=PRIORITIES)
    def create(self, tenant: str, key: str, labels: Mapping[str, str], value: str, priority: int) -> None:
        """What is there already conflicts, what is too much has no room, all else is there from now on."""
        draft = Draft(key, value, labels, priority=priority)
        name: Name = (tenant, key, frozenset(labels.items()))
        try:
            created = self.config.keys.create(tenant, draft, 1_000)
        except ConfigError as error:
            full = len(self._of(tenant)) >= QUOTA
            assert error.error.code == (422001 if full else 409001)
            assert full or name in self.known
            assert self.ledger.take_changes() == []
            return
        assert name not in self.known
        self.known[name] = draft, created.revision
        self._store()

    @rule(tenant=TENANTS, key=KEYS, labels=LABELS, value=VALUES, status=st.sampled_from(["", "enabled", "disabled"]))
    def update(self, tenant: str, key: str, labels: Mapping[str, str], value: str, status: str) -> None:
        """An empty part stays as it is; what is unknown stays so; every update has a revision of its own."""
        name: Name = (tenant, key, frozenset(labels.items()))
        try:
            changed = self.config.keys.update(tenant, id_of(tenant, key, labels), value, status, 2_000)
        except ConfigError as error:
            assert error.error.code == 404001
            assert name not in self.known
            return
        before, revision = self.known[name]
        draft = Draft(key, value or before.value, labels, status=status or before.status, priority=before.priority)
        assert changed.draft == draft
        assert changed.revision > revision
        self.known[name] = draft, changed.revision
        assert len(self._store()) == 1

    @rule(tenant=TENANTS, key=KEYS, labels=LABELS, value=VALUES, priority=PRIORITIES)
    def set(self, tenant: str, key: str, labels: Mapping[str, str], value: str, priority: int) -> None:
        """Creates it, or makes it so; what is so already is left alone, without a revision."""
        draft = Draft(key, value, labels, status="enabled", priority=priority)
        name: Name = (tenant, key, frozenset(labels.items()))
        try:
            record = self.config.keys.set(tenant, draft, 3_000)
        except ConfigError as error:
            assert error.error.code == 422001
            assert name not in self.known
            assert len(self._of(tenant)) >= QUOTA
            return
        same = name in self.known and self.known[name][0] == draft
        assert bool(self._store()) != same
        self.known[name] = draft, record.revision

    @rule(tenant=TENANTS, key=KEYS, labels=LABELS)
    def delete(self, tenant: str, key: str, labels: Mapping[str, str]) -> None:
        """What is deleted is gone; what is unknown cannot be."""
        name: Name = (tenant, key, frozenset(labels.items()))
        try:
            self.config.keys.delete(tenant, id_of(tenant, key, labels), 4_000)
        except ConfigError as error:
            assert error.error.code == 404001
            assert name not in self.known
            return
        del self.known[name]
        self._store()

    @rule(tenant=TENANTS, keys=st.sets(KEYS), labels=LABELS)
    def delete_many(self, tenant: str, keys: set[str], labels: Mapping[str, str]) -> None:
        """Those that are known go, the others are no matter."""
        names: list[Name] = [(tenant, key, frozenset(labels.items())) for key in sorted(keys)]
        ids = [id_of(tenant, key, labels) for key in sorted(keys)]
        known = [name for name in names if name in self.known]
        assert self.config.keys.delete_many(tenant, [*ids, *ids, "nope"], 5_000) == len(known)
        for name in known:
            del self.known[name]
        assert len(self._store()) == len(known)

    @rule(tenant=TENANTS, key=KEYS, labels=LABELS, other=KEYS)
    def fail_to_store(self, tenant: str, key: str, labels: Mapping[str, str], other: str) -> None:
        """Changes that could not be stored are taken back without a trace; a revision that was given out may stay used."""
        before = _facts(self.config)
        lists = [self._list(tenant, topic) for topic in _topics(tenant)]
        keys = self.config.keys
        for command in (
            lambda: keys.delete(tenant, id_of(tenant, key, labels), 6_000),
            lambda: keys.create(tenant, Draft(other, "undone", labels), 6_000),
            lambda: keys.update(tenant, id_of(tenant, other, labels), "undone again", "", 6_000),
        ):
            try:
                command()
            except ConfigError:
                continue
        self.ledger.undo(self.ledger.take_changes())
        assert _facts(self.config) == before
        assert [self._list(tenant, topic) for topic in _topics(tenant)] == lists

    @rule(tenant=TENANTS)
    def list_every_topic(self, tenant: str) -> None:
        """Exact: these labels and no others. Else: these at least. By priority, then the newest first."""
        for topic in _topics(tenant):
            rows = [
                (draft, revision)
                for (_, _, labels), (draft, revision) in self._of(tenant).items()
                if (labels == topic.labels if topic.exact else topic.labels <= labels)
            ]
            rows.sort(key=lambda row: (-row[0].priority, -row[1]))
            assert self._list(tenant, topic) == [(draft.key, draft.value, revision) for draft, revision in rows]

    def _list(self, tenant: str, topic: Topic) -> list[tuple[str, str, int]]:
        body = orjson.loads(answer(self.config.state, Query(topic)))
        assert body["total"] == len(body["data"])
        assert self.config.state.revision(tenant) >= max((row["update_revision"] for row in body["data"]), default=0)
        return [(row["key"], row["value"], row["update_revision"]) for row in body["data"]]

    @invariant()
    def revisions_only_grow(self) -> None:
        """None is given out twice, and a domain's is at least that of its newest change."""
        assert self.revisions == sorted(set(self.revisions))
        for domain, revision in self.changed.items():
            assert self.config.state.revision(f"{domain}/any") >= revision

    def teardown(self) -> None:
        """Replaying the journal gives the same items, and no revision below any that was given out."""
        rebuilt = Config(Ledger(), QUOTA)
        for revision, path, body in self.journal:
            rebuilt.restore(revision, path, body)
        rebuilt.restored(self.ledger.revision)
        assert _facts(rebuilt) == _facts(self.config)
        for tenant in ("default/default", "elsewhere/default", "unknown/x"):
            assert rebuilt.state.revision(tenant) >= self.config.state.revision(tenant)


def _topics(tenant: str) -> list[Topic]:
    asked = [*LABEL_SETS, {"service": "s"}, {"nothing": ""}]
    return [Topic(tenant, frozenset(labels.items()), exact) for labels in asked for exact in (True, False)]


def _facts(config: Config) -> object:
    """Everything that the indexes hold, each in its own way; what is empty holds nothing."""
    facts = {}
    for tenant, table in config.state.tables():
        if table.by_id:
            groups = {labels: set(group) for labels, group in table.groups.items()}
            by_label = {label: set(sets) for label, sets in table.by_label.items()}
            facts[tenant] = {name: record.body for name, record in table.by_id.items()}, groups, by_label
        else:
            assert not table.groups
            assert not table.by_label
    return facts


ConfigMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestConfigModel = ConfigMachine.TestCase


# --- Records


def test_an_id_is_that_of_the_original() -> None:
    """SHA-256 of domain, project, key and the labels as text: the same whenever and wherever it is made."""
    assert id_of("default/default", "timeout", {}) == id_of("default/default", "timeout", {})
    assert id_of("default/default", "k", {"b": "", "a": "1"}) == id_of("default/default", "k", {"a": "1", "b": ""})
    assert len({id_of("default/default", "k", labels) for labels in LABEL_SETS}) == len(LABEL_SETS)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"key":1}', b'{"key":"k"}', b"\xff"])
def test_what_is_no_record_is_not_restored(body: bytes) -> None:
    """It is said of which path, instead of starting with what is left."""
    config = Config(Ledger(), QUOTA)
    config.restore(5, "config/default/default/x", body)
    with pytest.raises(ValueError, match="config/default/default/x"):
        config.restored(1)


def test_a_record_is_what_it_stores() -> None:
    """Decoding what was stored gives the record back."""
    draft = Draft("k", "v\n\U0001f600", {"a": "", "b": "c"}, "yaml", "enabled", -5, "check")
    record = KeyValue.of("default/default", draft, created=(3, 100), updated=(7, 200))
    assert KeyValue.decoded("default/default", record.body) == record
