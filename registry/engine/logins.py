"""How the runtimes log in: what to set in each, and when one that runs asks for a token again. docs/access.md shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from governance.rules.runtimes import Family, Runtime

_JAVA_SECONDS = 20 * 60
_PYTHON_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Login:
    """What a runtime needs. `seconds`: how long at most after it met access off, or was refused, one that runs asks again; none: never."""

    runtime: str
    properties: Mapping[str, str]
    variables: Mapping[str, str]
    seconds: int | None
    again: str


_NAME, _PASSWORD = "NAME", "PASSWORD"
_CHASSIS = Login(
    "Java Chassis",
    {
        "servicecomb.credentials.rbac.enabled": "true",
        "servicecomb.credentials.account.name": _NAME,
        "servicecomb.credentials.account.password": _PASSWORD,
        "servicecomb.credentials.cipher": "default",
    },
    {
        "servicecomb_credentials_rbac_enabled": "true",
        "servicecomb_credentials_account_name": _NAME,
        "servicecomb_credentials_account_password": _PASSWORD,
    },
    _JAVA_SECONDS,
    "at the first call that is refused, where observe told it that its account is wrong; else within 20 minutes",
)
_SPRING = Login(
    "Spring Cloud Huawei",
    {
        "spring.cloud.servicecomb.credentials.account.name": _NAME,
        "spring.cloud.servicecomb.credentials.account.password": _PASSWORD,
        "spring.cloud.servicecomb.credentials.account.cipher": "default",
    },
    {
        "spring_cloud_servicecomb_credentials_account_name": _NAME,
        "spring_cloud_servicecomb_credentials_account_password": _PASSWORD,
    },
    _JAVA_SECONDS,
    _CHASSIS.again,
)
_GO = Login(
    "go-chassis",
    {
        "servicecomb.credentials.account.name": _NAME,
        "servicecomb.credentials.account.password": _PASSWORD,
        "servicecomb.credentials.cipher": "default",
    },
    {},
    None,
    "at its next start; one that runs renews its token after 10 hours and not before, whatever it is refused",
)
_PYTHON = Login(
    "Waggle's Python SDK",
    {"account_name": _NAME, "account_password": _PASSWORD},
    {
        "servicecomb_credentials_account_name": _NAME,
        "servicecomb_credentials_account_password": _PASSWORD,
    },
    _PYTHON_SECONDS,
    "after a minute, and at the first call that is refused",
)
_OTHER = Login("another runtime", {}, {}, None, "at a time that is not known: start it anew with an account")
_LOGINS = {Family.CHASSIS_2: _CHASSIS, Family.CHASSIS_3: _CHASSIS, Family.SPRING: _SPRING, Family.GO: _GO}
LOGINS = (_CHASSIS, _SPRING, _GO, _PYTHON)


def login_of(runtime: Runtime) -> Login:
    """How a runtime logs in."""
    if runtime.name.casefold().startswith("waggle"):
        return _PYTHON
    return _LOGINS.get(runtime.family, _OTHER)
