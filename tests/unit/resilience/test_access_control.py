"""Who may call: by the lists of both frameworks, and by the security policy."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest

from governance.invocation.invocation import Invocation, LocalReply
from governance.invocation.live import LiveRules
from governance.resilience.access_control import AccessControlStage
from governance.rules.marker import Request
from governance.rules.selection import OwnService
from tests.unit.resilience.limited import Callee

CHASSIS = "servicecomb.publicKey.accessControl"
SPRING = "spring.cloud.servicecomb.webmvc.public-key.access-control"
ACLS = "spring.cloud.servicecomb.webmvc.public-key.acls"
ALLOW = {
    f"{ACLS}.action.allow[0].{part}": value
    for part, value in (("consumer", "edge"), ("method", "GET"), ("uri", "/items*"))
}
DENY = {
    f"{ACLS}.action.deny[0].{part}": value
    for part, value in (("consumer", "edge"), ("method", "GET"), ("uri", "*.secret"))
}
EDGE = {"serviceName": "edge", "version": "1.0", "appId": "shop"}


def _entry(begin: str, name: str, rule: str) -> dict[str, str]:
    return {f"{begin}.category": "property", f"{begin}.propertyName": name, f"{begin}.rule": rule}


def _rules(items: Mapping[str, str]) -> LiveRules:
    rules = LiveRules(OwnService("stock"))
    rules.update(items)
    return rules


def _call(caller: Mapping[str, str] | None, path: str = "/items", method: str = "GET") -> Invocation:
    return Invocation(request=Request(path, method), service="", caller=caller)


async def _status(stage: AccessControlStage, *call: object) -> int:
    return (await stage(_call(*call), Callee())).status  # type: ignore[arg-type]


@pytest.mark.parametrize("white", [f"{CHASSIS}.white.w1", f"{SPRING}.white[0]"])
async def test_with_a_white_list_only_who_is_on_it_passes(white: str) -> None:
    rules = _rules(_entry(white, "serviceName", "ed*"))
    stage, callee = AccessControlStage(rules), Callee()
    for caller in ({"serviceName": "other"}, {}, None):
        assert await stage(_call(caller), callee) == LocalReply(403, "UNAUTHORIZED BY WHITE BLACK", by="accessControl")
    assert callee.calls == 0
    assert (await stage(_call(EDGE), callee)).status == 200
    rules.update({})
    assert await _status(stage, None) == 200


@pytest.mark.parametrize("black", [f"{CHASSIS}.black.b1", f"{SPRING}.black[0]"])
async def test_with_a_black_list_who_is_on_it_does_not_pass(black: str) -> None:
    stage = AccessControlStage(_rules(_entry(black, "version", "*-SNAPSHOT")))
    assert await _status(stage, EDGE) == 200
    assert await _status(stage, {**EDGE, "version": "1.0-SNAPSHOT"}) == 403
    assert await _status(stage, None) == 403, "nobody knows who that is"


async def test_java_chassis_says_401() -> None:
    stage = AccessControlStage(_rules(_entry(f"{CHASSIS}.white.w1", "serviceName", "edge")), status=401)
    assert await stage(_call(None), Callee()) == LocalReply(401, "UNAUTHORIZED", by="accessControl")


async def test_an_enforcing_policy_lets_pass_what_it_allows_and_does_not_deny() -> None:
    stage = AccessControlStage(_rules({f"{ACLS}.mode": "enforcing", **ALLOW, **DENY}))
    refusal = LocalReply(403, "UNAUTHORIZED BY SECURITY POLICY", by="accessControl")
    for call in ((EDGE, "/other"), (EDGE, "/items", "POST"), (EDGE, "/items.secret"), ({"serviceName": "x"},), (None,)):
        assert await stage(_call(*call), Callee()) == refusal, call  # type: ignore[arg-type]
    assert await _status(stage, EDGE, "/items/7") == 200


async def test_a_policy_without_a_mode_lets_all_pass() -> None:
    assert await _status(AccessControlStage(_rules({**ALLOW, **DENY})), None, "/x") == 200


async def test_a_permissive_policy_tells_once_of_what_it_would_refuse(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    rules = _rules({f"{ACLS}.mode": "permissive", **ALLOW})
    stage = AccessControlStage(rules)
    for _ in range(5):
        assert await _status(stage, EDGE, "/other") == 200
        assert await _status(stage, EDGE, "/items") == 200
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "access.tolerated" in told[0]
    assert "edge" in told[0]
    rules.update({f"{ACLS}.mode": "permissive", **ALLOW, **DENY})
    assert await _status(stage, EDGE, "/other") == 200
    assert len(caplog.records) == 2, "under another policy it is told again"


async def test_a_permissive_policy_lets_nobody_pass_whom_the_lists_refuse() -> None:
    rules = _rules({f"{ACLS}.mode": "permissive", **_entry(f"{CHASSIS}.black.b1", "serviceName", "edge")})
    assert await _status(AccessControlStage(rules), EDGE) == 403
