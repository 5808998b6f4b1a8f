"""Keys of Spring Cloud Huawei's access control. Spring binds a key in any spelling: `public-key`, `publicKey` and `public_key` are one.

The keys of its servlet applications, with `webmvc` in them, are those of its reactive ones and gateways, too.
"""

from __future__ import annotations

from collections.abc import Collection

_BEGIN = ("spring", "cloud", "servicecomb", "webmvc", "publickey")
_KINDS = {"accesscontrol": "accessControl", "acls": "securityPolicy"}


def spring_key(key: str) -> tuple[str, str] | None:
    """The kind that a key is of, accessControl or securityPolicy, and what follows it there; None where it is of neither."""
    parts = key.split(".")
    begin, rest = parts[: len(_BEGIN)], parts[len(_BEGIN) :]
    kind = _KINDS.get(bound(rest[0])) if rest else None
    if kind is None or tuple(map(bound, begin)) != _BEGIN:
        return None
    return kind, ".".join(rest[1:])


def bound(part: str) -> str:
    """A part of a key as Spring compares it."""
    return part.replace("-", "").replace("_", "").casefold()


def spelled(part: str, known: Collection[str]) -> str | None:
    """The one of some names that a part of a key is; None where it is none."""
    return next((name for name in known if name.casefold() == bound(part)), None)
