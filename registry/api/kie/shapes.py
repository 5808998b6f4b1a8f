"""The bodies of the KIE API. Protocol: KIE sections A.3 to A.6 and A.10. Rules of their values are the core's."""

from __future__ import annotations

from collections.abc import Mapping

from registry.api.shapes import Kind, Member, Shape
from registry.config.records import DISABLED, Draft

KEY_VALUE = Shape(
    "KVDoc",
    (
        Member("key"),
        Member("value"),
        Member("value_type"),
        Member("priority", Kind.INT),
        Member("check"),
        Member("status"),
        Member("labels", Kind.MAP),
    ),
)
UPDATE = Shape("UpdateKVRequest", (Member("value"), Member("status")))
IDS = Shape("DeleteBodyRequest", (Member("ids", Kind.TEXTS),))
UPLOAD = Shape("KVUploadBody", (Member("data", Kind.OBJECTS, shape=KEY_VALUE),))


def draft_of(given: Mapping[str, object]) -> Draft:
    """The draft that a decoded body means: a key-value without a status is disabled, one without a type is text."""
    labels, priority = given.get("labels"), given.get("priority")
    return Draft(
        str(given.get("key", "")),
        str(given.get("value", "")),
        {str(name): str(value) for name, value in labels.items()} if isinstance(labels, dict) else {},
        str(given.get("value_type") or "text"),
        str(given.get("status") or DISABLED),
        priority if isinstance(priority, int) else 0,
        str(given.get("check", "")),
    )
