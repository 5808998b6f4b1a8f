"""This engine's own API of gray releases, degradations and lanes: its table of routes. docs/releases.md and docs/lanes.md describe it.

All are objects that are kept together with the items that they expand to. Domain and project are parameters of the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from governance.rules.objects.forms import DEGRADE, GRAY, LANES, Form
from registry.api.call import Call, Parameter, Reply, Route, Tenancy
from registry.api.checks import check_tenant
from registry.api.kie.bodies import in_our_words
from registry.api.objects.draining import drain
from registry.api.objects.handlers import Handlers

_PLACE = {
    "service": Parameter("service", "the service that is released", required=True),
    "consumer": Parameter("consumer", "the service that no longer calls", required=True),
    "target": Parameter("target", "what it no longer calls: a service, or service.schema.operation", required=True),
    "name": Parameter("name", "the group of lanes", required=True),
    "app": Parameter("app", "the application", required=True),
    "environment": Parameter("environment", "the environment; none where it is missing"),
}
_FORCE = Parameter("force", "1: overwrite what others wrote, whatever instances there are")
_EXPECTED = Parameter("expected", "the revision of the object that this is about; 0: it must be new")
_AT = Parameter("revision", "the object is to be as it was then", required=True)
_NONE = {404: "No such object"}
_CONFLICT = {409: "Others wrote it, or instances or lanes do not allow it"}
_FULL = {422: "More items than the quota allows"}
_GRAY = {"service": "weather", "app": "weathermap", "version": "2.0.0", "baseline": ["1.0.0"], "share": 0}
_LANES = {
    "name": "lane-test",
    "app": "unit",
    "gateway": "edge",
    "target": "unit-controller",
    "lanes": [{"name": "base", "label": "base", "components": ["unit-controller", "unit-consumer", "unit-provider"]}],
}
_DEGRADE = {"consumer": "fusionweather", "target": "forecast", "app": "weathermap", "policy": "returnnull"}


def object_routes() -> Sequence[Route]:
    """The table of routes."""
    releases = _Kind("/waggle/v1/gray-releases", "gray release", GRAY, _GRAY)
    degrades = _Kind("/waggle/v1/degrades", "degradation", DEGRADE, _DEGRADE)
    lanes = _Kind("/waggle/v1/lane-groups", "group of lanes", LANES, _LANES)
    return (*releases.routes(), releases.draining(), *degrades.routes(), *lanes.routes())


@dataclass(frozen=True, slots=True)
class _Kind:
    root: str
    what: str
    form: Form
    sample: Mapping[str, object]

    def routes(self) -> Iterable[Route]:
        does = Handlers(self.form)
        named, what = [_PLACE[name] for name in self.form.named], self.what
        yield self._row("GET", "", does.list_all, f"Every {what}, with what its items do now.")
        yield self._row("GET", "/one", does.get_one, f"One {what}.", parameters=named, failures=_NONE)
        yield self._row(
            "PUT",
            "/one",
            does.put,
            f"Lets a {what} be as the body says; what is not in the body stays as it is.",
            parameters=(_EXPECTED, _FORCE),
            failures=_CONFLICT | _FULL,
            sample=self.sample,
        )
        yield self._row(
            "DELETE",
            "/one",
            does.delete,
            f"Ends a {what}: deletes it and its items.",
            parameters=(*named, _EXPECTED, _FORCE),
            failures=_NONE | _CONFLICT,
        )
        about = f"The versions of a {what}, the newest first."
        yield self._row("GET", "/history", does.history, about, parameters=named, failures=_NONE)
        yield self._row(
            "POST",
            "/rollback",
            does.rollback,
            f"Lets a {what} be as it was at a revision, with its items; one that has ended is there again.",
            parameters=(*named, _AT, _FORCE),
            failures=_NONE | _CONFLICT | _FULL,
        )

    def draining(self) -> Route:
        """What only a gray release has."""
        about = (
            "Takes the instances out of service that a release which is promoted or rolled back leads no requests to."
        )
        named = [_PLACE[name] for name in self.form.named]
        return self._row("POST", "/drain", drain, about, parameters=named, failures=_NONE | _CONFLICT)

    def _row(self, method: str, path: str, handler: Handlers.Method, about: str, **more: object) -> Route:
        return Route(
            method,
            self.root + path,
            _in_tenant(handler),
            "config",
            about,
            Tenancy.QUERY,
            refused=in_our_words,
            **more,  # type: ignore[arg-type]
        )


def _in_tenant(handler: Handlers.Method) -> Handlers.Method:
    async def checked(call: Call) -> Reply:
        check_tenant(call)
        return await handler(call)

    checked.__doc__, checked.__qualname__, checked.__module__ = (
        handler.__doc__,
        handler.__qualname__,
        handler.__module__,
    )
    return checked
