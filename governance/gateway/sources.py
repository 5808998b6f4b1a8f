"""Where a gateway's configuration comes from, and that it is obeyed when it changes: a file, and an item of the engine over it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from governance.clock import Pause
from governance.gateway.config import GatewayConfig, read_config
from governance.logs import logger
from governance.rules.problems import Problem, Severity

ITEM = "waggle.gateway."
"""What comes before a gateway's name in the key of the item that its routes and upstreams may be in."""
LARGEST = 1_048_576
"""Bytes of a configuration."""
_LOOK_SECONDS = 0.5
log = logger(__name__)


class GatewayConfigError(ValueError):
    """A configuration that cannot be obeyed: each mistake with its place."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


def parse(source: str, text: str, *, registered: bool = False) -> GatewayConfig:
    """The configuration of a text; its warnings are logged. Raises `GatewayConfigError`."""
    config, problems = read_config(text, registered=registered)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if config is None or errors:
        raise GatewayConfigError(source, errors)
    for problem in problems:
        log.warning("gateway.config_warning", source=source, at=str(problem.at), text=problem.text)
    return config


def load(path: Path) -> GatewayConfig:
    """The configuration of a file. Raises `GatewayConfigError`, `OSError`."""
    data = path.read_bytes()
    if len(data) > LARGEST:
        raise OSError(f"{path} has more than {LARGEST} bytes")
    return parse(str(path), data.decode("utf-8", "replace"))


class Sources:
    """Puts the file and the item together. `obey` is given each configuration that holds; what does not changes nothing and is logged."""

    def __init__(self, path: Path | None, config: GatewayConfig, obey: Callable[[GatewayConfig], None]) -> None:
        self._path = path
        self._file = config
        self._item: GatewayConfig | None = None
        self._item_text: str | None = None
        self._seen = self._mark()
        self._obey = obey

    def item(self, text: str | None) -> None:
        """The engine's item is this now; None where there is none. Its routes, upstreams and rules take the place of the file's."""
        if text == self._item_text:
            return
        self._item_text = text
        if text is None or not text.strip():
            self._item = None
        else:
            try:
                self._item = parse("configuration item", text, registered=self._file.service is not None)
            except GatewayConfigError as error:
                _tell(error)
                return
        self._obey(self.current)

    def reload(self) -> None:
        """Read the file again, where there is one."""
        if self._path is None:
            return
        self._seen = self._mark()
        try:
            config = load(self._path)
        except (OSError, GatewayConfigError) as error:
            _tell(error)
            return
        self._file = config
        self._obey(self.current)

    async def watch(self, pause: Pause) -> None:
        """Read the file again whenever it changes, until cancelled."""
        while True:
            await pause(_LOOK_SECONDS)
            mark = await asyncio.to_thread(self._mark)
            if mark is not None and mark != self._seen:
                self.reload()

    @property
    def current(self) -> GatewayConfig:
        """What counts now."""
        if self._item is None:
            return self._file
        return dataclasses.replace(
            self._file, routes=self._item.routes, upstreams=self._item.upstreams, rules=self._item.rules
        )

    def _mark(self) -> tuple[int, int, int] | None:
        """What is different when the file is; None while it is not there, as between two steps of an editor."""
        if self._path is None:
            return None
        try:
            facts = os.stat(self._path)  # noqa: PTH116  one call of the system, on a path that may change its kind
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _tell(error: Exception) -> None:
    log.error("gateway.config_refused", error=str(error))
