"""Signing in and out, and how a person likes the pages: what the browser keeps in cookies that no script can read."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from registry.access import Mode
from registry.api.call import Reply
from registry.console.asking import ApiError
from registry.console.handling import SIGN_IN, Page, to
from registry.console.view import LANGUAGE, LOOK, LOOKS, SESSION, TENANT, View, cookie
from registry.console.words import LANGUAGES

_HOME = "/console"
_LIFE = "12h"
_LOCKED = "403201"
_YEAR = 365 * 24 * 3600


async def ask(view: View) -> Reply:
    """The page that asks for name and password."""
    return _page(view, "")


async def sign_in(view: View) -> Reply:
    """Try a name and a password; they are the API's to judge."""
    if view.mode is Mode.OFF:
        return to(_HOME)
    try:
        session = await session_of(view, view.form.get("name", ""), view.form.get("password", ""))
    except ApiError as error:
        return _page(view, _worded(view, error))
    return to(_next(view), **session)


async def session_of(view: View, name: str, password: str) -> Mapping[str, str]:
    """Sign in: the header by which the browser keeps who it is. Raises `ApiError`."""
    answer = await view.api.send(
        "POST", "/v4/token", {"name": name, "password": password, "tokenExpirationTime": _LIFE}
    )
    return {"Set-Cookie": cookie(SESSION, answer["token"], secure=_secure(view))}


def _worded(view: View, error: ApiError) -> str:
    """What somebody reads who cannot sign in, and when to try again."""
    if error.code == _LOCKED:
        return view.say(
            "Too many wrong passwords: this name is locked for your address. Try again in a quarter of an hour."
        )
    if error.status == 429:
        return view.say("Too many tries from this address. Try again in a minute.")
    return error.text if error.status != 401 else view.say("User name or password is wrong")


async def sign_out(view: View) -> Reply:
    """Forget who it was."""
    return to(SIGN_IN, **{"Set-Cookie": cookie(SESSION, "", secure=_secure(view), seconds=0)})


async def look(view: View) -> Reply:
    """Choose light or dark, the language, or the domain and project, and go on with the same page."""
    form = view.form
    if form.get("look") in LOOKS:
        return to(_next(view), **{"Set-Cookie": cookie(LOOK, form["look"], secure=_secure(view), seconds=_YEAR)})
    if form.get("language") in LANGUAGES:
        return to(
            _next(view), **{"Set-Cookie": cookie(LANGUAGE, form["language"], secure=_secure(view), seconds=_YEAR)}
        )
    if form.get("tenant", "").count("/") == 1:
        return to(_next(view), **{"Set-Cookie": cookie(TENANT, form["tenant"], secure=_secure(view), seconds=_YEAR)})
    return to(_next(view))


def _page(view: View, problem: str) -> Reply:
    status = 401 if problem else 200
    return view.page(
        "sign_in.html",
        title=view.say("Sign in"),
        status=status,
        problem=problem,
        ended=bool(view.token) and not problem and view.identity is None,
        next=_next(view),
        off=view.mode is Mode.OFF,
    )


def _next(view: View) -> str:
    """Where to go on: a page of the console, whatever was asked for."""
    wanted = view.form.get("next") or view.query.get("next", "")
    parts = urlsplit(wanted)
    inside = parts.path == _HOME or (parts.path.startswith(_HOME + "/") and ".." not in unquote(parts.path))
    if not inside or parts.scheme or parts.netloc or "\\" in wanted or not wanted.isprintable() or not wanted.isascii():
        return _HOME
    return wanted


def _secure(view: View) -> bool:
    return view.call.request.secure


PAGES = (
    Page("GET", SIGN_IN, ask),
    Page("POST", SIGN_IN, sign_in),
    Page("POST", "/console/sign-out", sign_out),
    Page("POST", "/console/look", look),
)
