"""What a page consists of, for tests of what must not be in it."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

HOSTILE = "\"'><img data-planted src=x onerror=alert(1)><script data-planted>alert(1)</script>{{7*7}}\u202e" + "w" * 200
"""Would be elements, a handler and a script wherever text is not escaped; turns what follows around; and does not fit."""
_LINKS = ("href", "src", "action", "formaction", "hx-get", "hx-post")


class Markup(HTMLParser):
    """The troubles of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.troubles: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        self.troubles += [f"<{tag}>: {why}" for why in _troubles(tag, dict(attrs))]


def _troubles(tag: str, attributes: dict[str, str | None]) -> Iterator[str]:
    if "data-planted" in attributes:
        yield "text has become an element"
    if tag == "style" or "style" in attributes:
        yield "an inline style"
    if tag == "script" and not (attributes.get("src") or "").startswith("/console/static/"):
        yield "a script that is not the page's own"
    for name, value in attributes.items():
        if name.startswith(("on", "hx-on")):
            yield f"a handler {name}"
        if name in _LINKS and not _is_inside(value or ""):
            yield f"{name} leads to {value!r}"


def _is_inside(address: str) -> bool:
    return not address or (address.startswith(("/", "?", "#")) and not address.startswith(("//", "/\\")))
