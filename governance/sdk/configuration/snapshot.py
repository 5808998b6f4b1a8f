"""The configuration at one moment: a mapping that never changes, and that shows no secret when it is printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from governance.sdk.configuration.levels import Value
from governance.sdk.references import References


class Snapshot(Mapping[str, str]):
    """Values by key. Reading one resolves its references, and raises `ConfigurationError` where that fails."""

    def __init__(self, values: Mapping[str, Value], references: References) -> None:
        self.values_as_written = values
        """What is kept, compared and shown: the references themselves, not what they lead to."""
        self._references = references

    def __getitem__(self, key: str) -> str:
        return self._references.resolved(key, self.values_as_written[key].text)

    def __contains__(self, key: object) -> bool:
        return key in self.values_as_written

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_as_written)

    def __len__(self) -> int:
        return len(self.values_as_written)

    def __repr__(self) -> str:
        return f"Snapshot({ {key: value.text for key, value in self.values_as_written.items()} })"
