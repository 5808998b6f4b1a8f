"""How a page's handler becomes a row of the table of routes: who sent the form, what the API refused, what a person sees of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from aiohttp import web

from registry.access import Mode
from registry.api.call import Call, Reply, Route, Tenancy
from registry.console.asking import ApiError
from registry.console.view import Shell, View
from registry.errors import CATALOGUE, RegistryError

PageHandler: TypeAlias = Callable[[View], Awaitable[Reply | web.StreamResponse]]
SIGN_IN = "/console/sign-in"
_UNBUILT = b"""<!doctype html><html lang="en"><title>Waggle console</title><h1>The console is not built</h1>
<p>The engine runs; its pages were not built, since Node.js was missing. Install Node.js 20 or newer with npm, then run
<code>make console</code> in the source folder and start the engine again. The package from the registry has the pages built in.</p></html>
"""


class Page:
    """A row of the console's table: a method, a path, and the handler of both. `body_limit` is that of `Route`.

    `needs` is the resource and the verb of what a form is for: whoever may not send it is not shown it either.
    """

    def __init__(
        self,
        method: str,
        path: str,
        handler: PageHandler,
        *,
        body_limit: str = "max_body_bytes",
        needs: tuple[str, str] | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.handler = handler
        self.body_limit = body_limit
        self.needs = needs

    def route(self, shell: Shell) -> Route:
        """The row of the engine's table. It is public: what a page shows, it asks the API for, which refuses what it must."""

        async def serve(call: Call) -> Reply | web.StreamResponse:
            return await _served(shell, self, call)

        serve.__module__, serve.__qualname__ = self.handler.__module__, self.handler.__qualname__
        about = (self.handler.__doc__ or "").strip().partition("\n")[0]
        return Route(self.method, self.path, serve, "public", about, Tenancy.QUERY, body_limit=self.body_limit)


async def _served(shell: Shell, page: Page, call: Call) -> Reply | web.StreamResponse:
    if not shell.assets.built:
        return Reply(503, _UNBUILT, "text/html; charset=utf-8")
    if call.request.method != "GET":
        _refuse_other_sites(call)
    view = View(shell, call)
    try:
        if page.needs is not None and not view.may(*page.needs):
            raise _not_theirs(view, page.needs)
        return await page.handler(view)
    except ApiError as error:
        return refused(view, error)


def _not_theirs(view: View, needs: tuple[str, str]) -> ApiError:
    error = CATALOGUE[403205 if view.identity else 401204]
    told = {
        "errorCode": str(error.code),
        "errorMessage": error.message,
        "detail": f"{error.message}: {':'.join(needs)}",
    }
    return ApiError(error.status, told)


def refused(view: View, error: ApiError) -> Reply:
    """What a person sees of a refusal: the way to sign in, a notice beside what was pressed, or a page."""
    if error.status == 401 and view.mode is not Mode.OFF:
        return to_sign_in(view)
    if view.is_part:
        return Reply(error.status, headers={**view.trouble(error.text), "HX-Reswap": "none"})
    return view.page("refused.html", title=view.say("That did not work"), status=error.status, error=error)


def to_sign_in(view: View) -> Reply:
    """Send them to sign in, and back to where they are."""
    headers = view.call.request.headers
    here = urlsplit(headers.get("HX-Current-URL", "") if view.is_part else view.call.request.raw_path)
    back = here.path + (f"?{here.query}" if here.query else "")
    target = f"{SIGN_IN}?next={quote(back, safe='')}"
    return Reply(204, headers={"HX-Redirect": target}) if view.is_part else to(target)


def to(path: str, **headers: str) -> Reply:
    """Go on with another page."""
    return Reply(303, headers={"Location": path, "Cache-Control": "no-store", **headers})


def onwards(view: View, path: str, said: Mapping[str, str] = {}) -> Reply:
    """Go on with another page, which says what the headers `said` say: the page's script puts it in place, where there is one."""
    if not view.is_part:
        return to(path, **said)
    place = {"path": path, "target": "body", "swap": "morph show:window:top", "headers": {"HX-Boosted": "true"}}
    return Reply(204, headers={**said, "HX-Location": json.dumps(place)})


def _refuse_other_sites(call: Call) -> None:
    """Raise 403206 for a form that another site's page sent: the browser says where it comes from, and nobody else has a cookie."""
    site, origin = call.header("Sec-Fetch-Site"), call.header("Origin")
    if site in ("same-origin", "none") or (not site and not origin):
        return
    if not site and urlsplit(origin).netloc == call.header("Host"):
        return
    raise RegistryError(403206, f"from {origin[:256] or site}")
