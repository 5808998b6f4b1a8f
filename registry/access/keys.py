"""Signing keys: one signs, the former ones verify until the last token that they can have signed is over."""

from __future__ import annotations

from dataclasses import replace

from registry.access.records import SigningKey
from registry.access.state import State
from registry.access.tokens import MAX_SECONDS


class Keys:
    """Commands on keys. Each takes the wall clock in milliseconds; key pairs are made by whoever calls."""

    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def current(self) -> SigningKey | None:
        """The key that signs."""
        return next((key for key in self._state.keys.values() if not key.retired), None)

    def private(self, key_id: str) -> str | None:
        """The private half of a key that still counts."""
        key = self._state.keys.get(key_id)
        return key.private if key is not None else None

    def rotate(self, key_id: str, private: str, now: int) -> SigningKey:
        """Let a new key sign from now on; nobody has to sign in again."""
        before, ledger = self.current, self._state.ledger
        if before is not None:
            self._state.put(before, replace(before, retired=now // 1000, revision=ledger.next_revision()), now)
        made = SigningKey(key_id, private, now // 1000, 0, ledger.next_revision())
        self._state.put(None, made, now)
        return made

    def over(self, now: int) -> list[SigningKey]:
        """The keys that no token needs any more."""
        return [key for key in self._state.keys.values() if key.retired and now // 1000 > key.retired + MAX_SECONDS]

    def forget(self, now: int) -> None:
        """Drop the keys that no token needs any more."""
        for key in self.over(now):
            self._state.put(key, None, now)
