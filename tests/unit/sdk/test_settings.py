"""Settings of the SDK: names, strength, places in errors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from governance.sdk import DataCenter, ServiceSettings, SettingsError
from governance.sdk.names import CARRIED, FILE_ONLY, KEYS, MAPPINGS, MILLISECONDS, VARIABLES

_NOTHING: Mapping[str, str] = {}


def load(text: str, environ: Mapping[str, str] = _NOTHING, *, folder: Path, **overrides: object) -> ServiceSettings:
    path = folder / "microservice.yaml"
    path.write_text(text, encoding="utf-8")
    return ServiceSettings.load(path, environ, **overrides)


def refused(text: str, environ: Mapping[str, str] = _NOTHING, *, folder: Path, **overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load(text, environ, folder=folder, **overrides)
    return str(caught.value).replace(str(folder), "")


def test_a_java_chassis_file(tmp_path: Path) -> None:
    settings = load(
        """
        servicecomb:
          service:
            application: shop
            name: cart
            version: 1.10
            environment: production
            description: keeps what you want
            properties: {allowCrossApp: true}
            registry:
              address: "http://10.0.0.1:30100, http://10.0.0.2:30100"
              instance:
                watch: false
                healthCheck: {interval: 15, times: 5}
                pull: {interval: 7}
                empty: {protection: true}
          instance:
            initialStatus: STARTING
            properties: {cas_lane_tag: gray, affinity-tag: gray}
          rest:
            address: 127.0.0.1:8080?sslEnabled=true
          datacenter: {name: dc, region: north, availableZone: n1}
        """,
        folder=tmp_path,
    )
    assert (settings.app, settings.name, settings.environment) == ("shop", "cart", "production")
    assert settings.version == "1.10", "a version is text, as it is written"
    assert settings.description == "keeps what you want"
    assert settings.addresses == ("http://10.0.0.1:30100", "http://10.0.0.2:30100")
    assert (settings.watch, settings.empty_protection, settings.status) == (False, True, "STARTING")
    assert (settings.heartbeat_interval, settings.heartbeat_times, settings.pull_interval) == (15, 5, 7)
    assert settings.lease == 90
    assert settings.instance_properties == {"cas_lane_tag": "gray", "affinity-tag": "gray"}
    assert settings.service_properties == {"allowCrossApp": "true"}
    assert settings.endpoints == ("rest://127.0.0.1:8080?sslEnabled=true",)
    assert settings.data_center == DataCenter(name="dc", region="north", zone="n1")


def test_a_spring_cloud_file_with_placeholders_and_milliseconds(tmp_path: Path) -> None:
    settings = load(
        """
        spring:
          application: {name: unit-consumer}
          cloud:
            servicecomb:
              service:
                version: "${CAS_VERSION:${OTHER:0.0.3}}"
                name: ${spring.application.name}
              instance:
                initial-status: TESTING
                properties: {affinity-tag: base}
              discovery:
                app-name: canary-application
                address: ${PAAS_SC:http://127.0.0.1:30100}
                healthCheckInterval: 10
                pollInterval: 5000
                watch: true
        """,
        {"PAAS_SC": "http://engine:30100"},
        folder=tmp_path,
    )
    assert (settings.name, settings.app, settings.version) == ("unit-consumer", "canary-application", "0.0.3")
    assert settings.addresses == ("http://engine:30100",)
    assert (settings.heartbeat_interval, settings.pull_interval) == (10, 5), "Spring's poll interval is milliseconds"
    assert settings.status == "TESTING"
    assert settings.instance_properties == {"affinity-tag": "base"}


def test_the_old_names_and_the_cse_prefix_still_work(tmp_path: Path) -> None:
    settings = load(
        """
        APPLICATION_ID: shop
        service_description: {name: cart, version: 0.0.2, properties: {a: b}}
        instance_description: {properties: {tags: t}}
        cse.service.registry.address: http://10.0.0.1:30100/
        cse.rest.address: ["10.0.0.7:80", "10.0.0.7:81"]
        """,
        folder=tmp_path,
    )
    assert (settings.app, settings.name, settings.version) == ("shop", "cart", "0.0.2")
    assert settings.addresses == ("http://10.0.0.1:30100",)
    assert settings.endpoints == ("rest://10.0.0.7:80", "rest://10.0.0.7:81")
    assert (settings.service_properties, settings.instance_properties) == ({"a": "b"}, {"tags": "t"})


def test_merged_mappings_and_empty_values(tmp_path: Path) -> None:
    settings = load(
        """
        common: &common {name: base, version: 1.0}
        servicecomb:
          service:
            <<: *common
            name: cart
            description: ~
        """,
        folder=tmp_path,
    )
    assert (settings.name, settings.version, settings.description) == ("cart", "1.0", "")


_FILE = "servicecomb: {service: {name: cart, version: 1.0, registry: {address: 'http://file:1'}}}"


def test_code_is_stronger_than_the_environment_than_the_file(tmp_path: Path) -> None:
    environ = {"SERVICECOMB_SERVICE_VERSION": "2.0"}
    assert load(_FILE, folder=tmp_path).version == "1.0"
    assert load(_FILE, environ, folder=tmp_path).version == "2.0"
    assert load(_FILE, environ, folder=tmp_path, version="3.0").version == "3.0"
    assert load(_FILE, {"CAS_INSTANCE_VERSION": "4.0", **environ}, folder=tmp_path).version == "4.0"
    pointing = {"VERSION_MAPPING": "MINE", "MINE": "5.0", "CAS_INSTANCE_VERSION": "4.0"}
    assert load(_FILE, pointing, folder=tmp_path).version == "5.0"
    assert load(_FILE, {"VERSION_MAPPING": "NOWHERE"}, folder=tmp_path).version == "1.0"


def test_the_strongest_address_of_the_environment_wins(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    for name in ("servicecomb_service_registry_address", *reversed(VARIABLES["addresses"])):
        environ[name] = f"http://{name.replace('_', '-').lower()}:1"
        assert load(_FILE, environ, folder=tmp_path).addresses == (environ[name],)
    assert load(_FILE, {"PAAS_CSE_SC_ENDPOINT": ""}, folder=tmp_path).addresses == ("http://file:1",), "empty is none"


@pytest.mark.parametrize("field", KEYS)
def test_every_key_works_in_a_file_and_as_a_variable(field: str, tmp_path: Path) -> None:
    sample = {
        "environment": "testing",
        "version": "7.7",
        "addresses": "http://a:1",
        "endpoints": "a:1",
        "status": "DOWN",
        "heartbeat_interval": "77",
        "heartbeat_times": "7",
        "heartbeat_timeout": "7",
        "drain_wait": "7",
        "drain_timeout": "7",
        "pull_interval": "77",
        "request_timeout": "7",
        "watch": "false",
        "empty_protection": "true",
        "sign_calls": "true",
        "config": "false",
        "config_addresses": "http://a:1",
        "config_wait": "7",
        "config_timeout": "7",
        "monitor": "false",
        "monitor_addresses": "http://a:1",
        "monitor_interval": "7",
        "metrics_address": "127.0.0.1:9696",
        "account_cipher": "default",
        "account_enabled": "false",
    }
    value = sample.get(field, "other")
    name = {} if field == "name" else {"name": "cart"}
    # There is no half of an account.
    other_half = {"account_name": "account_password", "account_password": "account_name"}
    name |= {other_half[field]: "mine"} if field in other_half else {}
    wanted = getattr(ServiceSettings(**{**name, field: value}), field)  # type: ignore[arg-type]
    for key in KEYS[field]:
        given = f"{int(value) * 1000}" if key in MILLISECONDS else value
        from_file = load(f'{key}: "{given}"', folder=tmp_path, **name)
        assert getattr(from_file, field) == wanted, key
        variable = {key.replace(".", "_").upper(): given}
        from_variable = load("", variable, folder=tmp_path, **name)
        assert (getattr(from_variable, field) == wanted) is (key not in FILE_ONLY), key


def test_properties_of_the_environment(tmp_path: Path) -> None:
    environ = {
        "SERVICECOMB_INSTANCE_PROPS": "cas_lane_tag:gray, affinity-tag : gray ,u:http://x,bad,:none",
        "SERVICECOMB_SERVICE_PROPS": "team:red",
        "CAS_COMPONENT_NAME": "comp",
        "CAS_INSTANCE_ID": "abc",
        "CAS_ENVIRONMENT_ID": "",
    }
    text = "servicecomb: {service: {name: c}, instance: {properties: {cas_lane_tag: base, Kept: yes}}}"
    settings = load(text, environ, folder=tmp_path)
    assert settings.instance_properties == {
        "cas_lane_tag": "gray",
        "affinity-tag": "gray",
        "Kept": "yes",
        "CAS_COMPONENT_NAME": "comp",
        "CAS_INSTANCE_ID": "abc",
    }
    assert settings.service_properties == {"team": "red"}
    assert set(environ) - {"SERVICECOMB_INSTANCE_PROPS", "SERVICECOMB_SERVICE_PROPS"} <= set(CARRIED)


def test_the_file_of_the_working_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in {*CARRIED, *MAPPINGS.values()}:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "microservice.yaml").write_text("servicecomb.service.name: here", encoding="utf-8")
    monkeypatch.setenv("servicecomb_service_version", "1.2.3.4")
    settings = ServiceSettings.load()
    assert (settings.name, settings.version) == ("here", "1.2.3.4")
    assert settings.host_name, "the machine's own"


@pytest.mark.parametrize(
    ("text", "environ", "told"),
    [
        ("a: [1\nb: 2", {}, "/microservice.yaml:2:2: expected ',' or ']', but got ':'"),
        ("a: 1\n---\nb: 2", {}, "/microservice.yaml:2:1: but found another document"),
        ("- a\n- b", {}, "/microservice.yaml:1:1: settings are a mapping, such as `servicecomb: …`"),
        ("x: 1\nx: 2", {}, "/microservice.yaml:2:1: the key 'x' is given twice"),
        (
            "servicecomb:\n  service:\n    name: c\n    registry: {instance: {healthCheck: {interval: soon}}}",
            {},
            "/microservice.yaml:4:51: heartbeat_interval: Input should be a valid number, unable to parse string as a number, not 'soon'",
        ),
        (
            "servicecomb.service.name: c\nservicecomb.service.version: 1.x",
            {},
            "/microservice.yaml:2:30: version: a version is one to four numbers up to 32767, such as 1.2.0",
        ),
        (
            "servicecomb.service.name: c",
            {"PAAS_CSE_SC_ENDPOINT": "engine:30100"},
            "variable PAAS_CSE_SC_ENDPOINT: addresses: 'engine:30100' is no address such as http://127.0.0.1:30100",
        ),
        (
            "servicecomb.service.name: c\nservicecomb.rest.address: 8080",
            {},
            "/microservice.yaml:2:27: endpoints: '8080' is no endpoint such as rest://10.0.0.7:8080 or 10.0.0.7:8080",
        ),
        (
            "servicecomb.service.name: c\nservicecomb.instance.initialStatus: up",
            {},
            "/microservice.yaml:2:37: status: Input should be 'UP', 'DOWN', 'STARTING', 'TESTING' or 'OUTOFSERVICE', not 'up'",
        ),
        (
            "servicecomb.service.name: ${NAME}",
            {},
            "/microservice.yaml:1:27: ${NAME} is no variable and no key of this file",
        ),
        ("a: ${b}\nb: ${a}\nservicecomb.service.name: ${a}", {}, "/microservice.yaml:3:27: '${a}' stands for itself"),
        (
            "servicecomb.service.name: c",
            {"SERVICECOMB_INSTANCE_PROPS": "a:1,a:2"},
            "variable SERVICECOMB_INSTANCE_PROPS: the property 'a' is given twice",
        ),
        (
            "",
            {},
            "name is missing: give it in code, as servicecomb.service.name in microservice.yaml, or as a variable",
        ),
        (
            "servicecomb: {service: {name: c}, datacenter: {name: d, region: r}}",
            {},
            (
                "data_center.zone is missing: give it in code, as servicecomb.datacenter.availableZone in microservice.yaml,"
                " or as a variable"
            ),
        ),
        (
            "servicecomb: {service: {name: c}, datacenter: {name: d, region: r, availableZone: 'a b'}}",
            {},
            "/microservice.yaml:1:83: data_center: String should match pattern '^[A-Za-z0-9_.-]{1,128}$', not 'a b'",
        ),
    ],
)
def test_a_wrong_setting_is_told_with_its_place(
    text: str, environ: Mapping[str, str], told: str, tmp_path: Path
) -> None:
    assert refused(text, environ, folder=tmp_path) == told


def test_wrong_settings_from_code_are_told_by_name(tmp_path: Path) -> None:
    assert refused("", folder=tmp_path, name="a b").startswith("name: String should match pattern")
    assert refused("", folder=tmp_path, nme="x", name="x") == "nme: there is no such setting"
    assert refused("", folder=tmp_path, name="x", addresses=()).startswith(
        "addresses: Tuple should have at least 1 item"
    )
    text = "servicecomb.service.name: 'a b'"
    assert refused(text, folder=tmp_path, name="c d") == (
        "name: String should match pattern '^[a-zA-Z0-9]([a-zA-Z0-9_\\-.]*[a-zA-Z0-9])?$', not 'c d'"
    ), "the file's value was not used, and is not blamed"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml: .*No such file"):
        ServiceSettings.load(tmp_path / "nowhere.yaml", {})
    (tmp_path / "bytes.yaml").write_bytes(b"a: \xff")
    with pytest.raises(SettingsError, match=r"bytes\.yaml: .*utf-8"):
        ServiceSettings.load(tmp_path / "bytes.yaml", {})


def test_settings_cannot_be_changed() -> None:
    settings = ServiceSettings(name="c")
    with pytest.raises(ValueError, match="frozen"):
        settings.name = "d"
