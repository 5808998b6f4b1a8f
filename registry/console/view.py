"""What a page's handler gets: the API as whoever looks at it may use it, and the templates with the frame around them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, quote, unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from registry import __version__
from registry.access import Identity, Mode, Need
from registry.api.call import Call, Reply
from registry.console import words
from registry.console.asking import Api, Table
from registry.console.assets import Assets
from registry.errors import RegistryError

T = TypeVar("T")
HTML = "text/html; charset=utf-8"
SESSION = "waggle-session"
TENANT = "waggle-tenant"
LOOK = "waggle-look"
LANGUAGE = "waggle-language"
LOOKS = ("auto", "light", "dark")
_DEFAULT = ("default", "default")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the list of pages. `key` goes there after `g`; `needs` is the resource that it reads, for who may see it."""

    name: str
    path: str
    title: str
    key: str
    needs: str


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """Some rows of a long list: the part of this number, from 1 on, of so many rows each."""

    rows: Sequence[T]
    number: int
    size: int
    total: int

    @property
    def first(self) -> int:
        """The place of the first row, from 1 on."""
        return (self.number - 1) * self.size + 1

    @property
    def last(self) -> int:
        """The place of the last row."""
        return self.first + len(self.rows) - 1


class Shell:
    """What all pages share: templates, dictionaries, built files, the table of routes."""

    def __init__(self, table: Table, assets: Assets, entries: Sequence[Entry]) -> None:
        self.table = table
        self.assets = assets
        self.entries = entries
        self.words = words.load()
        self.templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=400,
        )


class View:
    """One request for a page or a part of one."""

    def __init__(self, shell: Shell, call: Call) -> None:
        self.shell = shell
        self.call = call
        self.query: Mapping[str, str] = call.query
        self.params = call.params
        self.language = words.chosen(self.cookie(LANGUAGE), call.request.headers.get("Accept-Language", ""))
        self.api = Api(shell.table, call, self.tenant, self.token)

    def cookie(self, name: str) -> str:
        """One of the console's cookies, empty where it is missing."""
        return unquote(self._cookies[name].value) if name in self._cookies else ""

    @cached_property
    def _cookies(self) -> SimpleCookie:
        try:
            return SimpleCookie(self.call.request.headers.get("Cookie", ""))
        except CookieError:
            return SimpleCookie()

    @property
    def token(self) -> str:
        """What the API is shown of whoever signed in."""
        return self.cookie(SESSION)

    @property
    def tenant(self) -> tuple[str, str]:
        """The domain and project that pages are about."""
        domain, _, project = self.cookie(TENANT).partition("/")
        return (domain, project) if domain and project else _DEFAULT

    @property
    def mode(self) -> Mode:
        """How much of access control is on."""
        return self.call.engine.access.mode

    @cached_property
    def identity(self) -> Identity | None:
        """Who has signed in, where that still counts."""
        if self.mode is Mode.OFF or not self.token:
            return None
        try:
            return self.call.engine.access.verify(f"Bearer {self.token}", self.call.engine.now())
        except RegistryError:
            return None

    def may(self, resource: str, verb: str = "get") -> bool:
        """Whether the API would let them. For what is shown alone: it is the API that refuses."""
        access = self.call.engine.access
        need = Need(resource, verb)
        if self.mode is Mode.OFF or not access.enforces(need):
            return True
        return self.identity is not None and access.permit(self.identity, need) is None

    @property
    def is_part(self) -> bool:
        """Whether a part of a page is asked for by the page's script, not a page."""
        headers = self.call.request.headers
        return "HX-Request" in headers and "HX-Boosted" not in headers

    @cached_property
    def form(self) -> Mapping[str, str]:
        """The fields that were sent, the last of each name."""
        return dict(self.fields)

    @cached_property
    def fields(self) -> Sequence[tuple[str, str]]:
        """The fields that were sent, in their order, for names that come several times."""
        return parse_qsl(self.call.body.decode(errors="replace"), keep_blank_values=True)

    def say(self, text: str, **names: object) -> str:
        """A text in the reader's language; `{names}` in it are filled in."""
        said = self.shell.words[self.language].get(text, text)
        return said.format(**names) if names else said

    @staticmethod
    def iso(milliseconds: float) -> str:
        """A time since 1970 as pages have it in `<time>`."""
        return (
            datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )

    @property
    def part_asked(self) -> int:
        """The number of the part of a long list that `page` of the query names, 1 where it names none."""
        wanted = self.query.get("page", "")
        return max(1, int(wanted)) if wanted.isascii() and wanted.isdigit() and len(wanted) < 7 else 1

    def cut(self, rows: Sequence[T], size: int = 100) -> Part[T]:
        """The part of a long list that is asked for, the last where there are fewer."""
        number = max(1, min(self.part_asked, -(-len(rows) // size)))
        return Part(rows[(number - 1) * size : number * size], number, size, len(rows))

    def page(self, template: str, *, title: str, status: int = 200, **facts: Any) -> Reply:
        """A whole page: `templates/<template>`, which extends frame.html or alone.html."""
        nonce = secrets.token_urlsafe(16)
        body = self._render(template, title=title, nonce=nonce, **facts)
        return Reply(status, body, HTML, {**_SAFE, "Content-Security-Policy": _POLICY.format(nonce=nonce)})

    def part(self, template: str, *, status: int = 200, headers: Mapping[str, str] = {}, **facts: Any) -> Reply:
        """A part of a page, which its script puts in place."""
        return Reply(status, self._render(template, **facts), HTML, {**_SAFE, **headers})

    def done(self, text: str, *, undo: Mapping[str, object] | None = None, **more: object) -> Mapping[str, str]:
        """The header by which a page says that a change was made; `undo` has `path` and `values` of what takes it back.

        `more` are further events that the page's script sets off, such as `**{"waggle:config": True}`.
        """
        said: dict[str, object] = {"text": text, "tone": "good"}
        if undo is not None:
            said["undo"] = {"label": self.say("Undo"), "values": {}, **undo}
        return {"HX-Trigger": json.dumps({"said": said, **more})}

    @staticmethod
    def trouble(text: str, **more: object) -> Mapping[str, str]:
        """The header by which a page says that something did not work; `more` as in `done`."""
        return {"HX-Trigger": json.dumps({"said": {"text": text, "tone": "bad"}, **more})}

    def _render(self, template: str, **facts: Any) -> bytes:
        shell = self.shell
        found = shell.templates.get_template(template)
        dictionary = shell.words[self.language]
        return found.render(
            view=self,
            assets=shell.assets,
            languages=words.LANGUAGES,
            looks=LOOKS,
            version=__version__,
            language=self.language,
            look=self.cookie(LOOK) if self.cookie(LOOK) in LOOKS else "auto",
            entries=[entry for entry in shell.entries if self.may(entry.needs)],
            _=self.say,
            words=dictionary,
            **facts,
        ).encode()


_SAFE = {
    # That of a part, which runs nothing where somebody opens it as a page; pages have their own.
    "Content-Security-Policy": "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def cookie(name: str, value: str, *, secure: bool, seconds: int | None = None) -> str:
    """A Set-Cookie header of the console: sent to its own pages alone, and out of reach of scripts."""
    life = "" if seconds is None else f"; Max-Age={seconds}"
    return f"{name}={quote(value, safe='')}; Path=/console; HttpOnly; SameSite=Strict{life}" + (
        "; Secure" if secure else ""
    )
