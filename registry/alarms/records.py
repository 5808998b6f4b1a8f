"""What is kept of alarms: rules that somebody wrote, silences, and webhooks. Each record is immutable.

The secret and the address of a webhook are in its journal body alone: never in its `repr`, never in what the API shows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import orjson

from registry.alarms.rules import SEVERITIES, Rule, rule_of
from registry.errors import invalid
from registry.ledger import kept_json
from registry.tenancy import segment

PREFIXES = ("alarm-rule/", "alarm-silence/", "alarm-webhook/")
"""How the journal's keys begin."""
_LONGEST_URL = 2000
_URL = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class KeptRule:
    """A rule that somebody wrote."""

    tenant: str
    rule: Rule
    revision: int

    @property
    def name(self) -> str:
        """What it is called."""
        return self.rule.name

    @property
    def path(self) -> str:
        """The journal's key."""
        return rule_path(self.tenant, self.name)

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return kept_json(self.rule.document)

    @classmethod
    def decoded(cls, tenant: str, body: bytes, revision: int) -> KeptRule:
        """The record that `body` stores."""
        return cls(tenant, rule_of(orjson.loads(body)), revision)


def rule_path(tenant: str, name: str) -> str:
    """The journal's key of a rule."""
    return f"alarm-rule/{tenant}/{segment(name)}"


def name_of_silence(alarm: str, *, acknowledged: bool) -> str:
    """What the silence for an alarm, or for a pattern, is called."""
    kind = "acknowledged" if acknowledged else "silenced"
    return hashlib.sha256(f"{kind}/{alarm}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Silence:
    """Until when alarms are told to nobody, who wants that, and why. Times are milliseconds.

    `alarm` is an alarm's id, in which `*` stands for any text. `acknowledged`: it is one alarm, of which somebody knows; the silence ends
    with it.
    """

    tenant: str
    alarm: str
    until: int
    by: str
    at: int
    note: str
    acknowledged: bool
    revision: int

    def covers(self, alarm_id: str, now: int) -> bool:
        """Whether it is about an alarm, and not over."""
        if now >= self.until:
            return False
        return alarm_id == self.alarm or (not self.acknowledged and fnmatchcase(alarm_id, self.alarm))

    @property
    def name(self) -> str:
        """What it is called: the same for the same alarm."""
        return name_of_silence(self.alarm, acknowledged=self.acknowledged)

    @property
    def is_pattern(self) -> bool:
        """Whether it may be about several alarms."""
        return not self.acknowledged and ("*" in self.alarm or "?" in self.alarm)

    @property
    def path(self) -> str:
        """The journal's key."""
        return f"alarm-silence/{self.tenant}/{self.name}"

    @property
    def document(self) -> dict[str, object]:
        """As the API shows it."""
        return {"id": self.name, **self._stored}

    @property
    def _stored(self) -> dict[str, object]:
        names = ("alarm", "until", "by", "at", "note", "acknowledged")
        return {name: getattr(self, name) for name in names}

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return kept_json(self._stored)

    @classmethod
    def decoded(cls, tenant: str, body: bytes, revision: int) -> Silence:
        """The record that `body` stores."""
        return cls(tenant, **orjson.loads(body), revision=revision)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alarms are sent to: those that are at least so severe. With a secret, every message is signed."""

    tenant: str
    name: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    severity: str
    enabled: bool
    revision: int

    def wants(self, severity: str) -> bool:
        """Whether an alarm is severe enough."""
        return self.enabled and SEVERITIES.index(severity) <= SEVERITIES.index(self.severity)

    @property
    def shown_url(self) -> str:
        """The address without its path and query, in which many services have their secret."""
        parts = urlsplit(self.url)
        rest = "/…" if parts.path.strip("/") or parts.query else ""
        return f"{parts.scheme}://{parts.netloc}{rest}"

    @property
    def path(self) -> str:
        """The journal's key."""
        return f"alarm-webhook/{self.tenant}/{segment(self.name)}"

    @property
    def document(self) -> dict[str, object]:
        """As the API shows it."""
        return {
            "name": self.name,
            "url": self.shown_url,
            "signed": bool(self.secret),
            "severity": self.severity,
            "enabled": self.enabled,
        }

    @property
    def body(self) -> bytes:
        """What the journal stores."""
        return kept_json({**self.document, "url": self.url, "secret": self.secret})

    @classmethod
    def decoded(cls, tenant: str, body: bytes, revision: int) -> Webhook:
        """The record that `body` stores."""
        one: Mapping[str, object] = orjson.loads(body)
        name, url, secret, severity = (str(one[name]) for name in ("name", "url", "secret", "severity"))
        return cls(tenant, name, url, secret, severity, bool(one["enabled"]), revision)


def checked_url(url: str) -> str:
    """The address of a webhook. Raises 400001 for one that nothing could be sent to, or that has a password in it."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or len(url) > _LONGEST_URL or not _URL.fullmatch(url):
        raise invalid(f"url: an address such as https://host/path is expected, {_LONGEST_URL} characters at most")
    if parts.username is not None or parts.password is not None:
        raise invalid("url: no user and password: give a secret, by which messages are signed")
    return url
