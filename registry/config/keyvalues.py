"""Commands on key-values. Protocol: KIE sections A.4 to A.6. Every command takes the wall clock in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from registry.config.records import Draft, KeyValue, id_of
from registry.config.rules import ANY_KEY, check_change, check_draft
from registry.config.state import State
from registry.errors import ConfigError

_UNKNOWN = "can not find any key value"


class KeyValues:
    """Creates, changes and deletes key-values; `quota` is the most that a domain and project may have."""

    def __init__(self, state: State, quota: int) -> None:
        self._state = state
        self.quota = quota

    def get(self, tenant: str, key_id: str) -> KeyValue:
        """The key-value of an id, or 404001."""
        found = self._state.table(tenant).by_id.get(key_id)
        if found is None:
            raise ConfigError(404001, _UNKNOWN)
        return found

    def named(self, tenant: str, draft: Draft) -> KeyValue | None:
        """The key-value with the key and the labels of a draft, if there is one."""
        return self._state.table(tenant).by_id.get(id_of(tenant, draft.key, draft.labels))

    def check_room(self, tenant: str, more: int) -> None:
        """Raise 422001 where so many more key-values are more than the quota."""
        if len(self._state.table(tenant).by_id) + more > self.quota:
            raise ConfigError(422001, f"reached maximum allowed quota: {self.quota}")

    def create(self, tenant: str, draft: Draft, now: int) -> KeyValue:
        """Create a key-value. Raises 400001, 409001, 422001."""
        check_draft(draft)
        self.check_room(tenant, 1)
        key_id = id_of(tenant, draft.key, draft.labels)
        if key_id in self._state.table(tenant).by_id:
            raise ConfigError(409001, "kv already exists")
        return self._create(tenant, key_id, draft, now)

    def _create(self, tenant: str, key_id: str, draft: Draft, now: int) -> KeyValue:
        updated = self._state.ledger.next_revision(), now // 1000
        created = KeyValue.of(tenant, draft, created=updated, updated=updated, key_id=key_id)
        self._state.put(None, created, now)
        return created

    def update(self, tenant: str, key_id: str, value: str, status: str, now: int) -> KeyValue:
        """Change the value and the status; an empty one stays as it is. Raises 400001, 404001."""
        check_change(value, status)
        before = self.get(tenant, key_id)
        draft = replace(before.draft, value=value or before.draft.value, status=status or before.draft.status)
        return self._replace(before, draft, now)

    def set(self, tenant: str, draft: Draft, now: int) -> KeyValue:
        """Create the key-value, or let it be as the draft says in every part; one that is so already is left alone.

        Raises 400001, 422001.
        """
        check_draft(draft, ANY_KEY)
        key_id = id_of(tenant, draft.key, draft.labels)
        before = self._state.table(tenant).by_id.get(key_id)
        if before is None:
            self.check_room(tenant, 1)
            return self._create(tenant, key_id, draft, now)
        return before if before.draft == draft else self._replace(before, draft, now)

    def delete(self, tenant: str, key_id: str, now: int) -> None:
        """Delete a key-value, and its gradual release with it. Raises 404001."""
        self._remove(self.get(tenant, key_id), now)

    def delete_many(self, tenant: str, ids: Iterable[str], now: int) -> int:
        """Delete those of the ids that are known; return how many."""
        by_id = self._state.table(tenant).by_id
        known = [by_id[name] for name in dict.fromkeys(ids) if name in by_id]
        for record in known:
            self._remove(record, now)
        return len(known)

    def _remove(self, record: KeyValue, now: int) -> None:
        release = self._state.table(record.tenant).releases.get(record.key_id)
        if release is not None:
            self._state.put(release, None, now)
        self._state.put(record, None, now)

    def _replace(self, before: KeyValue, draft: Draft, now: int) -> KeyValue:
        created = before.create_revision, before.create_time
        updated = self._state.ledger.next_revision(), now // 1000
        after = KeyValue.of(before.tenant, draft, created=created, updated=updated, key_id=before.key_id)
        self._state.put(before, after, now)
        return after
