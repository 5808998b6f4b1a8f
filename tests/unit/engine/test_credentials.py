"""Passwords and keys of the engine: what is made at the first start, one hasher for all, and the same work for every name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import bcrypt
import pytest

from registry.access import Mode
from registry.access.accounts import Draft
from registry.access.passwords import check_password
from registry.catalog import Limits
from registry.engine import Engine
from registry.engine.credentials import FirstStartError, random_password
from registry.errors import RegistryError
from registry.storage.memory import MemoryJournal

ROOT = "Complicated1!"
OTHER = "Complicated2!"


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine(MemoryJournal(), Limits())
    async with engine.running():
        yield engine


async def _refused(engine: Engine, name: str, password: str, address: str = "10.0.0.1") -> int:
    with pytest.raises(RegistryError) as caught:
        await engine.credentials.sign_in(name, password, address, 900)
    return caught.value.error.code


async def test_the_first_start_makes_roles_a_key_and_root(engine: Engine) -> None:
    assert await engine.credentials.prepare(Mode.OBSERVE, ROOT, fresh=True) == "", "it is known already"
    assert engine.access.mode is Mode.OBSERVE
    assert sorted(engine.access.state.roles) == ["admin", "developer"]
    assert engine.access.accounts.get("root").roles == ("admin",)
    assert engine.access.keys.current is not None
    token = await engine.credentials.sign_in("root", ROOT, "10.0.0.1", 900)
    assert engine.access.verify(f"Bearer {token}", engine.now()).account == "root"


async def test_a_later_start_changes_nothing(engine: Engine) -> None:
    await engine.credentials.prepare(Mode.OFF, ROOT, fresh=True)
    revision, key = engine.ledger.revision, engine.access.keys.current
    assert await engine.credentials.prepare(Mode.ENFORCE, OTHER, fresh=False) == ""
    assert (engine.ledger.revision, engine.access.keys.current, engine.access.mode) == (revision, key, Mode.OFF)
    assert await _refused(engine, "root", OTHER) == 401202


async def test_a_password_that_is_made_up_is_told_once_and_differs_from_engine_to_engine(engine: Engine) -> None:
    told = await engine.credentials.prepare(Mode.OFF, "", fresh=True)
    await engine.credentials.sign_in("root", told, "10.0.0.1", 900)
    assert await engine.credentials.prepare(Mode.OFF, "", fresh=False) == ""
    assert len({random_password() for _ in range(100)} | {told}) == 101
    for _ in range(100):
        check_password(random_password())


async def test_a_lost_root_password_is_replaced_where_the_operator_asks_for_it(engine: Engine) -> None:
    await engine.credentials.prepare(Mode.ENFORCE, ROOT, fresh=True)
    token = await engine.credentials.sign_in("root", ROOT, "10.0.0.1", 900)
    assert await engine.credentials.prepare(Mode.OFF, OTHER, fresh=False, reset=True) == ""
    await engine.credentials.sign_in("root", OTHER, "10.0.0.1", 900)
    told = await engine.credentials.prepare(Mode.OFF, "", fresh=False, reset=True)
    await engine.credentials.sign_in("root", told, "10.0.0.1", 900)
    assert await _refused(engine, "root", OTHER) == 401202
    assert engine.access.mode is Mode.ENFORCE
    assert engine.access.verify(f"Bearer {token}", engine.now()).account == "root"


async def test_a_root_password_that_breaks_the_rule_is_refused(engine: Engine) -> None:
    with pytest.raises(FirstStartError, match="SC_INIT_ROOT_PASSWORD: a password has 8 to 32 bytes"):
        await engine.credentials.prepare(Mode.OFF, "weak", fresh=True)
    assert engine.access.accounts.find("root") is None


async def test_two_engines_never_have_the_same_key(engine: Engine) -> None:
    await engine.credentials.prepare(Mode.OFF, ROOT, fresh=True)
    first = engine.access.keys.current
    await engine.credentials.rotate("test")
    second = engine.access.keys.current
    assert first is not None
    assert second is not None
    assert first.private != second.private


async def test_a_name_that_there_is_not_takes_as_much_work_as_one_that_there_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work, not time, is compared: the same function on a hash of the same cost."""
    await engine.credentials.prepare(Mode.ENFORCE, ROOT, fresh=True)
    seen: list[tuple[int, bytes]] = []
    check: Callable[[bytes, bytes], bool] = bcrypt.checkpw

    def recorded(password: bytes, secret: bytes) -> bool:
        seen.append((len(password), secret[:7]))
        return check(password, secret)

    monkeypatch.setattr(bcrypt, "checkpw", recorded)
    assert await _refused(engine, "root", OTHER) == 401202
    assert await _refused(engine, "nobody", OTHER) == 401202
    assert seen == [(13, b"$2b$10$")] * 2
    assert await _refused(engine, "nobody", "nobody") == 401202, "nor is the stand-in's password known"


async def test_all_passwords_are_written_by_one_hasher(engine: Engine) -> None:
    await engine.credentials.prepare(Mode.ENFORCE, ROOT, fresh=True)
    await engine.credentials.create(Draft("orders", ("developer",)), OTHER, "test")
    secrets = [engine.access.accounts.get(name).secret for name in ("root", "orders")]
    await engine.credentials.set_password("orders", ROOT, "test")
    secrets.append(engine.access.accounts.get("orders").secret)
    assert [secret[:7] for secret in secrets] == ["$2b$10$"] * 3
    assert len(set(secrets)) == 3, "each with a salt of its own"
    await engine.credentials.sign_in("orders", ROOT, "10.0.0.1", 900)


async def test_a_password_longer_than_what_bcrypt_looks_at_is_never_right(engine: Engine) -> None:
    await engine.credentials.prepare(Mode.ENFORCE, ROOT, fresh=True)
    secret = await engine.credentials.hash("x" * 72)
    engine.begin(lambda: engine.access.accounts.set_secret("root", secret, engine.now()))
    assert await _refused(engine, "root", "x" * 73) == 401202
    await engine.credentials.sign_in("root", "x" * 72, "10.0.0.1", 900)


async def test_guesses_wait_for_each_other_so_that_a_crowd_has_no_more_than_three(engine: Engine) -> None:
    await engine.credentials.prepare(Mode.ENFORCE, ROOT, fresh=True)
    codes = await asyncio.gather(*(_refused(engine, "root", OTHER) for _ in range(8)))
    assert codes == [*[401202] * 3, *[403201] * 5]
    await engine.credentials.sign_in("root", ROOT, "10.0.0.2", 900)


async def test_an_account_that_exists_is_refused_before_its_password_is_hashed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.credentials.prepare(Mode.ENFORCE, ROOT, fresh=True)
    monkeypatch.setattr(bcrypt, "hashpw", lambda *_: pytest.fail("it was hashed"))
    with pytest.raises(RegistryError, match="409200"):
        await engine.credentials.create(Draft("root", ("admin",)), OTHER, "test")
