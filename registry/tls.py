"""TLS of the ports. Renewed files take the place of the old ones while the engine runs: for new connections, not for those there are.

A certificate and its key are two files, and whoever renews them writes one after the other. So a change is taken up when the files have
been the same for a second; what cannot be used is refused as a whole, and the old ones stay.
"""

from __future__ import annotations

import contextlib
import math
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import structlog
from cryptography import x509

_SETTLED_AFTER = 1.0
_LOOK_EVERY = 0.5

log = structlog.get_logger(__name__)


class Files(NamedTuple):
    """Paths of PEM files: the certificate chain, its key, and the authorities whose client certificates are required. Empty: none."""

    cert: str
    key: str = ""
    client_ca: str = ""


class Certificates(ssl.SSLContext):
    """The context of all listeners: each connection begins with the files as they were when they were last in order."""

    _files: Files
    _current: ssl.SSLContext
    _used: tuple[object, ...]
    _seen: tuple[object, ...]
    _seen_at: float
    _next_look: float
    ends: float
    """When the first certificate of the chain ends, in seconds since 1970; infinite where that cannot be read."""

    def __new__(cls, files: Files) -> Certificates:
        """Read the files. Raises `OSError`, which names the file and the setting."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made._files = files
        made._used = made._seen = _marks(files)
        made._seen_at = made._next_look = 0.0
        made._current = _context(files)
        made.ends = _end_of(files.cert)
        return made

    def wrap_bio(self, *arguments: object, **options: object) -> ssl.SSLObject:
        """Begin a connection, by the files that count now."""
        return self._current.wrap_bio(*arguments, **options)  # type: ignore[arg-type]

    def renew(self) -> None:
        """Read the files again, for connections to come; where they cannot be used, say so and go on with the old ones."""
        self._used = self._seen = _marks(self._files)
        try:
            self._current = _context(self._files)
        except OSError as error:
            log.error("tls.refused", error=str(error))  # noqa: TRY400  the text says it all
        else:
            self.ends = _end_of(self._files.cert)
            log.info("tls.renewed", tls_cert=self._files.cert)

    def tick(self) -> None:
        """Look whether the files have changed, and have settled: call it often."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY
        marks = _marks(self._files)
        if marks != self._seen:
            self._seen, self._seen_at = marks, now
        elif marks != self._used and now - self._seen_at >= _SETTLED_AFTER:
            self.renew()


def _context(files: Files) -> ssl.SSLContext:
    """TLS 1.2 or newer, with clients' certificates required where there are authorities for them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    key = f", tls_key {files.key}" if files.key else ""
    with _naming(f"tls_cert {files.cert}{key}: no certificate with its key can be read there"):
        context.load_cert_chain(files.cert, files.key or None)
    if files.client_ca:
        with _naming(f"tls_client_ca {files.client_ca}: no certificate of an authority can be read there"):
            context.load_verify_locations(files.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _end_of(cert: str) -> float:
    try:
        chain = x509.load_pem_x509_certificates(Path(cert).read_bytes())
    except (OSError, ValueError):
        return math.inf
    return min(one.not_valid_after_utc.timestamp() for one in chain)


def _marks(files: Files) -> tuple[object, ...]:
    """What is different when a file is."""
    return tuple(_mark(name) for name in files if name)


def _mark(name: str) -> tuple[int, int, int] | None:
    try:
        facts = os.stat(name)  # noqa: PTH116  one call of the system, on a path that may change its kind
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


@contextlib.contextmanager
def _naming(what: str) -> Iterator[None]:
    """Python's words for a file of TLS that is wrong name neither the file nor the setting."""
    try:
        yield
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        raise OSError(f"{what} ({reason})") from error
