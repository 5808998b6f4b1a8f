"""Access control: the switch with readiness, accounts, roles, who is locked, and one's own password."""

from __future__ import annotations

from registry.console.pages.access import accounts, own, roles, switch

PAGES = (*switch.PAGES, *accounts.PAGES, *roles.PAGES, *own.PAGES)
