"""What the engine is and how it runs: version, ports, settings with their sources, data, certificate."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from registry import __version__
from registry.api.call import Call, Reply, Route, Tenancy, json_reply
from registry.engine.alarms import BACKEND
from registry.engine.reporting import Reporting
from registry.settings import LoadedSettings


@dataclass(frozen=True, slots=True)
class About:
    """What is told: settings as they were loaded, addresses by the port's setting, the certificate's end (seconds since 1970)."""

    loaded: LoadedSettings
    reporting: Reporting
    addresses: Mapping[str, str]
    ends: Callable[[], float | None]
    started: int

    async def engine(self, call: Call) -> Reply:
        """GET engine: version, ports, settings with their sources, data, journal and certificate."""
        engine, settings = call.engine, self.loaded.settings
        committer = engine.committer
        journal = {
            "storage": settings.storage,
            "bytes": await engine.journal.size(),
            "revision": engine.ledger.revision,
            "waiting": committer.waiting,
            "limit": committer.limit,
            "problem": engine.alarms.active(BACKEND) or "",
        }
        return json_reply(
            {
                "version": __version__,
                "at": engine.now(),
                "started": self.started,
                "addresses": self.addresses,
                "access": engine.access.mode.value,
                "journal": journal,
                "data": self._data(),
                "tls": self._tls(),
                "tenants": self.reporting.tenants(),
                "settings": self._settings(),
            }
        )

    def _settings(self) -> Sequence[Mapping[str, object]]:
        """What each setting is, with its value, source and meaning; secrets are masked."""
        fields = type(self.loaded.settings).model_fields
        values = {name: value for name, value, _ in self.loaded.rows()}
        return [
            {
                **row,
                "written": values[str(row["name"])],
                "about": fields[str(row["name"])].description,
            }
            for row in self.loaded.document()
        ]

    def _data(self) -> Mapping[str, object] | None:
        settings = self.loaded.settings
        if settings.storage != "sqlite":
            return None
        try:
            free = shutil.disk_usage(settings.data_dir).free
        except OSError:
            free = None
        return {"folder": str(settings.data_dir.absolute()), "free": free}

    def _tls(self) -> Mapping[str, object] | None:
        settings, ends = self.loaded.settings, self.ends()
        if ends is None:
            return None
        known = {"cert": settings.tls_cert, "key": settings.tls_key, "clientCa": settings.tls_client_ca}
        return {**known, "ends": int(ends * 1000) if math.isfinite(ends) else None}


def about_routes(about: About) -> Sequence[Route]:
    """The table of routes."""
    told = (about.engine.__doc__ or "").strip()
    return (Route("GET", "/waggle/v1/engine", about.engine, "ops", told, Tenancy.NONE),)
