"""The header blocks of the hot path: what matters of one, without parsing what was parsed before. See registry/api/hot.py."""

from __future__ import annotations

import re
from dataclasses import dataclass

from registry.api.gate import accepts_gzip

_PLAIN = frozenset(
    b"host user-agent accept accept-encoding connection content-type content-length "
    b"x-domain-name x-consumerid authorization accept-language cache-control pragma".split()
)
"""Headers that the hot path knows the meaning of: any other one makes a request take the long way."""
_LONGEST = 4096
_MOST = 20000
_CONTROL = re.compile(rb"[\x00-\x08\n-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Head:
    """What matters of a header block: who asks, how long the body is, whether the answer may be compressed, and the body's media type.

    `accept` is what the client accepts, `authorization` its credentials, where it says so.
    """

    caller: tuple[bytes, bytes]
    length: int
    gzip: bool
    content_type: bytes = b""
    accept: bytes = b""
    authorization: bytes = b""


class Heads:
    """The memo of header blocks."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def of(self, block: bytes) -> Head | None:
        """The facts of a header block (with its leading and closing line ends), if it has none that asks for more."""
        try:
            return self._known[block]
        except KeyError:
            pass
        head = _parsed(block) if len(block) <= _LONGEST else None
        if head is not None:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[block] = head
        return head


def _parsed(block: bytes) -> Head | None:
    """The facts of a header block, or nothing where a header asks for more than the hot path gives."""
    facts: dict[bytes, bytes] = {}
    if not block.startswith(b"\r\n") or not block.endswith(b"\r\n\r\n"):
        return None
    for line in block[2:-4].split(b"\r\n"):
        name, colon, value = line.partition(b":")
        folded = name.lower()
        if not colon or folded in facts or folded not in _PLAIN or _CONTROL.search(value):
            return None
        facts[folded] = value.strip(b" \t")
    length = facts.get(b"content-length", b"0")
    if b"host" not in facts or not length.isdigit() or len(length) > 7:
        return None
    if facts.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    caller = (facts.get(b"x-domain-name", b""), facts.get(b"x-consumerid", b""))
    return Head(
        caller,
        int(length),
        accepts_gzip(facts.get(b"accept-encoding", b"").decode("latin-1")),
        facts.get(b"content-type", b""),
        facts.get(b"accept", b""),
        facts.get(b"authorization", b""),
    )
