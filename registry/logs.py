"""Logs: structured events to standard error, one line each, with nothing secret in them."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping

import structlog

_SECRET = re.compile("authorization|password|passwd|token|secret|cookie|private_?key", re.IGNORECASE)
_MASK = "********"
_OWN = __name__.partition(".")[0]


def mask_secrets(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Cover the values of fields whose names say that they are secret, in mappings within fields too."""
    for name, value in event.items():
        event[name] = _masked(name, value)
    return event


def _masked(name: object, value: object) -> object:
    if _SECRET.search(str(name)):
        return _MASK
    if isinstance(value, Mapping):
        return {inner: _masked(inner, part) for inner, part in value.items()}
    return [_masked("", part) for part in value] if isinstance(value, list | tuple) else value


def _keep_one_line(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Make line ends and what steers terminals visible: clients choose some of the text. JSON does that by itself."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in value)
    return event


def _console_renderer() -> structlog.dev.ConsoleRenderer:
    """With plain tracebacks: the fancy ones show local variables, which may be secret."""
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def configure(level: str, style: str) -> None:
    """Send structlog's and the standard library's events to standard error; `style` is auto, json or console.

    One event a line; only the console form shows tracebacks on lines of their own.
    """
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    rendering: list[structlog.typing.Processor] = (
        [_keep_one_line, _console_renderer()]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Other packages tell no details: SQLite's driver would show every value that is stored, keys and password hashes among them.
    root.setLevel(max(logging.getLevelName(level.upper()), logging.INFO))
    logging.getLogger(_OWN).setLevel(level.upper())
