"""Which of the older keys hold for a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from governance.rules.explain.model import Considered, Read, Verdict
from governance.rules.explain.policies import considered, wrong
from governance.rules.explain.reasons import shown
from governance.rules.legacy import Setting, legacy_text

Call = tuple[str, str, str]
"""Service, schema and operation, the last two empty where they are not known."""
_WITH_SCHEMA = ("loadbalance", "fault")
"""Kinds in which a schema may have a setting of its own."""


def explain_settings(reads: Sequence[Read], kinds: Sequence[str], side: str, call: Call) -> Iterator[Considered]:
    """The older keys of some kinds that are about a call of a service: the narrowest holds, the others are hidden by it."""
    for kind in kinds:
        found: dict[str, list[tuple[Read, Setting]]] = {}
        for read in reads:
            rule = read.checked.rule
            if isinstance(rule, Setting) and rule.namespace == kind and rule.side in (side, ""):
                found.setdefault(rule.property, []).append((read, rule))
        for name in sorted(found):
            yield from _property(found[name], _scopes(kind, name, call))
        yield from wrong([read for read in reads if read.key.legacy and read.key.legacy.side in (side, "")], (kind,))


def _scopes(kind: str, name: str, call: Call) -> Sequence[str]:
    """The scopes that are about a call, the narrowest first: the order of `setting_of` and `qps_limit`."""
    service, schema, operation = call
    if name in ("qps.limit", "qps.bucket"):
        parts = [f"{schema}.{operation}", schema] if schema else []
        return [f"{who}.{part}" if part else who for who in (service, "ANY") for part in (*parts, "")]
    narrow = [f"{service}.{schema}.{operation}"] if operation else []
    of_schema = [f"{service}.{schema}"] if schema and kind in _WITH_SCHEMA else []
    return [*narrow, *of_schema, service, ""]


def _property(found: Sequence[tuple[Read, Setting]], order: Sequence[str]) -> Iterator[Considered]:
    """One property at all its scopes. Of two keys with one scope, `servicecomb.` goes before `cse.`."""
    concerned = [pair for pair in found if pair[1].scope in order]
    ranked = sorted(concerned, key=lambda pair: (order.index(pair[1].scope), pair[0].key.prefix != "servicecomb"))
    for place, (read, setting) in enumerate(ranked):
        does = f"{setting.property} = {legacy_text(setting)}"
        if not place:
            yield considered(read, Verdict.APPLIES, _scope(setting), does)
        else:
            yield considered(read, Verdict.SKIPPED, f"{shown(ranked[0][0].item.key)} goes before it", does)


def _scope(setting: Setting) -> str:
    return f"it is for {shown(setting.scope)}" if setting.scope else "it is for all"
