"""The last known configuration on disk, for a service that starts while its engine is away. It has references, never what they lead to."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ValidationError

from governance.logs import logger
from governance.sdk.configuration.levels import Value
from governance.sdk.settings import ServiceSettings

log = logger(__name__)
Values: TypeAlias = Mapping[str, Mapping[str, Value]]
"""Values by key by level."""


class _Document(BaseModel):
    """The file's content."""

    format: Literal["waggle-configuration-1"]
    of: dict[str, str]
    levels: dict[str, dict[str, Value]]


class Cache:
    """One file for each service, version and environment of an engine, which this user alone can read; no folder: none."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._of = _identity(settings)
        self._folder = settings.config_cache
        self._turn = asyncio.Lock()

    @property
    def path(self) -> Path:
        """The file. Raises `RuntimeError` for a folder below a home that is not known."""
        digest = hashlib.sha256(repr(sorted(self._of.items())).encode()).hexdigest()[:16]
        return Path(self._folder).expanduser() / f"{self._of['service'][:64]}-{digest}.json"

    def load(self) -> Values:
        """What was kept; nothing where there is nothing that can be used."""
        if not self._folder:
            return {}
        try:
            return _read(self.path, self._of)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RuntimeError) as error:
            # What pydantic says would show values.
            reason = "it is not what was kept" if isinstance(error, ValidationError) else str(error)
            log.warning("config.cache_ignored", folder=self._folder, error=reason)
            return {}

    async def keep(self, values: Callable[[], Values]) -> None:
        """Replace what was kept by what there is when its turn comes. A disk that cannot be written is logged."""
        if not self._folder:
            return
        async with self._turn:
            document = _Document.model_construct(
                format="waggle-configuration-1",
                of=self._of,
                levels={name: dict(found) for name, found in values().items()},
            )
            try:
                await asyncio.to_thread(_replace, self.path, document.model_dump_json().encode())
            except (OSError, RuntimeError) as error:
                log.warning("config.not_kept", folder=self._folder, error=str(error))


def _identity(settings: ServiceSettings) -> dict[str, str]:
    """What must agree: values of one engine or project are not another's."""
    return {
        "addresses": ",".join(sorted(settings.config_addresses or settings.addresses)),
        "project": settings.project,
        "app": settings.app,
        "service": settings.name,
        "version": settings.version,
        "environment": settings.environment,
        "label": f"{settings.config_label}:{settings.config_label_value}",
    }


def _read(path: Path, of: Mapping[str, str]) -> Values:
    """What a file keeps. Raises `OSError`, and `ValueError` for one that is torn or about something else."""
    with path.open("rb") as file:
        if hasattr(os, "getuid") and os.fstat(file.fileno()).st_uid not in (os.getuid(), 0):
            raise PermissionError(f"{path} is another user's")
        document = _Document.model_validate_json(file.read())
    if document.of != of:
        raise ValueError(f"{path} is another service's")
    return document.levels


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Its mode is 0600 from the start.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
