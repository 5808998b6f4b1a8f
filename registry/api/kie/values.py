"""Whether what clients of KIE write parses, where the setting `config_check_values` asks for that. The original stores anything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from registry.api.call import Call
from registry.config.records import Draft
from registry.config.values import refuse_unparsable
from registry.errors import ConfigError


async def check(call: Call, draft: Draft) -> None:
    """Raise 400006 for a draft whose value does not parse."""
    for error in (await unparsable(call, [draft])).values():
        raise error


async def unparsable(call: Call, drafts: Sequence[Draft]) -> Mapping[int, ConfigError]:
    """The refusals of those of the drafts whose values do not parse, by their place."""
    return await asyncio.to_thread(_unparsable, drafts) if call.engine.config.check_values else {}


def _unparsable(drafts: Sequence[Draft]) -> Mapping[int, ConfigError]:
    found = {}
    for place, draft in enumerate(drafts):
        try:
            refuse_unparsable(draft)
        except ConfigError as error:
            found[place] = error
    return found
