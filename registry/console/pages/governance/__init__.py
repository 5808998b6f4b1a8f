"""Governance: the rules, what gray releases and degradations make of them, and what becomes of one request."""

from registry.console.pages.governance.degrades import PAGES as _DEGRADES
from registry.console.pages.governance.preview import PAGES as _PREVIEW
from registry.console.pages.governance.releases import PAGES as _RELEASES
from registry.console.pages.governance.rule import PAGES as _RULE
from registry.console.pages.governance.rules import PAGES as _RULES

PAGES = (*_RULES, *_RULE, *_RELEASES, *_DEGRADES, *_PREVIEW)
