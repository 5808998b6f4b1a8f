"""Alarms: rules, silences and webhooks as one state machine, and the board of what is raised.

No I/O, no clock, no chance: times are arguments. A command either returns with its changes noted in the ledger or raises `RegistryError`.
docs/alarms.md describes what is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from registry.alarms.board import Alarm, Board, Turn
from registry.alarms.builtin import BUILT_IN, of_engine
from registry.alarms.measures import REPORTED
from registry.alarms.population import Population
from registry.alarms.records import PREFIXES, KeptRule, Silence, Webhook, checked_url
from registry.alarms.rules import SEVERITIES, Rule, checked_name, rule_of
from registry.alarms.state import State
from registry.errors import RegistryError, invalid
from registry.ledger import Ledger

__all__ = ["PREFIXES", "Alarm", "Alarming", "Bounds", "Silence", "Turn", "Webhook"]

LONGEST_SILENCE = 30 * 86400
"""Seconds for which alarms can be silenced at most."""
_LONGEST_SECRET = 256
_LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most rules, silences and webhooks of a tenant, alarms that are raised, and alarms that are over and remembered."""

    rules: int = 200
    silences: int = 1000
    webhooks: int = 20
    raised: int = 1000
    history: int = 1000


class Alarming:
    """All of it. The wall clock in milliseconds is an argument of every command."""

    def __init__(self, ledger: Ledger, bounds: Bounds, default_tenant: str) -> None:
        self.state = State(ledger, default_tenant)
        self.board = Board(bounds.raised, bounds.history)
        self.population = Population()
        self._bounds = bounds

    def put_rule(self, tenant: str, given: Mapping[str, object], now: int) -> KeptRule:
        """Let a rule be as given; what is not given stays as it is, or as it is built in. Raises 400001, 400100."""
        name = checked_name(str(given.get("name", "")))
        there = self.state.rules(tenant).get(name)
        rule = rule_of({**_stays(there, given), **given})
        self._check_place(tenant, rule)
        before = self.state.table(tenant).rules.get(name)
        if before is None:
            _check_quota("ALARM RULE", len(self.state.table(tenant).rules), self._bounds.rules)
        kept = KeptRule(tenant, rule, self.state.ledger.next_revision())
        self.state.put(before, kept, now)
        return kept

    def delete_rule(self, tenant: str, name: str, now: int) -> Rule | None:
        """Delete what somebody wrote; the built-in rule that is there again, if there is one. Raises 404001."""
        before = self.state.table(tenant).rules.get(name)
        if before is None:
            built_in = "; switch it off with enabled: false" if name in BUILT_IN else ""
            raise RegistryError(404001, f"nobody wrote a rule {name[:64]!r}{built_in}")
        self.state.put(before, None, now)
        return self.state.rules(tenant).get(name)

    def silence(self, silence: Silence, now: int) -> Silence:
        """Keep a silence; one for the same alarm gives way. Those that are over are dropped. Raises 400001, 400100, 404001."""
        if not now < silence.until <= now + LONGEST_SILENCE * 1000:
            raise invalid(f"seconds: more than 0, and {LONGEST_SILENCE} at most")
        if silence.acknowledged and self.board.get(silence.tenant, silence.alarm) is None:
            raise RegistryError(404001, f"no alarm {silence.alarm[:256]!r} is raised")
        table = self.state.table(silence.tenant)
        for old in [one for one in table.silences.values() if one.until <= now and one.name != silence.name]:
            self.state.put(old, None, now)
        if silence.name not in table.silences:
            _check_quota("SILENCE", len(table.silences), self._bounds.silences)
        kept = Silence.decoded(silence.tenant, silence.body, self.state.ledger.next_revision())
        self.state.put(table.silences.get(silence.name), kept, now)
        return kept

    def unsilence(self, tenant: str, name: str, now: int) -> None:
        """End a silence. Raises 404001."""
        before = self.state.table(tenant).silences.get(name)
        if before is None:
            raise RegistryError(404001, f"there is no silence {name[:64]!r}")
        self.state.put(before, None, now)

    def end_acknowledgement(self, tenant: str, alarm_id: str, now: int) -> None:
        """The alarm is over, and with it what somebody said of it."""
        acknowledgement = self.state.table(tenant).acknowledgement(alarm_id)
        if acknowledgement is not None:
            self.state.put(acknowledgement, None, now)

    def silenced(self, alarm: Alarm, now: int) -> Silence | None:
        """By what an alarm is silenced, an acknowledgement first."""
        covering = self.state.table(alarm.tenant).silences_of(alarm.alarm_id, now)
        return max(covering, key=lambda one: (one.acknowledged, one.until), default=None)

    def is_on(self, alarm: Alarm) -> bool:
        """Whether the rule of an alarm is not switched off."""
        rule = self.state.rules(alarm.tenant).get(alarm.rule)
        return rule is None or rule.enabled

    def is_told(self, alarm: Alarm, now: int) -> bool:
        """Whether webhooks are told of an alarm: its rule is not switched off, and nobody silenced it."""
        return self.is_on(alarm) and self.silenced(alarm, now) is None

    def put_webhook(self, tenant: str, name: str, given: Mapping[str, object], now: int) -> Webhook:
        """Let a webhook be as given; what is not given stays as it is. Raises 400001, 400100."""
        table = self.state.table(tenant)
        before = table.webhooks.get(checked_name(name))
        if before is None:
            _check_quota("WEBHOOK", len(table.webhooks), self._bounds.webhooks)
        there = {} if before is None else {**before.document, "url": before.url, "secret": before.secret}
        wanted = {"secret": "", "severity": SEVERITIES[-1], "enabled": True, **there, **given}
        secret, severity = str(wanted["secret"]), str(wanted["severity"])
        if len(secret) > _LONGEST_SECRET:
            raise invalid(f"secret: {_LONGEST_SECRET} characters at most")
        if severity not in SEVERITIES:
            raise invalid(f"severity: one of {', '.join(SEVERITIES)}")
        url, revision = checked_url(str(wanted.get("url", ""))), self.state.ledger.next_revision()
        kept = Webhook(tenant, name, url, secret, severity, bool(wanted["enabled"]), revision)
        self.state.put(before, kept, now)
        return kept

    def webhook(self, tenant: str, name: str) -> Webhook:
        """A webhook. Raises 404001."""
        found = self.state.table(tenant).webhooks.get(name)
        if found is None:
            raise RegistryError(404001, f"there is no webhook {name[:64]!r}")
        return found

    def delete_webhook(self, tenant: str, name: str, now: int) -> None:
        """Delete a webhook. Raises 404001."""
        self.state.put(self.webhook(tenant, name), None, now)

    def _check_place(self, tenant: str, rule: Rule) -> None:
        if of_engine(rule.name, rule.metric) and tenant != self.state.default_tenant:
            raise invalid(f"metric: the engine belongs to {self.state.default_tenant}, and {rule.metric} is about it")
        built_in = BUILT_IN.get(rule.name)
        reported = rule.metric == REPORTED
        if reported != (built_in is not None and built_in.metric == REPORTED):
            raise invalid(
                f"metric: {REPORTED} is for what the engine itself reports, under its own names, and for nothing else"
            )


def _stays(there: Rule | None, given: Mapping[str, object]) -> Mapping[str, object]:
    """What a rule keeps of before; with another measure it is another rule, with another threshold without its threshold of clearing."""
    if there is None or given.get("metric", there.metric) != there.metric:
        return {}
    drops = {"clear"} if "raise" in given or "condition" in given else set()
    return {name: value for name, value in there.document.items() if name not in drops}


def _check_quota(kind: str, current: int, limit: int) -> None:
    if current >= limit:
        raise RegistryError(400100, f"no quota to create {kind}, max num is {limit}, curNum is {current}")
