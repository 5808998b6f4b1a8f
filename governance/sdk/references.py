"""Secrets by reference: `${env:NAME}` and `${file:/run/secrets/x}` in a value, which only those who ask for the value see through.

Whoever may change a service's configuration chooses what it reads; so files are read below the folders of a setting only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 1_048_576
"""Of a file that is referred to."""
_REFERENCE = re.compile(r"\$\{(env|file):([^{}]*)\}")


class ConfigurationError(Exception):
    """A value that cannot be used. The text names its key and never a secret."""


@dataclass(frozen=True, slots=True)
class References:
    """Where references lead: the environment's variables, and the files below these folders."""

    environ: Mapping[str, str]
    folders: Sequence[str]

    def resolved(self, key: str, text: str) -> str:
        """The text with what it refers to. Raises `ConfigurationError`, which names the key and the reference."""
        try:
            return _REFERENCE.sub(self._found, text)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ConfigurationError(f"{key}: {text!r} refers to what cannot be read: {reason}") from None

    def _found(self, reference: re.Match[str]) -> str:
        kind, name = reference.groups()
        if kind == "file":
            return self._content(name)
        if name not in self.environ:
            raise ValueError(f"there is no variable {name}")
        return self.environ[name]

    def _content(self, name: str) -> str:
        path = Path(name).resolve()
        if not any(path.is_relative_to(Path(folder).resolve()) for folder in self.folders):
            raise ValueError(f"{name} is not below {' or '.join(self.folders) or 'any folder of config_secrets'}")
        if not path.is_file():
            raise ValueError(f"there is no file {name}")
        content = path.read_bytes()
        if len(content) > MOST_BYTES:
            raise ValueError(f"{name} has more than {MOST_BYTES} bytes")
        try:
            return content.decode().removesuffix("\n")
        except UnicodeDecodeError:
            raise ValueError(f"{name} is no text") from None


def refers(text: str) -> bool:
    """Whether a text has a reference."""
    return _REFERENCE.search(text) is not None


def is_reference(text: str) -> bool:
    """Whether a text is a reference and nothing else."""
    return _REFERENCE.fullmatch(text) is not None
