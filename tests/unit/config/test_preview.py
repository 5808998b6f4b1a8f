"""What each kind of client makes of the items, with the source of every key, what it hides, and what may surprise."""

from __future__ import annotations

import pytest

from registry.config import Config
from registry.config.clients import Client, Kind, levels_of, select
from registry.config.preview import MOST_CHARACTERS, Preview, merge
from registry.config.records import Draft
from registry.config.releases import Chosen
from registry.config.targets import Target
from registry.errors import ConfigError
from registry.ledger import Ledger

# Those that ask for the labels app and service.
USUAL = [kind for kind in Kind if kind is not Kind.GO_2_7]
TENANT = "default/default"
ENVIRONMENT = {"environment": ""}
APP = {"app": "mall", **ENVIRONMENT}
SERVICE = {"service": "cart", **APP}
VERSION = {"version": "1.0.0", **SERVICE}
CUSTOM = {"public": ""}


class Store:
    """Items, each a second newer than the former."""

    def __init__(self) -> None:
        self.config = Config(Ledger(), 20_000)
        self.now = 1000
        self.chosen: Chosen = lambda _release: False

    def put(self, key: str, value: str, labels: dict[str, str], value_type: str = "text", **members: object) -> None:
        draft = Draft(key, value, labels, value_type, **{"status": "enabled", **members})  # type: ignore[arg-type]
        self.config.keys.set(TENANT, draft, self.now)
        self.now += 1000

    def preview(self, kind: str = "java", **client: object) -> Preview:
        place = {"app": "mall", "service": "cart", "version": "1.0.0", **client}
        return merge(select(self.config.state, TENANT, Client(Kind(kind), **place), self.chosen))  # type: ignore[arg-type]


def _values(preview: Preview) -> dict[str, str]:
    return {found.key: found.source.value for found in preview.properties}


def _cautions(preview: Preview) -> list[tuple[str, list[str]]]:
    return [(caution.kind, [item.draft.key for item in caution.items]) for caution in preview.cautions]


@pytest.fixture
def levels() -> Store:
    """One key at every level, and one more at each."""
    store = Store()
    places = {"everyone": ENVIRONMENT, "app": APP, "service": SERVICE, "version": VERSION, "custom": CUSTOM}
    for name, labels in places.items():
        store.put("who", name, labels)
        store.put(name, "1", labels)
    return store


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("java", ["custom", "version", "service", "app"]),
        ("python", ["custom", "version", "service", "app"]),
        ("java-2.7", ["version", "service", "app", "custom"]),
        ("go", ["service", "app"]),
    ],
)
def test_levels_lie_over_each_other_as_the_client_has_it(levels: Store, kind: str, order: list[str]) -> None:
    found = {row.key: row for row in levels.preview(kind).properties}
    assert sorted(found) == sorted(["who", *order]), "keys of levels that it does not read are not there"
    row = found["who"]
    assert [row.source.level, *(shadow.level for shadow in row.shadows)] == order
    assert [row.source.value, *(shadow.value for shadow in row.shadows)] == order


def test_go_chassis_as_it_comes_reads_labels_of_other_names() -> None:
    """Its version counts at the level of the service; what others read is named, with the reason why it is missed."""
    store = Store()
    app = {"appId": "mall", "environment": ""}
    service = {**app, "serviceName": "cart", "version": "1.0.0"}
    for number, labels in enumerate((app, service)):
        store.put("a", str(number), labels)
    store.put("b", "1", {**service, "version": "2.0.0"})
    store.put("c", "1", {**app, "environment": "production"})
    store.put("d", "1", SERVICE)
    store.put("e", "1", {**SERVICE, "service": "other"})
    found = store.preview("go-2.7")
    assert _values(found) == {"a": "1"}
    assert found.properties[0].source.level == "service"
    assert [shadow.level for shadow in found.properties[0].shadows] == ["app"]
    assert _cautions(found) == [("not-asked-for", ["d"])]
    assert (
        found.cautions[0].text == "these clients ask for the labels appId and serviceName, and not for app and service"
    )
    assert _values(store.preview("go")) == {"d": "1"}


