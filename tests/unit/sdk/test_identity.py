"""Who calls, proved: what was signed is believed, and nothing else is."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from governance.sdk.calls import EngineUnavailableError, Json
from governance.sdk.identity import PUBLIC_KEY, TOKEN, Callers, Signature

DAY = 24 * 3600.0


class Registry:
    """An engine that knows one service and its instance."""

    def __init__(self) -> None:
        self.key = ""
        self.asked = 0
        self.away = False

    async def instance(self, _service_id: str, instance_id: str) -> Json:
        """The instance i1."""
        self.asked += 1
        if self.away:
            raise EngineUnavailableError("away")
        return {"properties": {PUBLIC_KEY: self.key}} if instance_id == "i1" else {}

    async def service(self, _service_id: str) -> Json:
        """The service web."""
        return {"serviceName": "web", "appId": "shop", "version": "1.0.0", "properties": {"team": "blue"}}


class Time:
    """The time of day."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> Registry:
    """An engine."""
    return Registry()


@pytest.fixture
def time() -> Time:
    """A clock."""
    return Time()


@pytest.fixture
def signature(registry: Registry, time: Time) -> Signature:
    """The caller's, whose key is registered."""
    made = Signature("i1", lambda: "s1", time)
    registry.key = made.public_key
    return made


@pytest.fixture
def callers(registry: Registry, time: Time) -> Callers:
    """The provider's."""
    return Callers(registry, time)  # type: ignore[arg-type]


def context_of(token: str | None) -> Mapping[str, str]:
    """The context that a caller sends."""
    assert token is not None
    return {TOKEN: token}


async def test_a_signed_token_proves_who_calls(signature: Signature, callers: Callers, registry: Registry) -> None:
    context = context_of(signature.token())
    facts = await callers.facts(context)
    assert facts == {"serviceName": "web", "appId": "shop", "version": "1.0.0", "environment": "", "team": "blue"}
    await callers.facts(context)
    assert registry.asked == 1, "a token that was checked is known"


async def test_what_somebody_else_has_signed_proves_nothing(callers: Callers, signature: Signature, time: Time) -> None:
    stranger = Signature("i1", lambda: "s1", time)
    assert await callers.facts(context_of(stranger.token())) is None
    head, _, tail = str(signature.token()).partition("@")
    assert await callers.facts({TOKEN: f"{head}x@{tail}"}) is None, "the signature is of all that is said"


@pytest.mark.parametrize(
    "text", ["", "a@b@c@d", "a@b@1@d@!", "a@b@x@d@AA==", "a@b@1@d@AA==", "\udcff@b@1@d@AA==", "@" * 5000]
)
async def test_what_is_no_token_proves_nothing(callers: Callers, text: str) -> None:
    assert await callers.facts({TOKEN: text}) is None


async def test_a_token_is_renewed_before_it_ends(signature: Signature, callers: Callers, time: Time) -> None:
    first = signature.token()
    assert signature.token() is first
    time.now += DAY
    assert signature.token() != first
    assert await callers.facts(context_of(first)) is not None, "calls under way are not refused"
    time.now += 3600
    assert await callers.facts(context_of(first)) is None


async def test_an_engine_that_is_away_takes_nobodys_name(
    signature: Signature, callers: Callers, registry: Registry, time: Time
) -> None:
    registry.away = True
    context = context_of(signature.token())
    assert await callers.facts(context) is None
    registry.away = False
    known = await callers.facts(context)
    assert known is not None
    registry.away = True
    time.now += 3600
    assert await callers.facts(context) == known, "what was proved half an hour ago holds on"


def test_without_a_registration_nothing_is_signed() -> None:
    assert Signature("i1", lambda: "").token() is None


def test_the_signature_is_what_java_calls_sha256_with_rsa(signature: Signature, tmp_path: Path) -> None:
    plain, _, signed = str(signature.token()).rpartition("@")
    (tmp_path / "plain").write_text(plain)
    (tmp_path / "key").write_text(f"-----BEGIN PUBLIC KEY-----\n{signature.public_key}\n-----END PUBLIC KEY-----\n")
    (tmp_path / "signed").write_text(signed)
    verify = "base64 -d signed > raw && openssl dgst -sha256 -verify key -signature raw plain"
    done = subprocess.run(["sh", "-c", verify], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.strip() == "Verified OK", done
