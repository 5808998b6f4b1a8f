"""Commands on gradual releases. Every command takes the wall clock in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from registry.config.keyvalues import KeyValues
from registry.config.records import KeyValue
from registry.config.rules import ANY_KEY, check_draft
from registry.config.state import Listing, State, list_body
from registry.config.targets import Release, Target
from registry.errors import ConfigError

Chosen = Callable[[Release], bool]
"""Whether the instance that asks is one of those that a release is for."""


class Releases:
    """Starts, widens, promotes and drops releases; an item has one at most."""

    def __init__(self, state: State, keys: KeyValues) -> None:
        self._state = state
        self._keys = keys

    def all(self, tenant: str) -> Sequence[Release]:
        """The releases of a tenant, by key."""
        return sorted(self._state.table(tenant).releases.values(), key=lambda release: (release.key, release.key_id))

    def get(self, tenant: str, key_id: str) -> Release:
        """The release of an item, or 404001."""
        found = self._state.table(tenant).releases.get(key_id)
        if found is None:
            raise ConfigError(404001, "there is no release of an item of this key with exactly these labels")
        return found

    def start(self, item: KeyValue, value: str, target: Target, now: int) -> Release:
        """Give some instances a new value of an item, or change what they get and who they are. Raises 400001."""
        check_draft(replace(item.draft, value=value), ANY_KEY)
        _check_target(target)
        before = self._state.table(item.tenant).releases.get(item.key_id)
        started = before.started if before is not None and before.value == value else now
        revision = self._state.ledger.next_revision()
        draft = item.draft
        release = Release(item.tenant, item.key_id, draft.key, draft.labels, value, target, revision, started)
        self._state.put(before, release, now)
        return release

    def renew(self, tenant: str, key_id: str, now: int) -> None:
        """Let the release of an item, if it has one, count as changed: who gets it may have."""
        before = self._state.table(tenant).releases.get(key_id)
        if before is not None:
            self._state.put(before, replace(before, revision=self._state.ledger.next_revision()), now)

    def promote(self, tenant: str, key_id: str, now: int) -> KeyValue:
        """Let the new value be that of the item, for all. Raises 404001."""
        release = self.get(tenant, key_id)
        item = self._keys.get(tenant, key_id)
        self._state.put(release, None, now)
        return self._keys.set(tenant, replace(item.draft, value=release.value), now)

    def drop(self, tenant: str, key_id: str, now: int) -> Release:
        """Let everyone have the item as it is. Raises 404001."""
        release = self.get(tenant, key_id)
        self._state.put(release, None, now)
        return release


def seen_by(releases: Mapping[str, Release], items: Sequence[KeyValue], chosen: Chosen) -> Sequence[KeyValue]:
    """The items as the instance that asks sees them, in the order of lists; the same sequence where no release is for it."""
    its_own = {name for name in releases.keys() & {item.key_id for item in items} if chosen(releases[name])}
    if not its_own:
        return items
    seen = [releases[item.key_id].over(item) if item.key_id in its_own else item for item in items]
    return sorted(seen, key=lambda item: (-item.draft.priority, -item.revision))


def listing_seen_by(releases: Mapping[str, Release], listing: Listing, chosen: Chosen) -> Listing:
    """The listing as the instance that asks sees it; the very same where no release is for it."""
    items = seen_by(releases, listing.items, chosen)
    return listing if items is listing.items else Listing(items, list_body(len(items), items))


def _check_target(target: Target) -> None:
    given = [bool(target.instances), bool(target.share), bool(target.properties)]
    if sum(given) != 1:
        raise ConfigError(
            400001, "a release is for instances, for a share of them, or for those with properties: one of the three"
        )
    if target.share and not 0 < target.share <= 100:
        raise ConfigError(400001, "share: a percentage from 1 to 100")
