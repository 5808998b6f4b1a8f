"""Settings: the strongest source wins, and every mistake is named with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as fuzz
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

import registry.settings
from registry.settings import LoadedSettings, Settings, SettingsError, load


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def toml(text: str, name: str = "given.toml") -> Path:
    file = Path(name)
    file.write_text(text, encoding="utf-8")
    return file


def source(loaded: LoadedSettings, name: str) -> str:
    return next(place for setting, _, place in loaded.rows() if setting == name)


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default() -> None:
    file = toml("# ports\nport = 1\nkie_port = 2\nconfig_port = 3\n")
    loaded = load({"port": "10"}, {"WAGGLE_PORT": "20", "WAGGLE_KIE_PORT": "21"}, file)
    chosen = loaded.settings
    assert (chosen.port, chosen.kie_port, chosen.config_port, chosen.monitor_port) == (10, 21, 3, 30109)
    places = [source(loaded, name) for name in ("port", "kie_port", "config_port", "monitor_port")]
    assert places == ["flag", "WAGGLE_KIE_PORT", "given.toml:4", "default"]


def test_a_flag_that_is_not_given_hides_nothing() -> None:
    assert load({"port": None}, {"WAGGLE_PORT": "20"}).settings.port == 20


def test_the_named_file_beats_the_variables_file_beats_the_folders() -> None:
    toml("port = 3", "waggle.toml")
    assert load({}, {}).settings.port == 3
    by_variable = {"WAGGLE_CONFIG": str(toml("port = 2", "second.toml"))}
    assert load({}, by_variable).settings.port == 2
    assert load({}, by_variable, toml("port = 1")).settings.port == 1


def test_every_default_keeps_its_own_rule() -> None:
    defaults = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    assert Settings.model_validate(defaults) == Settings()


@pytest.mark.parametrize(
    ("flags", "environ", "text", "message"),
    [
        ({"port": "x"}, {}, "", r"^port \(from --port\): 'x' is not allowed; .* at most 65535$"),
        ({}, {"WAGGLE_PORT": "65536"}, "", r"^port \(from WAGGLE_PORT\): '65536' is not allowed; .* at most 65535$"),
        ({}, {}, "host = 'h'\n\nport = -1", r"^port \(from given.toml:3\): -1 is not allowed; .* at least 0"),
        ({}, {"WAGGLE_STORAGE": "etcd"}, "", r"'etcd' is not allowed; it must be one of sqlite, memory$"),
        ({}, {"WAGGLE_IDLE_TIMEOUT": "74.9"}, "", r"a number, at least 75$"),
        ({}, {"WAGGLE_IDLE_TIMEOUT": "inf"}, "", r"a number, at least 75$"),
        ({}, {"WAGGLE_PROTECTION_RATIO": "0"}, "", r"a number, above 0.*, at most 1"),
        ({}, {"WAGGLE_HOT_PATH": "perhaps"}, "", r"^hot_path .* true or false$"),
        ({}, {"WAGGLE_HOST": ""}, "", r"^host .* text, not empty$"),
        ({}, {"WAGGLE_INSTANCE_PROPERTIES": "zone"}, "", r"name:value,name:value$"),
        ({}, {}, "port = true", r"^port \(from given.toml:1\): True is not allowed"),
        ({}, {}, "[instance_properties]\nzone = 1", r"^instance_properties \(from given.toml:1\)"),
        ({}, {}, "prot = 1", r"^given.toml:1: there is no setting 'prot'; do you mean 'port'\?$"),
        ({}, {}, "port = ,\n", r"^the settings file given.toml is no TOML: .*line 1"),
        ({"kie_port": "30100"}, {}, "", r"^port and kie_port are both 30100.*default, kie_port is from --kie-port\)$"),
        ({"tls_key": "k"}, {}, "", r"^tls_key needs tls_cert \(tls_key is from --tls-key\)$"),
        ({"tls_client_ca": "c"}, {}, "", r"^tls_client_ca needs tls_cert"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    flags: dict[str, object], environ: dict[str, str], text: str, message: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(flags, environ, toml(text))
    assert re.search(message, str(refused.value)), str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load({"port": "x"}, {"WAGGLE_STORAGE": "etcd"}, None)
    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["port", "storage"]


def test_a_file_that_cannot_be_read_is_named() -> None:
    for file in (Path("missing.toml"), Path()):
        with pytest.raises(SettingsError, match=rf"^the settings file {file} cannot be read: \w"):
            load({}, {}, file)
    Path("latin.toml").write_bytes(b'host = "\xff"')
    with pytest.raises(SettingsError, match=r"latin.toml is no TOML"):
        load({}, {"WAGGLE_CONFIG": "latin.toml"})


def test_an_unknown_variable_is_a_warning_with_the_nearest_name() -> None:
    loaded = load({}, {"WAGGLE_PROT": "1", "WAGGLE_ENGINE": "http://a", "PROT": "1"})
    assert loaded.warnings == ("WAGGLE_PROT is no setting; do you mean 'port'?; it is ignored",)
    assert loaded.settings == Settings()


def test_what_kubernetes_adds_beside_a_service_called_waggle_is_ignored() -> None:
    added = {
        "WAGGLE_PORT": "tcp://10.0.0.1:30100",
        "WAGGLE_PORT_30100_TCP": "tcp://10.0.0.1:30100",
        "WAGGLE_PORT_30100_TCP_ADDR": "10.0.0.1",
        "WAGGLE_SERVICE_HOST": "10.0.0.1",
        "WAGGLE_SERVICE_PORT": "30100",
        "WAGGLE_SERVICE_PORT_REST": "30100",
    }
    loaded = load({}, added)
    assert (loaded.settings, loaded.warnings) == (Settings(), ())


def test_lists_and_mappings_are_written_as_text_or_as_toml() -> None:
    text = load({"shared_services": "a, b", "instance_properties": "zone:a,url:http://x"}, {}).settings
    as_toml = toml('shared_services = ["a", "b"]\n[instance_properties]\nzone = "a"\nurl = "http://x"\n')
    assert text == load({}, {}, as_toml).settings
    assert text.shared_services == ("a", "b")
    assert text.instance_properties == {"zone": "a", "url": "http://x"}


def test_what_is_shown_can_be_given_again() -> None:
    loaded = load({"hot_path": "false", "shared_services": "a,b", "instance_properties": "k:v"}, {})
    again = load({name: value for name, value, _ in loaded.rows()}, {})
    assert again.settings == loaded.settings
    assert load({row["name"]: row["value"] for row in loaded.document()}, {}).settings == loaded.settings  # type: ignore[misc]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


class _WithSecret(Settings):
    api_key: SecretStr = Field(SecretStr(""), min_length=12, description="A secret.")


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.settings, "Settings", _WithSecret)
    loaded = load({}, {"WAGGLE_API_KEY": "hidden-treasure"})
    assert loaded.settings.api_key.get_secret_value() == "hidden-treasure"  # type: ignore[attr-defined]
    assert loaded.rows()[-1] == ("api_key", "**********", "WAGGLE_API_KEY")
    assert "hidden" not in f"{loaded} {loaded.rows()} {loaded.document()}"
    with pytest.raises(SettingsError) as refused:
        load({}, {"WAGGLE_API_KEY": "hidden"})
    assert str(refused.value).startswith("api_key (from WAGGLE_API_KEY): the value is not allowed")


@fuzz(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.dictionaries(st.sampled_from(sorted(Settings.model_fields)), st.text(max_size=12), max_size=4))
def test_any_text_is_a_setting_or_a_named_mistake(values: dict[str, str]) -> None:
    environ = {"WAGGLE_" + name.upper(): text for name, text in values.items()}
    try:
        told = str(load({}, environ).sources)
    except SettingsError as error:
        told = str(error)
    assert all(variable in told for variable in environ) or any(name in told for name in values)
