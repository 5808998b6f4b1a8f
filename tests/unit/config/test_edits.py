"""Many edits at once: what they come to, and all of them or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.rules.parsing import Position
from registry.config import Config
from registry.config.edits import Action, Edit, Existing, carry_out, check_values, plan
from registry.config.records import Draft, KeyValue
from registry.errors import ConfigError
from registry.ledger import Ledger

TENANT = "default/default"
Stored = dict[tuple[str, frozenset[tuple[str, str]]], Draft]


def _config(*drafts: Draft, quota: int = 100) -> Config:
    config = Config(Ledger(), quota)
    for draft in drafts:
        config.keys.set(TENANT, draft, 1000)
    return config


def _all(config: Config) -> list[KeyValue]:
    return list(config.state.table(TENANT).by_id.values())


def _stored(config: Config) -> Stored:
    return {(item.draft.key, item.label_set): item.draft for item in _all(config)}


def _actions(config: Config, *edits: Edit, existing: Existing = Existing.FORCE, prune: bool = False) -> list[str]:
    return [step.action for step in plan(config.keys, TENANT, edits, existing, _all(config) if prune else ())]


def test_what_an_edit_leaves_out_stays_and_a_new_item_is_enabled_text() -> None:
    assert Edit("a", {"app": "m"}, "1").over(None) == Draft("a", "1", {"app": "m"}, "text", "enabled", 0, "")
    before = Draft("a", "1", {}, "yaml", "disabled", 3, "c")
    assert Edit("a", {}).over(before) == before
    assert Edit("a", {}, "", "json", "enabled", 0, "").over(before) == Draft("a", "", {}, "json", "enabled", 0, "")


def test_a_new_item_needs_a_value() -> None:
    with pytest.raises(ConfigError, match=r"400001.* a: a new item needs a value"):
        _actions(_config(), Edit("a", {}, status="enabled"))


def test_a_plan_says_what_becomes_of_every_item_and_changes_nothing() -> None:
    config = _config(Draft("same", "1", status="enabled"), Draft("other", "1"), Draft("gone", "1"))
    before, revision = _stored(config), config.state.revision(TENANT)
    edits = (Edit("same", {}, "1"), Edit("other", {}, "2"), Edit("new", {}, "3"))
    assert _actions(config, *edits, prune=True) == ["unchanged", "changed", "added", "deleted"]
    assert (_stored(config), config.state.revision(TENANT)) == (before, revision)


def test_carrying_out_makes_it_so_and_the_second_time_changes_nothing() -> None:
    config = _config(Draft("same", "1", status="enabled"), Draft("other", "1"), Draft("gone", "1"))
    edits = [Edit("same", {}, "1"), Edit("other", {}, "2"), Edit("new", {"app": "m"}, "3")]
    done = carry_out(config.keys, TENANT, plan(config.keys, TENANT, edits, prune=_all(config)), 2000)
    assert [record.draft.value if record else None for record in done] == ["1", "2", "3", None]
    assert {key: draft.value for (key, _), draft in _stored(config).items()} == {"same": "1", "other": "2", "new": "3"}
    revision = config.state.revision(TENANT)
    again = plan(config.keys, TENANT, edits, prune=_all(config))
    assert {step.action for step in again} == {Action.UNCHANGED}
    carry_out(config.keys, TENANT, again, 3000)
    assert config.state.revision(TENANT) == revision


def test_what_is_there_may_stay_or_end_all() -> None:
    config = _config(Draft("a", "1", status="enabled"))
    different, same, new = Edit("a", {}, "2"), Edit("a", {}, "1"), Edit("b", {}, "1")
    assert _actions(config, different, new, existing=Existing.SKIP) == ["unchanged", "added"]
    assert _actions(config, same, new, existing=Existing.ABORT) == ["unchanged", "added"]
    with pytest.raises(ConfigError, match=r"409001.* a: it is there already, with labels none"):
        _actions(config, new, different, existing=Existing.ABORT)


def test_a_refusal_names_the_place_and_the_key() -> None:
    bad = Edit("a b", {}, "1", at=Position(3, 5))
    with pytest.raises(ConfigError, match=r"400001.*line 3, column 5, a b: validate failed, field: KVDoc.Key"):
        _actions(_config(), bad)
    with pytest.raises(ConfigError, match=r"400001.*line 2, column 1, a: .*twice.*: first at line 1, column 1"):
        _actions(_config(), Edit("a", {}, "1", at=Position(1, 1)), Edit("a", {}, "2", at=Position(2, 1)))
    assert _actions(_config(), Edit("a", {}, "1"), Edit("a", {"app": ""}, "1")) == ["added", "added"]


def test_values_that_would_be_stored_must_parse_unless_forced() -> None:
    config = _config(Draft("old", "a: b: c", value_type="yaml", status="enabled"))
    unchanged, bad = Edit("old", {}, "a: b: c"), Edit("new", {}, "{", "json", at=Position(7, 3))
    check_values(plan(config.keys, TENANT, [unchanged]))
    with pytest.raises(ConfigError, match=r"400006.*line 7, column 3, new: as json, line 1, column 2: "):
        check_values(plan(config.keys, TENANT, [unchanged, bad]))
    with pytest.raises(ConfigError, match=r"400006.*old: as yaml"):
        check_values(plan(config.keys, TENANT, [Edit("old", {}, "x: y: z")]))
    check_values(plan(config.keys, TENANT, [Edit("new", {}, "{", "json", force=True)]))


def test_a_plan_beyond_the_quota_is_refused_and_deletions_make_room() -> None:
    config = _config(Draft("a", "1"), Draft("b", "1"), quota=3)
    edits = [Edit("c", {}, "1"), Edit("d", {}, "1")]
    with pytest.raises(ConfigError, match="422001"):
        plan(config.keys, TENANT, edits)
    steps = plan(config.keys, TENANT, edits, prune=_all(config)[:1])
    carry_out(config.keys, TENANT, steps, 2000)
    assert sorted(key for key, _ in _stored(config)) == ["b", "c", "d"]


_KEYS = st.sampled_from(["a", "b", "c"])
_LABELS = st.sampled_from([{}, {"app": "m"}])
_EDITS = st.lists(
    st.builds(
        Edit,
        _KEYS,
        _LABELS,
        st.sampled_from(["1", "2"]),
        st.sampled_from([None, "yaml"]),
        st.sampled_from([None, "disabled"]),
    ),
    max_size=5,
    unique_by=lambda edit: (edit.key, frozenset(edit.labels.items())),
)


@given(
    st.lists(st.builds(Draft, _KEYS, st.just("1"), _LABELS), max_size=4),
    _EDITS,
    st.booleans(),
    st.sampled_from(Existing),
)
def test_a_plan_and_its_carrying_out_agree(
    drafts: list[Draft], edits: list[Edit], prune: bool, existing: Existing
) -> None:
    config = _config(*drafts)
    before = _stored(config)
    try:
        steps = plan(config.keys, TENANT, edits, existing, _all(config) if prune else ())
    except ConfigError as error:
        assert (existing, error.error.code, _stored(config)) == (Existing.ABORT, 409001, before)
        return
    carry_out(config.keys, TENANT, steps, 2000)
    wanted = {name: draft for name, draft in before.items() if not prune}
    for edit in edits:
        name = edit.key, frozenset(edit.labels.items())
        keep = existing is Existing.SKIP and name in before
        wanted[name] = before[name] if keep else edit.over(before.get(name))
    assert _stored(config) == wanted
