"""The door: who asks, whether they may, and whether that counts yet. Protocol: Service Center sections 14.3 and 14.7, KIE section A.13.

A request is judged on the route that it matched, after routing and before its handler; a route of which nothing is said is for those with
a permission without labels. While access control is off, nobody looks here. While it is observed, and outside the scope of enforcement,
what would be refused is counted and let through.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from registry.access.callers import Seen
from registry.access.permissions import VERBS, Labels, Need
from registry.access.records import ADMIN, Mode
from registry.api.call import Call, Reply, Tenancy, json_reply
from registry.api.door.labels import FILTERED, WHOLE, labels_asked
from registry.api.door.origins import origins_of, topic_labels
from registry.api.door.verdicts import Asked, Dependence, Verdict
from registry.api.gate import error_reply
from registry.errors import Refusal, RegistryError

if TYPE_CHECKING:
    from registry.engine import Engine
    from registry.ledger import Change

_ITEMS = "kie.tracked_list"
_MONITORED = (f"monitor.{name}" for name in ("services", "instances", "interfaces", "series", "calls"))
_INVENTORY = ("inventory.services", "inventory.instances")
_OF_SERVICES = ("services.list_all", "govern.details", "govern.apps", "prometheus.targets", *_INVENTORY, *_MONITORED)
_OF_ITEMS = ("config.tree", "config.listeners", "config.list_all")
_LISTS = frozenset((_ITEMS, *_OF_SERVICES, *_OF_ITEMS))
_ANY_LABELS = frozenset((_ITEMS, "kie.create"))
_TICKS_BETWEEN_SWEEPS = 20
_UNREADABLE = (401201, 401204, 401205)
_UNAUTHORIZED = Reply(401)


class Door:
    """Judges requests, and lets go of those that are under way once they may no longer be."""

    def __init__(self, engine: Engine) -> None:
        self.access = engine.access
        self.now = engine.now()
        self._engine = engine
        self._inside: dict[int, Call] = {}
        self._ticks = 0
        self._swept = self.access.version
        self._mode = self.access.mode
        self.access.state.on_change.append(self._changed)
        engine.stream.on_changes(self._stored)

    def refuses_unheard(self, call: Call) -> Reply | None:
        """What a request is refused with whatever its body is: those without credentials have nothing of it read."""
        need = _need(call)
        if need.resource == "public" or not self._enforces(need, ()):
            return None
        seen = self._judged(call.header("Authorization"), need, ())
        if seen.identity is not None or (seen.refusal is not None and seen.refusal.error.code == 401206):
            return None
        return self._concluded(call, Asked("", need, (), origins_of(call)), seen, None)

    def admit(self, call: Call) -> Reply | None:
        """Judge a request whose body is there: what it is refused with, if it is."""
        need = _need(call)
        if need.resource == "public":
            return None
        asked, unknown = self._asked(call, need)
        verdict = self.decide(asked)
        seen = verdict.seen
        if unknown is not None and seen.identity is not None and ADMIN not in seen.identity.roles:
            return self._concluded(call, asked, seen._replace(refusal=unknown), None)
        return self._concluded(call, asked, seen, verdict.granted)

    def decide(self, asked: Asked) -> Verdict:
        """Who asks, and what they are refused, or shown."""
        seen = self._judged(asked.header, asked.need, asked.about)
        granted = self._granted(asked, seen) if asked.filtered and seen.enforced else None
        return self._verdict(asked, seen, granted)

    def note(self, verdict: Verdict, address: str) -> None:
        """Count a request of whoever was decided on, from an address."""
        for origin in verdict.asked.origins:
            here = origin if origin.address == address else origin._replace(address=address)
            self.access.callers.note(here, verdict.told, self.now)

    @contextlib.contextmanager
    def inside(self, call: Call) -> Iterator[None]:
        """While a request is answered: it is let go when it may no longer be, however long it waits."""
        self._inside[id(call)] = call
        try:
            yield
        finally:
            del self._inside[id(call)]

    def tick(self) -> None:
        """Tell the time, and look after those inside now and then, for tokens that end."""
        self.now = self._engine.now()
        self._ticks += 1
        if self._swept != self.access.version or self._ticks >= _TICKS_BETWEEN_SWEEPS:
            self._sweep()

    def _stored(self, _changes: Sequence[Change]) -> None:
        """A change of access counts for those inside before they are told of any later one."""
        if self._swept != self.access.version:
            self._sweep()

    def _sweep(self) -> None:
        self._swept, self._ticks = self.access.version, 0
        for call in tuple(self._inside.values()):
            transport = call.request.transport
            if transport is None:
                continue
            try:
                stays = self._may_stay(call)
            except Refusal:  # headers that nobody read while access was off
                stays = False
            if not stays:
                transport.abort()

    def _may_stay(self, call: Call) -> bool:
        if self.access.mode is Mode.OFF or call.route.resource == "public":
            return True
        if call.verdict is None:  # it came while access was off
            call.verdict = self.decide(self._asked(call, _need(call))[0])
            stays = not call.verdict.refused and call.verdict.granted is None
        else:
            stays = call.verdict.still_holds()
        call.verdict.note(call.verdict.asked.origins[0].address)
        return stays

    def _changed(self) -> None:
        mode = self.access.mode
        if Mode.OFF in (self._mode, mode) and mode is not self._mode:
            self.access.callers.begin(self._engine.now())
        self._mode = mode

    def _asked(self, call: Call, need: Need) -> tuple[Asked, RegistryError | None]:
        name, unknown, labels = call.route.name, None, WHOLE
        try:
            labels = labels_asked(call)
        except Refusal as error:
            unknown = RegistryError(401201, error.detail)
        about = topic_labels(call) if name == _ITEMS else labels
        if name == _ITEMS and not self._enforces(need, about):
            labels = self._listed(call, about)
        return Asked(
            call.header("Authorization"),
            need._replace(labels=tuple(labels)),
            about,
            origins_of(call),
            _dependences(call),
            filtered=name in _LISTS,
            empty=name == _ITEMS,
            any_labels=name in _ANY_LABELS,
        ), unknown

    def _listed(self, call: Call, about: Sequence[Labels]) -> Sequence[Labels]:
        """The labels of what a list shows: to a role that may not see all of it, enforcement would show less."""
        table = self._engine.config.state.table(call.tenant)
        wanted = set(about[0].items())
        found = [labels for labels in table.groups if wanted <= labels]
        return [dict(labels) for labels in found] or FILTERED

    def _enforces(self, need: Need, about: Sequence[Labels]) -> bool:
        return self.access.enforces(need._replace(labels=tuple(about)))

    def _judged(self, header: str, need: Need, about: Sequence[Labels]) -> Seen:
        enforced = self._enforces(need, about)
        try:
            identity = self.access.verify(header, self._engine.now())
        except RegistryError as error:
            return Seen(need, None, error, enforced)
        return Seen(need, identity, self.access.permit(identity, need), enforced)

    def _granted(self, asked: Asked, seen: Seen) -> Sequence[Labels] | None:
        """What a list is narrowed to; none: it is whole, or refused."""
        if seen.refusal is not None:
            return () if asked.empty and seen.refusal.error.code in (401206, 403205) else None
        assert seen.identity is not None  # noqa: S101  whoever is not refused has one
        found = self.access.granted(seen.identity, asked.need.resource, asked.need.verb)
        return None if {} in found else found

    def _verdict(self, asked: Asked, seen: Seen, granted: Sequence[Labels] | None) -> Verdict:
        repeatable = granted is None and (not asked.any_labels or self._is_any(asked, seen))
        return Verdict(self, asked, seen, granted, repeatable=repeatable)

    def _is_any(self, asked: Asked, seen: Seen) -> bool:
        """Whether the decision is the same for all labels."""
        scope = self.access.scope
        if (scope.applications or scope.environments) and not asked.filtered:
            return False
        if seen.identity is None:
            return True
        return {} in self.access.granted(seen.identity, asked.need.resource, asked.need.verb)

    def _concluded(self, call: Call, asked: Asked, seen: Seen, granted: Sequence[Labels] | None) -> Reply | None:
        """Keep what was decided with the request, and count it."""
        verdict = self._verdict(asked, seen, granted)
        call.identity, call.granted, call.verdict = seen.identity, granted, verdict
        self.note(verdict, asked.origins[0].address)
        if not verdict.refused or seen.refusal is None:
            return None
        return _refusal(call, seen.refusal)


def _need(call: Call) -> Need:
    return Need(call.route.resource, call.route.verb or VERBS[call.route.method])


def _dependences(call: Call) -> Sequence[Dependence]:
    services = call.engine.catalog.state.existing(call.tenant).services
    names = (call.params.get("serviceId", ""), call.header("X-ConsumerId"))
    return [Dependence(services, services[name]) for name in names if name in services]


def _refusal(call: Call, refusal: RegistryError) -> Reply:
    """In the words of the protocol: KIE answers a token that is none by its status alone, and names no message. Section A.12."""
    if call.route.tenancy is not Tenancy.KIE:
        return error_reply(refusal)
    code, message = refusal.error.code, refusal.error.message
    if code in _UNREADABLE and refusal.detail != "no role found in token":
        return _UNAUTHORIZED
    code = 403205 if code == 401201 else code
    shown = json_reply({"errorCode": str(code), "errorMessage": "", "detail": message})
    return Reply(code // 1000, shown.body, "application/json")
