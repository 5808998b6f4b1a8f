"""How governance answers a change: nothing is sent but what was done, and the parts of the page ask for themselves anew."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from registry.api.call import Reply
from registry.console.handling import onwards
from registry.console.view import View


def changed(
    view: View,
    done: str | tuple[str, Mapping[str, object]],
    *,
    undo: Mapping[str, object] | None = None,
    to: str = "",
    query: Mapping[str, str] | None = None,
) -> Reply:
    """A notice with what takes it back, and another page `to` go on with where there is one."""
    text, taken_back = done if isinstance(done, tuple) else (done, undo)
    headers = view.done(text, undo=taken_back, **{"waggle:config": True, "waggle:services": True})
    if not to:
        return Reply(204, headers=headers)
    return onwards(view, f"{to}?{urlencode(query)}" if query else to, headers)
