"""The rule that passwords keep. Protocol: Service Center section 14.5."""

from __future__ import annotations

import unicodedata

from registry.errors import invalid

_LEAST = 8
_MOST = 32
_PARTS = (("Lu",), ("Ll",), ("N",), ("P", "S"))


def check_password(password: str) -> None:
    """Raise 400001 for what is no password: 8 to 32 bytes with an upper and a lower letter, a number and a mark of some kind."""
    classes = {unicodedata.category(letter) for letter in password}
    kinds = all(any(found.startswith(part) for found in classes for part in parts) for parts in _PARTS)
    if not _LEAST <= len(password.encode()) <= _MOST or not kinds:
        raise invalid(
            f"a password has {_LEAST} to {_MOST} bytes, with an upper and a lower case letter, a number and a special character"
        )


def check_unlike_name(name: str, password: str) -> None:
    """Raise 400001 for a password that is the account's name, forwards or backwards."""
    if password in (name, name[::-1]):
        raise invalid("a password must not be the name, nor the name backwards")
