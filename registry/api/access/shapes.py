"""The bodies of the access API as tables. Protocol: Service Center sections 14.4 to 14.6."""

from __future__ import annotations

import re

from registry.access.records import GRADUAL
from registry.api.service_center.shapes import NAME_RULE
from registry.api.shapes import Kind, Member, Rule, Shape

_MANY = 100
_NAME = Rule(1, 64, NAME_RULE.pattern)
_STATUS = Rule(0, 0, re.compile("(active|inactive)?"))
_ROLES = Member("roles", Kind.TEXTS, _NAME, (1, 5))

SIGN_IN = Shape("Account", (Member("name"), Member("password"), Member("tokenExpirationTime")))
ACCOUNT = Shape(
    "Account",
    (
        Member("id", rule=Rule(0, 64)),
        Member("name", rule=_NAME),
        Member("password"),
        _ROLES,
        Member("status", rule=_STATUS, default="active"),
    ),
)
ACCOUNTS = Shape("BatchCreateAccountsRequest", (Member("accounts", Kind.OBJECTS, items=(1, 20)),))
CHANGED_ACCOUNT = Shape("Account", (_ROLES, Member("status", rule=_STATUS)))
PASSWORD = Shape("Account", (Member("password"), Member("currentPassword")))
_RESOURCE = Shape("Resource", (Member("type"), Member("labels", Kind.MAP)))
_PERMISSION = Shape(
    "Permission",
    (
        Member("resources", Kind.OBJECTS, items=(0, _MANY), shape=_RESOURCE),
        Member("verbs", Kind.TEXTS, items=(0, _MANY)),
    ),
)
_PERMS = Member("perms", Kind.OBJECTS, items=(0, _MANY), shape=_PERMISSION)
ROLE = Shape("Role", (Member("name", rule=_NAME), _PERMS))
CHANGED_ROLE = Shape("Role", (_PERMS,))
_PART = Rule(0, 160)
SCOPE = Shape(
    "Scope",
    (
        Member("resources", Kind.TEXTS, Rule(1, 0, re.compile("|".join(GRADUAL))), (0, _MANY)),
        Member("applications", Kind.TEXTS, _PART, (0, _MANY)),
        Member("environments", Kind.TEXTS, _PART, (0, _MANY)),
    ),
)
SWITCH = Shape(
    "Access",
    (
        Member("mode", rule=Rule(1, 0, re.compile("off|observe|enforce"))),
        Member("scope", Kind.OBJECT, shape=SCOPE),
        Member("password"),
        Member("confirm", Kind.FLAG),
    ),
)
