"""How governance answers a change: nothing is sent but what was done, and the parts of the page ask for themselves anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from registry.api.call import Reply
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
    headers = dict(view.done(text, undo=taken_back, **{"waggle:config": True, "waggle:services": True}))
    if to:
        path = f"{to}?{urlencode(query)}" if query else to
        headers["HX-Location"] = json.dumps({"path": path, "target": "body", "headers": {"HX-Boosted": "true"}})
    return Reply(200 if to else 204, headers=headers)
