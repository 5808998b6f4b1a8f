"""What access control needs that takes chance or time: password hashes and key pairs, made on threads, so that nothing waits."""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import bcrypt
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from registry.access import Access, Mode, Scope
from registry.access.accounts import Draft
from registry.access.passwords import check_password
from registry.access.records import ROOT, Account, SigningKey
from registry.engine.turns import Turns
from registry.errors import RegistryError

T = TypeVar("T")
_COST = 10
_LONGEST = 72
"""Bytes of a password that bcrypt looks at; passwords have 32 at most."""
_KEY_BITS = 2048
_LETTERS = string.ascii_letters + string.digits + "-_.+"
# The hash of no password: what a name that there is not is compared with, so that it takes as long as one that there is.
_NOBODY = "$2b$10$8ph9PG2r4PFJDp2sjFnCBeWaozodHnYyRWaLUZcuAG.7.MqyHMR8S"

log = structlog.get_logger(__name__)


class Execute(Protocol):
    """Runs a command and waits until its changes are stored."""

    def __call__(self, command: Callable[[], T], author: str = "") -> Awaitable[T]: ...


class FirstStartError(Exception):
    """The root password that was given for the first start cannot be one."""


class Credentials:
    """Signs in, hashes and makes keys.

    One hash is made at a time, so that a flood of passwords leaves the other core to everyone else; addresses take turns, so that it leaves
    every other address its sign-ins.
    """

    def __init__(self, access: Access, execute: Execute, now: Callable[[], int]) -> None:
        self._access = access
        self._execute = execute
        self._now = now
        self._turns = Turns()

    async def prepare(self, mode: Mode, password: str, *, fresh: bool, reset: bool = False) -> str:
        """Make what every engine has: built-in roles, a key and root; in a `fresh` journal the mode, too.

        Root's password is the given one, or one that is made up and returned: nobody can tell it again. A root that is there keeps its
        own, but for a `reset`. Raises `FirstStartError`.
        """
        access, now = self._access, self._now()
        has_root = access.accounts.find(ROOT) is not None
        chosen = "" if has_root and not reset else _checked(password) or random_password()
        secret = await self.hash(chosen) if chosen else ""
        pair = "" if access.keys.current else await asyncio.to_thread(_key_pair)

        def command() -> None:
            access.roles.build_in(now)
            if pair:
                access.keys.rotate(secrets.token_hex(8), pair, now)
            if secret and has_root:
                access.accounts.set_secret(ROOT, secret, now)
            elif secret:
                access.accounts.create_root(secret, now)
            if fresh and mode is not access.mode:
                access.switch(mode, Scope(), now)

        await self._execute(command, "engine")
        if not fresh and mode is not Mode.OFF and mode is not access.mode:
            log.warning("access.setting_ignored", setting=mode.value, mode=access.mode.value)
        return chosen if chosen != password else ""

    async def sign_in(self, name: str, password: str, address: str, seconds: int) -> str:
        """A token of so many seconds. Raises what `prove` does."""
        await self.prove(name, password, address)
        return self._access.issue(name, seconds, self._now())

    async def prove(self, name: str, password: str, address: str, *, wrong: int = 401202) -> None:
        """Check a password. Raises 403201 where this name is locked for this address, and `wrong` for a wrong password or an unknown name.

        While services may still call without a token nobody is locked, and `wrong` is 401302: Java clients ask again after that one only.
        """
        async with self._turns.turn(address):
            half_open = self._access.half_open
            self.check_lock(name, address)
            account = self._access.accounts.find(name)
            secret = account.secret if account is not None else _NOBODY
            right = await asyncio.to_thread(_matches, password, secret)
            if account is not None and right:
                return
            if half_open and wrong == 401202:
                raise RegistryError(401302, "User name or password is wrong, RBAC system is half opening")
            if not half_open:
                self._access.lockouts.failed(_lock_of(name, address), self._now() // 1000)
            raise RegistryError(wrong)

    def check_lock(self, name: str, address: str) -> None:
        """Raise 403201 where this name is locked for this address, and services may not call without a token any more."""
        access = self._access
        if not access.half_open and access.lockouts.banned(_lock_of(name, address), self._now() // 1000):
            raise RegistryError(403201, "too many wrong passwords from this address")

    async def create(self, draft: Draft, password: str, author: str) -> Account:
        """Create an account; an empty password is a random one that nobody is told. Raises as `Accounts.create` does."""
        accounts = self._access.accounts
        accounts.check(draft)
        secret = await self.hash(password or random_password())
        return await self._execute(lambda: accounts.create(draft, secret, self._now()), author)

    async def set_password(self, name: str, password: str, author: str) -> None:
        """Give an account another password. Raises 400200."""
        secret = await self.hash(password)
        await self._execute(lambda: self._access.accounts.set_secret(name, secret, self._now()), author)

    async def rotate(self, author: str) -> SigningKey:
        """Let a new key sign from now on."""
        pair = await asyncio.to_thread(_key_pair)
        keys, name = self._access.keys, secrets.token_hex(8)
        return await self._execute(lambda: keys.rotate(name, pair, self._now()), author)

    async def hash(self, password: str) -> str:
        """The bcrypt hash of a password."""
        async with self._turns.turn(""):
            return await asyncio.to_thread(_hash, password)


def random_password() -> str:
    """A password that keeps the rule."""
    while True:
        found = "".join(secrets.choice(_LETTERS) for _ in range(20))
        try:
            check_password(found)
        except RegistryError:
            continue
        return found


def _lock_of(name: str, address: str) -> str:
    return f"{name[:64]}::{address}"


def _checked(password: str) -> str:
    try:
        if password:
            check_password(password)
    except RegistryError as error:
        raise FirstStartError(f"SC_INIT_ROOT_PASSWORD: {error.detail}") from error
    return password


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_COST)).decode()


def _matches(password: str, secret: str) -> bool:
    given = password.encode(errors="replace")
    return bcrypt.checkpw(given[:_LONGEST], secret.encode()) and len(given) <= _LONGEST


def _key_pair() -> str:
    key = rsa.generate_private_key(65537, _KEY_BITS)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
