"""An account in the settings: by every documented name, both parts or none, and a password that no error shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from governance.sdk import ServiceSettings, SettingsError

PASSWORD = "Sesame-0pen!"
_JAVA_CHASSIS = """
servicecomb:
  credentials:
    rbac: {enabled: true}
    cipher: default
    account: {name: cart, password: "%s"}
"""
_SPRING = """
spring:
  cloud:
    servicecomb:
      credentials:
        account: {name: cart, password: "%s", cipher: default}
"""


def load(folder: Path, text: str, environ: Mapping[str, str], **overrides: object) -> ServiceSettings:
    path = folder / "microservice.yaml"
    path.write_text(text, encoding="utf-8")
    return ServiceSettings.load(path, environ, **{"name": "cart", **overrides})


@pytest.mark.parametrize("text", [_JAVA_CHASSIS, _SPRING])
def test_by_a_file(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path, text % PASSWORD, {})
    assert (settings.account_name, settings.account_password.get_secret_value()) == ("cart", PASSWORD)


@pytest.mark.parametrize(
    "prefix", ["servicecomb_credentials_account_", "spring_cloud_servicecomb_credentials_account_"]
)
@pytest.mark.parametrize("upper", [False, True])
def test_by_variables(tmp_path: Path, prefix: str, upper: bool) -> None:
    names = [prefix + part for part in ("name", "password")]
    environ = dict(zip([name.upper() for name in names] if upper else names, ("cart", PASSWORD), strict=True))
    settings = load(tmp_path, "", environ)
    assert (settings.account_name, settings.account_password.get_secret_value()) == ("cart", PASSWORD)
    assert settings.account_enabled


def test_it_can_be_switched_off_as_in_java_chassis(tmp_path: Path) -> None:
    assert not load(
        tmp_path, _JAVA_CHASSIS % PASSWORD, {"servicecomb_credentials_rbac_enabled": "false"}
    ).account_enabled


@pytest.mark.parametrize("reference", ["${file:/run/secrets/cart}", "${env:CART_PASSWORD}"])
def test_a_reference_stays_one_in_a_file_and_in_a_variable(tmp_path: Path, reference: str) -> None:
    for text, environ in (
        (_JAVA_CHASSIS % reference, {}),
        ("", {"servicecomb_credentials_account_name": "c", "servicecomb_credentials_account_password": reference}),
    ):
        assert load(tmp_path, text, environ).account_password.get_secret_value() == reference


def test_a_placeholder_is_a_variable_as_elsewhere(tmp_path: Path) -> None:
    settings = load(tmp_path, _SPRING % "${CART_PASSWORD}", {"CART_PASSWORD": PASSWORD})
    assert settings.account_password.get_secret_value() == PASSWORD


@pytest.mark.parametrize("part", ["name", "password"])
def test_both_or_none(tmp_path: Path, part: str) -> None:
    with pytest.raises(SettingsError, match="an account needs account_name and account_password") as caught:
        load(tmp_path, "", {f"servicecomb_credentials_account_{part}": PASSWORD})
    with pytest.raises(ValidationError, match="an account needs account_name and account_password") as direct:
        ServiceSettings(name="cart", **{f"account_{part}": PASSWORD})  # type: ignore[arg-type]
    if part == "password":
        assert PASSWORD not in f"{caught.value} {caught.value.__cause__} {direct.value}"


def test_a_cipher_is_refused_rather_than_sent_as_a_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"microservice\.yaml:5:\d+: account_cipher: .*'default', not 'aes'"):
        load(tmp_path, _JAVA_CHASSIS.replace("default", "aes") % PASSWORD, {})


def test_no_error_of_another_setting_shows_the_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, _JAVA_CHASSIS % PASSWORD, {}, version="x")
    assert PASSWORD not in f"{caught.value} {caught.value.__cause__!r}"
