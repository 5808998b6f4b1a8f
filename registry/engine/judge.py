"""Judges gray releases by what consumers report of their calls: one that breaks a bound is rolled back, as by hand, and says why."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from governance.rules.objects.forms import GRAY, read_item
from governance.rules.objects.gray import ROLLED_BACK, GrayRelease, gray_place
from governance.rules.objects.items import Item
from registry.catalog.records import ProviderKey, Service
from registry.config.objects import Expected
from registry.config.records import KeyValue, id_of
from registry.engine import Engine
from registry.engine.alarms import GRAY as GRAY_RELEASE
from registry.engine.versions import running, versions_up
from registry.errors import ConfigError, Refusal
from registry.ledger import Change
from registry.monitor import Outcome, VersionKey
from registry.monitor.judging import broken, is_judged
from registry.monitor.monitor import KEPT_SECONDS

AUTHOR = "waggle"
"""Who rolls back by itself, in history and audit log."""
_MOST_KNOWN = 1000
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Case:
    """A release as it is in the item that keeps it."""

    item: KeyValue
    release: GrayRelease

    @property
    def key(self) -> ProviderKey:
        """The service that is released."""
        return ProviderKey(self.release.environment, self.release.app, self.release.service)

    def callee(self, version: str) -> VersionKey:
        """One of its versions, as the monitor counts it."""
        return VersionKey(self.item.tenant, self.release.app, self.release.environment, self.release.service, version)


class Judge:
    """Takes the reports of consumers. Only calls of services that are released under a bound are counted."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[str, tuple[KeyValue, _Case | None]] = OrderedDict()
        engine.stream.on_changes(self._changed)

    async def report(self, consumer: Service, outcomes: Sequence[Outcome]) -> Sequence[str]:
        """Count the calls of an instance of this service, and judge; which services were rolled back."""
        second = self._engine.now() // 1000
        counted = [(case, one) for one in outcomes if (case := self._count(consumer, one, second)) is not None]
        new = {case.item.key_id: case for case, one in counted if one.version == case.release.version}
        return [case.release.service for case in new.values() if await self._judge(case, second)]

    def _count(self, consumer: Service, outcome: Outcome, second: int) -> _Case | None:
        """Count calls, if their service is judged; the release by which it is."""
        case = self._case(consumer, outcome.service)
        if case is None or outcome.version not in (case.release.version, *case.release.baseline):
            return None
        if not is_judged(case.release):
            return None
        self._engine.monitor.count(case.callee(outcome.version), outcome, second)
        return case

    def _case(self, consumer: Service, service: str) -> _Case | None:
        """The release of a service that a consumer reads. An item is read once."""
        place = gray_place(service, consumer.key.app, consumer.key.environment)
        name = id_of(consumer.tenant, *place)
        item = self._engine.config.state.table(consumer.tenant).by_id.get(name)
        if item is None:
            return None
        known = self._known.get(name)
        if known is None or known[0] is not item:
            known = self._known[name] = item, self._read(item)
        self._known.move_to_end(name)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return known[1]

    def _read(self, item: KeyValue) -> _Case | None:
        """The release in an item that is new or was changed: what its versions did before that counts no more."""
        one = read_item(GRAY, Item(item.draft.key, item.draft.labels, item.draft.value))
        if not isinstance(one, GrayRelease):
            return None
        case = _Case(item, one)
        for version in (one.version, *one.baseline):
            self._engine.monitor.forget(case.callee(version))
        return case

    async def _judge(self, case: _Case, second: int) -> bool:
        """Whether the new version breaks a bound by its calls since the release was changed last, and was rolled back."""
        sums = self._engine.monitor.recent(case.callee(case.release.version), second)
        seconds = min(max(second - case.item.update_time, 1), KEPT_SECONDS)
        reason = broken(case.release, sums, seconds)
        if not reason:
            return False
        try:
            done = await self._engine.execute(lambda: self._roll_back(case, reason), AUTHOR)
        except Refusal as error:
            self._tell_hindered(case, reason, error.detail or error.error.message)
            return False
        if done:
            self._tell(case, reason)
        return done

    def _roll_back(self, case: _Case, reason: str) -> bool:
        """Do what `waggle release rollback` does, unless somebody has changed the release. Raises `ConfigError`."""
        engine, release, tenant = self._engine, case.release, case.item.tenant
        if engine.config.state.table(tenant).by_id.get(case.item.key_id) is not case.item:
            return False
        instances = running(engine.catalog, tenant, case.key)
        # A gateway's upstream is no registered service: nobody but its user knows what is up.
        if instances is not None and not set(release.baseline) & set(versions_up(instances)):
            raise ConfigError(409003, f"no instance of {' or '.join(release.baseline)} is up"[:500])
        back = replace(release, state=ROLLED_BACK, reason=reason)
        engine.config.objects.put(tenant, GRAY, back, Expected(case.item.revision), engine.now())
        return True

    def _tell(self, case: _Case, reason: str) -> None:
        engine, release, tenant = self._engine, case.release, case.item.tenant
        engine.rollbacks += 1
        log.warning(
            "gray.rolled_back", service=release.service, app=release.app, version=release.version, reason=reason
        )
        engine.alarms.activate(_alarm(case.item), reason, tenant)
        service = engine.catalog.state.existing(tenant).by_name.get(case.key, {}).get(release.version)
        engine.stream.note(engine.now(), "gray.ROLLBACK", tenant, service, key=case.item.draft.key, reason=reason)

    def _tell_hindered(self, case: _Case, reason: str, hindrance: str) -> None:
        """Once, until the release is changed: the bound stays broken, and each report finds that anew."""
        alarm, release = _alarm(case.item), case.release
        if self._engine.alarms.active(alarm, case.item.tenant) is None:
            facts = {"service": release.service, "app": release.app, "version": release.version}
            log.error("gray.not_rolled_back", **facts, reason=reason, error=hindrance)
        self._engine.alarms.activate(alarm, f"{reason}, and it cannot be rolled back: {hindrance}", case.item.tenant)

    def _changed(self, changes: Sequence[Change]) -> None:
        """Whoever changes or ends a release knows why it was rolled back: the alarm is over."""
        for change in changes:
            record = change.record
            if isinstance(record, KeyValue) and record.draft.key.startswith(GRAY.begin) and change.author != AUTHOR:
                self._engine.alarms.clear(_alarm(record), record.tenant)


def _alarm(item: KeyValue) -> str:
    """The id of the alarm of a release."""
    environment, app = (item.draft.labels.get(name, "") for name in ("environment", "app"))
    return f"{GRAY_RELEASE}/{item.tenant}/{environment}/{app}/{item.draft.key.removeprefix(GRAY.begin)}"
