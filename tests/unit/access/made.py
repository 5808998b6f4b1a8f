"""An access core with built-in roles, root and a signing key, under a clock of the test's."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from registry.access import Access
from registry.access.accounts import Draft
from registry.ledger import Ledger

NOW = 1_800_000_000_000
HOUR = 3_600_000
EVERYTHING_OF_SERVICES = [{"resources": [{"type": "service"}], "verbs": ["*"]}]


@functools.cache
def pem(number: int) -> str:
    """The private half of a key pair: the same for the same number."""
    assert number >= 0
    key = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def made(quota_accounts: int = 10, quota_roles: int = 10) -> Access:
    """A core as an engine has it after its first start, with the key `first`."""
    ids = itertools.count(1)
    access = Access(Ledger(), lambda: f"{next(ids):032x}", quota_accounts, quota_roles)
    access.roles.build_in(NOW)
    access.accounts.create_root("hash", NOW)
    access.keys.rotate("first", pem(0), NOW)
    return access


def signed_in(access: Access, name: str, perms: Sequence[Mapping[str, object]], seconds: int = 3600) -> str:
    """The Authorization header of a new account with a role of these permissions."""
    access.roles.create(name, perms, NOW)
    access.accounts.create(Draft(name, (name,)), "hash", NOW)
    return f"Bearer {access.issue(name, seconds, NOW)}"
