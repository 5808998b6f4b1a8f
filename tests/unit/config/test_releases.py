"""Gradual releases: whom they choose, what the chosen see, and how they end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.config import Config
from registry.config.query import Query, answer, find
from registry.config.records import Draft, KeyValue
from registry.config.state import Topic
from registry.config.targets import Release, Target
from registry.errors import ConfigError
from registry.ledger import Ledger

TENANT = "default/default"
LABELS = {"app": "mall", "environment": ""}
TOPIC = Topic(TENANT, frozenset(LABELS.items()), True)


def _config() -> tuple[Config, KeyValue]:
    config = Config(Ledger(), 100)
    return config, config.keys.create(TENANT, Draft("timeout", "2s", LABELS, status="enabled"), 1_000)


def _values(config: Config, *, chosen: bool) -> list[str]:
    return [item.draft.value for item in find(config.state, Query(TOPIC), lambda _release: chosen)]


def test_the_chosen_see_the_new_value_and_the_others_the_old_one() -> None:
    config, item = _config()
    config.keys.create(TENANT, Draft("other", "x", LABELS, status="enabled"), 1_500)
    config.releases.start(item, "5s", Target(share=10), 9_000)
    assert _values(config, chosen=False) == ["x", "2s"]
    assert _values(config, chosen=True) == ["5s", "x"], "what changed last comes first"
    plain = answer(config.state, Query(TOPIC), lambda _release: False)
    assert plain == config.state.listing(TOPIC).body
    assert b'"5s"' in answer(config.state, Query(TOPIC), lambda _release: True)
    assert find(config.state, Query(TOPIC, key="timeout"), lambda _release: True)[0].update_time == 9


def test_every_step_is_a_new_revision() -> None:
    config, item = _config()
    revisions = [config.state.revision(TENANT)]
    for share in (10, 50):
        config.releases.start(item, "5s", Target(share=share), 2_000)
        revisions.append(config.state.revision(TENANT))
    config.releases.promote(TENANT, item.key_id, 3_000)
    revisions.append(config.state.revision(TENANT))
    assert revisions == sorted(set(revisions))
    assert _values(config, chosen=False) == ["5s"]
    assert config.releases.all(TENANT) == []


def test_a_dropped_release_leaves_the_item_as_it_was() -> None:
    config, item = _config()
    config.releases.start(item, "5s", Target(instances=frozenset(("a",))), 2_000)
    config.releases.drop(TENANT, item.key_id, 3_000)
    assert _values(config, chosen=True) == ["2s"]
    assert config.keys.get(TENANT, item.key_id) == item
    with pytest.raises(ConfigError, match="404001"):
        config.releases.drop(TENANT, item.key_id, 3_000)


def test_a_release_goes_with_its_item_and_comes_back_with_an_undo() -> None:
    config, item = _config()
    release = config.releases.start(item, "5s", Target(share=1), 2_000)
    config.state.ledger.take_changes()
    config.keys.delete(TENANT, item.key_id, 3_000)
    assert config.releases.all(TENANT) == []
    config.state.ledger.undo(config.state.ledger.take_changes())
    assert config.releases.all(TENANT) == [release]
    assert _values(config, chosen=True) == ["5s"]


def test_a_release_is_replayed_from_what_is_stored() -> None:
    config, item = _config()
    release = config.releases.start(item, "5s", Target(properties={"lane": "gray"}), 2_000)
    rebuilt = Config(Ledger(), 100)
    for record in (item, release):
        rebuilt.restore(record.revision, record.path, record.body)
    rebuilt.restored(50)
    assert rebuilt.releases.all(TENANT) == [release]
    assert _values(rebuilt, chosen=True) == ["5s"]


@pytest.mark.parametrize(
    "target",
    [Target(), Target(share=101), Target(share=-1), Target(frozenset("a"), 5), Target(share=5, properties={"a": "b"})],
)
def test_what_is_no_target_is_refused(target: Target) -> None:
    config, item = _config()
    before = config.state.revision(TENANT)
    with pytest.raises(ConfigError, match="400001"):
        config.releases.start(item, "5s", target, 2_000)
    assert (config.state.revision(TENANT), config.releases.all(TENANT)) == (before, [])


@given(st.text(min_size=1), st.integers(1, 99), st.integers(1, 100))
def test_who_is_in_a_share_stays_in_it_when_it_grows(name: str, share: int, more: int) -> None:
    if Target(share=share).chooses("k", name, {}):
        assert Target(share=min(100, share + more)).chooses("k", name, {})
    assert Target(share=100).chooses("k", name, {})


def test_a_share_is_about_that_share() -> None:
    chosen = sum(Target(share=20).chooses("k", f"instance-{number}", {}) for number in range(5000))
    assert 900 < chosen < 1100


def test_properties_and_names_choose() -> None:
    gray = Target(properties={"lane": "gray"})
    assert gray.chooses("k", "a", {"lane": "gray", "zone": "1"})
    assert not gray.chooses("k", "a", {"lane": "base"})
    assert Target(instances=frozenset(("a",))).chooses("k", "a", {})
    assert not Target(instances=frozenset(("a",))).chooses("k", "b", {})


@given(
    st.dictionaries(st.text(), st.text(), max_size=3),
    st.text(),
    st.sampled_from([Target(share=7), Target(frozenset("ab"))]),
)
def test_what_is_stored_is_what_is_read(labels: dict[str, str], value: str, target: Target) -> None:
    item = KeyValue.of(TENANT, Draft("k", "v", labels), created=(2, 1), updated=(2, 1))
    release = Release(TENANT, item.key_id, "k", labels, value, target, 7, 123)
    assert Release.decoded(TENANT, release.body, 7) == release
