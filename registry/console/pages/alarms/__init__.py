"""Alarms: what is wrong and who knows of it, the rules by which that is found, and whom it is told to."""

from __future__ import annotations

from registry.console.pages.alarms import board, rules, webhooks

PAGES = (*board.PAGES, *rules.PAGES, *webhooks.PAGES)