def test_config_center_has_everyone_and_the_application_in_one_level(levels: Store) -> None:
    levels.put("who", "dark", {"service": "darklaunch", **APP})
    row = next(row for row in levels.preview("config-center").properties if row.key == "who")
    assert [(row.source.level, row.source.value)] == [("cart@mall#1.0.0", "version")]
    assert [(shadow.level, shadow.value) for shadow in row.shadows] == [
        ("darklaunch@mall", "dark"),
        ("cart@mall", "service"),
        ("application", "app"),
        ("application", "everyone"),
    ]


def test_a_source_says_which_item_it_is(levels: Store) -> None:
    row = next(row for row in levels.preview("go").properties if row.key == "app")
    named = levels.config.keys.named(TENANT, Draft("app", labels=APP))
    assert named is not None
    assert row.source.item is named


@pytest.mark.parametrize("kind", USUAL)
def test_an_environment_sees_its_own_items_alone(kind: Kind) -> None:
    store = Store()
    store.put("a", "none", SERVICE)
    store.put("a", "production", {**SERVICE, "environment": "production"})
    assert _values(store.preview(kind)) == {"a": "none"}
    assert _values(store.preview(kind, environment="production")) == {"a": "production"}
    assert store.preview(kind).cautions == store.preview(kind, environment="production").cautions == []


def test_an_environment_that_config_center_does_not_know_is_none() -> None:
    store = Store()
    store.put("a", "none", SERVICE)
    assert _values(store.preview("config-center", environment="blue")) == {"a": "none"}
    assert _values(store.preview("java", environment="blue")) == {}


def test_yaml_and_properties_are_flattened_where_the_client_does_that() -> None:
    store = Store()
    store.put("conf", "a: {b: yes}\nc: [1.10]\n", APP, "yaml")
    store.put("more", "a.b = no\nd=\\u00e9", SERVICE, "properties")
    store.put("j", '{"x": 1}', APP, "json")
    for kind in ("java", "java-2.7", "python", "config-center"):
        assert _values(store.preview(kind)) == {"a.b": "no", "c[0]": "1.1", "d": "é", "j": '{"x": 1}'}
        row = store.preview(kind).properties[0]
        assert (row.key, row.source.item.draft.key, [shadow.value for shadow in row.shadows]) == (
            "a.b",
            "more",
            ["true"],
        )
        assert _cautions(store.preview(kind)) == []
    go = store.preview("go")
    assert _values(go) == {"conf": "a: {b: yes}\nc: [1.10]\n", "more": "a.b = no\nd=\\u00e9", "j": '{"x": 1}'}
    assert _cautions(go) == [("type-ignored", ["conf"]), ("type-ignored", ["more"])]


def test_which_of_a_level_wins_depends_on_the_client() -> None:
    store = Store()
    store.put("old", "k: old-high", APP, "yaml", priority=9)
    store.put("new", "k: new-low", APP, "yaml")
    assert _values(store.preview("java")) == {"k": "new-low"}, "the newest update"
    assert _values(store.preview("config-center")) == {"k": "new-low"}
    store.put("newest", "k: newest-high", APP, "yaml", priority=10)
    assert _values(store.preview("java")) == {"k": "newest-high"}
    assert _values(store.preview("java-2.7")) == {"k": "new-low"}, "the last of the list: the lowest priority"


def test_what_was_written_in_one_second_stays_as_it_is_listed() -> None:
    store = Store()
    for name in ("first", "second"):
        store.now = 5000
        store.put(name, f"k: {name}", APP, "yaml")
    assert _values(store.preview("java")) == {"k": "first"}, "lists have the newest first, and the last one wins"
    assert _values(store.preview("config-center")) == {"k": "second"}


def test_the_custom_label_takes_items_with_more_labels_too() -> None:
    store = Store()
    store.put("a", "1", {"zone": "north", "app": "other"})
    assert _values(store.preview("java", label=("zone", "north"))) == {"a": "1"}
    assert _values(store.preview("java", label=("zone", "south"))) == {}
    assert _values(store.preview("go", label=("zone", "north"))) == {}


def test_without_a_version_there_is_no_such_level() -> None:
    assert [level.name for level in levels_of(Client(Kind.JAVA, "mall", "cart"))] == ["app", "service", "custom"]


