"""Levels, merging, snapshots, references and models: the parts of the configuration that talk to nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from governance.sdk import Change, ConfigurationError, ServiceSettings
from governance.sdk.configuration.levels import Level, Value, levels_of, merged, read_items
from governance.sdk.configuration.listeners import changes_between
from governance.sdk.configuration.models import model_of
from governance.sdk.configuration.snapshot import Snapshot
from governance.sdk.references import MOST_BYTES, References

LEVEL = Level("app", 0, {"app": "shop", "environment": ""})
NO_SECRETS = References({}, ())


def row(key: str, value: str, **fields: object) -> dict[str, object]:
    return {"key": key, "value": value, "value_type": "text", "status": "enabled", "update_time": 1, **fields}


def texts(*rows: dict[str, object]) -> dict[str, str]:
    values, _ = read_items(LEVEL, rows)
    return {key: value.text for key, value in values.items()}


def snapshot(references: References = NO_SECRETS, rank: int = 0, **values: str) -> Snapshot:
    """Values of one level, each from an item of its own name; `__` stands for a dot."""
    named = {key.replace("__", "."): text for key, text in values.items()}
    return Snapshot({key: Value(text, key, "app", rank) for key, text in named.items()}, references)


def test_what_is_asked_for() -> None:
    settings = ServiceSettings(name="cart", app="shop", version="1.2", environment="testing", config_label="team")
    assert [level.query for level in levels_of(settings)] == [
        [("label", "app:shop"), ("label", "environment:testing"), ("match", "exact")],
        [("label", "app:shop"), ("label", "environment:testing"), ("label", "service:cart"), ("match", "exact")],
        [
            ("label", "app:shop"),
            ("label", "environment:testing"),
            ("label", "service:cart"),
            ("label", "version:1.2"),
            ("match", "exact"),
        ],
        [("label", "team:")],
    ]
    assert len(levels_of(ServiceSettings(name="cart", config_label=""))) == 3


def test_of_one_key_the_item_changed_last_counts_and_of_one_second_the_last() -> None:
    assert texts(row("a", "new", update_time=9), row("a", "old", update_time=8)) == {"a": "new"}
    assert texts(row("a", "first"), row("a", "last")) == {"a": "last"}


@pytest.mark.parametrize(
    ("status", "there"), [("enabled", True), ("ENABLED", True), (None, True), ("disabled", False), ("other", False)]
)
def test_what_is_disabled_is_not_there(status: str | None, there: bool) -> None:
    assert texts(row("a", "1", status=status)) == ({"a": "1"} if there else {})


def test_items_become_properties_and_a_bad_one_is_left_out_alone() -> None:
    values, wrong = read_items(
        LEVEL,
        [
            row("dropped", "a: {b: [1, x]}", value_type="yaml"),
            row("dropped", "c.d = 2", value_type="properties"),
            row("json", '{"e": 3}', value_type="json"),
            row("bad", "[", value_type="yaml"),
            {"key": "bare"},
        ],
    )
    assert {key: value.text for key, value in values.items()} == {
        "a.b[0]": "1",
        "a.b[1]": "x",
        "c.d": "2",
        "json": '{"e": 3}',
        "bare": "",
    }
    assert values["c.d"] == Value("2", "dropped", "app", 0)
    assert [*wrong] == ["bad"]
    assert "line 1, column 2" in wrong["bad"]


def test_the_later_level_wins() -> None:
    low, high = ({"a": Value(text, "i", text, rank)} for rank, text in enumerate(("low", "high")))
    assert merged([low, {}, high])["a"].text == "high"
    assert merged([]) == {}


def test_changes_are_of_texts_and_not_of_their_sources() -> None:
    old = {"same": Value("1", "x", "app", 0), "changed": Value("1", "x", "app", 0), "gone": Value("1", "x", "app", 0)}
    new = {"same": Value("1", "y", "service", 1), "changed": Value("2", "x", "app", 0), "new": Value("", "x", "app", 0)}
    assert changes_between(old, new) == {
        "changed": Change("1", "2"),
        "gone": Change("1", None),
        "new": Change(None, ""),
    }


def test_references_are_resolved_when_they_are_read(tmp_path: Path) -> None:
    secret = tmp_path / "db"
    secret.write_text("hunter2\n")
    environ = {"USER_NAME": "cart", "EMPTY": "", "NESTED": "${env:USER_NAME}"}
    found = snapshot(
        References(environ, [str(tmp_path)]),
        url=f"pg://${{env:USER_NAME}}:${{file:{secret}}}@db",
        empty="${env:EMPTY}",
        nested="${env:NESTED}",
        other="${other:x} $env:USER_NAME ${env:",
    )
    assert dict(found) == {
        "url": "pg://cart:hunter2@db",
        "empty": "",
        "nested": "${env:USER_NAME}",
        "other": "${other:x} $env:USER_NAME ${env:",
    }
    assert "hunter2" not in repr(found)
    assert "${env:USER_NAME}" in repr(found)
    secret.write_text("hunter3")
    assert found["url"] == "pg://cart:hunter3@db", "a file that changes is read again"


def test_what_a_reference_may_not_or_cannot_read(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (tmp_path / "outside").write_text("mine")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "bytes").write_bytes(b"\xff")
    (folder / "large").write_bytes(b"x" * (MOST_BYTES + 1))
    references = References({}, [str(folder)])
    for reference, reason in {
        "env:NONE": "there is no variable NONE",
        "env:": "there is no variable",
        f"file:{folder}/none": "there is no file",
        f"file:{folder}": "there is no file",
        f"file:{tmp_path}/outside": "is not below",
        f"file:{folder}/../outside": "is not below",
        f"file:{folder}/link": "is not below",
        f"file:{folder}/bytes": "is no text",
        f"file:{folder}/large": "has more than 1048576 bytes",
        "file:\0": "embedded null byte",
        f"file:{folder}/{'x' * 300}": "name too long",
    }.items():
        found = snapshot(references, a="${%s}" % reference, b="well")  # noqa: UP031  braces in an f-string hide more than they show
        with pytest.raises(ConfigurationError, match=rf"^a: .*(?i:{reason})"):
            _ = found["a"]
        assert found.get("b") == "well"
    with pytest.raises(ConfigurationError, match="is not below any folder of config_secrets"):
        _ = snapshot(References({}, ()), a=f"${{file:{folder}/bytes}}")["a"]


class Host(BaseModel):
    name: str
    port: int = 80


class Shop(BaseModel):
    limit: int = 100
    ratio: float = 0.5
    on: bool = False
    hosts: list[Host] = []
    names: tuple[str, ...] = ("default",)
    by_zone: dict[str, Host] = {}
    best: Host | None = None


def test_a_model_is_made_of_the_keys_below_a_prefix() -> None:
    values = Snapshot(
        {
            key: Value(text, key, "app", 0)
            for key, text in {
                "shop.limit": "7",
                "shop.ratio": "0.25",
                "shop.on": "true",
                "shop.hosts[0].name": "a",
                "shop.hosts[1].name": "b",
                "shop.hosts[1].port": "81",
                "shop.hosts[10].name": "k",
                "shop.hosts[2].name": "c",
                "shop.names[0]": "x",
                "shop.by_zone.n1.name": "n",
                "shop.by_zone[7].name": "seven",
                "shop.best.name": "a",
                "shop.unknown.to.it": "1",
                "shopping": "1",
                "limit": "1",
            }.items()
        },
        NO_SECRETS,
    )
    assert model_of(Shop, "shop.", values, secrets=True) == Shop(
        limit=7,
        ratio=0.25,
        on=True,
        hosts=[Host(name="a"), Host(name="b", port=81), Host(name="c"), Host(name="k")],
        names=("x",),
        by_zone={"n1": Host(name="n"), "7": Host(name="seven")},
        best=Host(name="a"),
    )
    assert model_of(Shop, "none.", values, secrets=True) == Shop()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a, b,,c ", ("a", "b", "c")),
        ("", ()),
        ('["a", "b, c"]', ("a", "b, c")),
        ("[a, b", ("[a", "b")),
    ],
)
def test_a_text_is_read_as_a_list_where_one_is_wanted(text: str, names: tuple[str, ...]) -> None:
    found = snapshot(names=text, hosts='[{"name": "a"}]', by_zone='{"n": {"name": "b"}}')
    if text == "[a, b":
        with pytest.raises(ConfigurationError, match=r"^names: Input should be a valid tuple, not '\[a, b'"):
            model_of(Shop, "", found, secrets=True)
        return
    model = model_of(Shop, "", found, secrets=True)
    assert (model.names, model.hosts, model.by_zone) == (names, [Host(name="a")], {"n": Host(name="b")})


def test_a_stronger_text_replaces_a_weaker_list_and_the_reverse() -> None:
    listed = {"names[0]": Value("a", "i", "app", 0), "names[1]": Value("b", "i", "app", 0)}
    text = {"names": Value("x,y", "i", "service", 1)}
    assert model_of(Shop, "", Snapshot({**listed, **text}, NO_SECRETS), secrets=True).names == ("x", "y")
    weak = {"names": Value("x,y", "i", "app", 0)}
    strong = {"names[0]": Value("a", "i", "service", 1)}
    assert model_of(Shop, "", Snapshot({**weak, **strong}, NO_SECRETS), secrets=True).names == ("a",)


def test_an_error_names_the_key_and_where_its_value_is_from() -> None:
    values = {
        "shop.limit": Value("many", "shop.yaml", "service", 1),
        "shop.hosts[0].port": Value("81", "other.yaml", "app", 0),
    }
    with pytest.raises(ConfigurationError) as raised:
        model_of(Shop, "shop.", Snapshot(values, NO_SECRETS), secrets=True)
    told = str(raised.value)
    assert "shop.limit: Input should be a valid integer" in told
    assert "not 'many' (item shop.yaml at level service)" in told
    assert "shop.hosts[0].name: Field required (item other.yaml at level app)" in told


class Login(BaseModel):
    password: int
    token: SecretStr = SecretStr("")


def test_an_error_of_a_model_shows_the_reference_and_never_the_secret() -> None:
    written = {"password": "${env:PASSWORD}"}
    found = snapshot(References({"PASSWORD": "hunter2"}, ()), **written)
    with pytest.raises(ConfigurationError) as raised:
        model_of(Login, "", found, secrets=True)
    assert "hunter2" not in str(raised.value)
    assert "password: int_parsing, not '${env:PASSWORD}'" in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_what_others_are_shown_keeps_its_references() -> None:
    found = snapshot(References({"PASSWORD": "hunter2"}, ()), names="${env:PASSWORD}")
    assert model_of(Shop, "", found, secrets=False).names == ("${env:PASSWORD}",)
    assert model_of(Shop, "", found, secrets=True).names == ("hunter2",)


def test_keys_of_any_shape_are_no_trouble() -> None:
    keys = [
        "",
        ".",
        "[",
        "]",
        "[]",
        "[0]",
        "a..b",
        "a.[0",
        "a[x]",
        "a" + ".a" * 5000,
        "[0]" * 3000,
        "a[0].b[1][2]",
        "²[²]",
    ]
    found = Snapshot({key: Value("1", key, "app", 0) for key in keys}, NO_SECRETS)
    assert model_of(Shop, "", found, secrets=True) == Shop()
