"""A gradual release is for instances, so who is there is a part of it.

Where an instance comes, goes or changes, the releases that may be for it are renewed: a new revision, which wakes those who wait. So a
client that asked before its instance was registered, or before it got the property that a release is for, gets its value too.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from registry.catalog.records import CatalogChange, Instance
from registry.config import Config
from registry.engine.askers import Place
from registry.errors import RegistryError
from registry.ledger import Change

_TOGETHER_SECONDS = 0.1


class ReleaseFollower:
    """Renews releases; what comes within a tenth of a second is one renewal. `begin` runs a command, `now` is the clock in milliseconds."""

    def __init__(
        self, config: Config, begin: Callable[[Callable[[], None], str], object], now: Callable[[], int]
    ) -> None:
        self._config = config
        self._begin = begin
        self._now = now
        self._due: set[tuple[str, str]] = set()

    def publish(self, changes: Sequence[Change]) -> None:
        """Note which releases the stored changes of instances are about."""
        waiting = bool(self._due)
        for change in changes:
            if isinstance(change, CatalogChange) and isinstance(change.record, Instance) and change.service is not None:
                tenant = change.record.tenant
                for release in self._config.state.table(tenant).releases.values():
                    if Place(tenant, "", "", release.labels).may_be(change.service):
                        self._due.add((tenant, release.key_id))
        if self._due and not waiting:
            asyncio.get_running_loop().call_later(_TOGETHER_SECONDS, self._renew)

    def _renew(self) -> None:
        due, self._due = self._due, set()

        def command() -> None:
            for tenant, key_id in due:
                self._config.releases.renew(tenant, key_id, self._now())

        # Where the store fails, nobody is worse off than before: the next change of an instance renews again.
        with contextlib.suppress(RegistryError):
            self._begin(command, "engine")
