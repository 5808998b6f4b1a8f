"""What can go wrong where an instance is chosen."""

from __future__ import annotations


class NoInstanceError(Exception):
    """There is nobody to call."""

    def __init__(self, service: str, reason: str) -> None:
        self.service = service
        super().__init__(f"no instance of {service}: {reason}")
