"""The `waggle` command."""

from __future__ import annotations

from registry.cli.app import main

__all__ = ["main"]