def test_disabled_items_count_for_nothing_and_are_named() -> None:
    store = Store()
    store.put("a", "1", APP)
    store.put("a", "2", SERVICE, status="disabled")
    preview = store.preview()
    assert _values(preview) == {"a": "1"}
    assert preview.properties[0].shadows == []
    assert _cautions(preview) == [("disabled", ["a"])]


def test_what_does_not_parse_is_left_out_and_said() -> None:
    store = Store()
    store.put("bad", "a: b: c", APP, "yaml")
    store.put("ok", "1", APP)
    preview = store.preview()
    assert _values(preview) == {"ok": "1"}
    assert _cautions(preview) == [("unparsable", ["bad"])]
    assert preview.cautions[0].text.startswith("as yaml, line 1, column 5: mapping values")


def test_an_xml_item_takes_its_whole_level_from_old_java_clients() -> None:
    store = Store()
    store.put("x", "<a/>", SERVICE, "xml")
    store.put("s", "1", SERVICE)
    store.put("a", "1", APP)
    store.put("y", "<a/>", APP, "xml", status="disabled")
    assert _values(store.preview("java")) == {"x": "<a/>", "s": "1", "a": "1"}
    old = store.preview("java-2.7")
    assert _values(old) == {"a": "1"}
    assert _cautions(old) == [("disabled", ["y"]), ("level-refused", ["x"])]


def test_a_rule_that_loses_its_key_is_said() -> None:
    store = Store()
    store.put("servicecomb.rateLimiting.x", "rate: 1", APP, "yaml")
    store.put("servicecomb.retry.x", "maxAttempts: 1", APP)
    assert _cautions(store.preview("java")) == [("rule-lost", ["servicecomb.rateLimiting.x"])]
    assert _cautions(store.preview("go")) == [("type-ignored", ["servicecomb.rateLimiting.x"])]


def test_items_that_no_such_client_asks_for_are_said() -> None:
    store = Store()
    store.put("no-environment", "1", {"app": "mall", "service": "cart"})
    store.put("too", "1", {"app": "mall", "service": "cart"})
    store.put("no-labels", "1", {})
    store.put("zone", "1", {**SERVICE, "zone": "north"})
    store.put("version", "1", VERSION)
    store.put("off", "1", {"app": "mall"}, status="disabled")
    store.put("other-app", "1", {"app": "shop"})
    store.put("other-version", "1", {"app": "mall", "service": "cart", "version": "2.0.0"})
    store.put("other-label", "1", {"team": "blue"})
    found = {tuple(item.draft.key for item in caution.items): caution.text for caution in store.preview("go").cautions}
    assert set(found) == {("no-environment", "too"), ("no-labels",), ("zone",), ("version",)}
    assert "lacks the label environment" in found["no-environment", "too"]
    assert "asks for the label zone" in found["zone",]
    assert "kind go asks for this set of labels" in found["version",]
    assert {caution.kind for caution in store.preview("go").cautions} == {"not-asked-for"}


@pytest.mark.parametrize("kind", USUAL)
def test_an_instance_of_a_gradual_release_sees_the_new_value(kind: Kind) -> None:
    key = "a/b@c#d"  # as Config Center takes it; KIE would not
    store = Store()
    store.put(key, "old", APP)
    item = store.config.keys.named(TENANT, Draft(key, labels=APP))
    assert item is not None
    store.config.releases.start(item, "new", Target(share=50), store.now)
    assert _values(store.preview(kind)) == {key: "old"}
    assert "some instances" in store.preview(kind).cautions[0].text
    store.chosen = lambda _release: True
    chosen = store.preview(kind)
    assert _values(chosen) == {key: "new"}
    assert _cautions(chosen) == [("gradual-release", [key])]
    assert chosen.cautions[0].text.startswith("this instance gets the new value")


def test_a_configuration_that_is_too_large_is_refused() -> None:
    store = Store()
    value = "x" * 131_072
    for number in range(MOST_CHARACTERS // len(value) // 2):
        store.put(f"k{number}", value, APP)
    with pytest.raises(ConfigError, match=r"400001"):
        store.preview()
