"""Tokens that `waggle login` has fetched: one for each engine, in the user's config folder, readable by nobody else."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import typer

_FILE = "tokens.json"


@dataclass(frozen=True, slots=True)
class Login:
    """Who is signed in at an engine, and the token; both empty where nobody is."""

    account: str = ""
    token: str = field(default="", repr=False)


def login_at(url: str) -> Login:
    """The login at an engine. It is for that address alone."""
    found = _read().get(url)
    try:
        return Login(**found) if isinstance(found, dict) else Login()
    except TypeError:
        return Login()


def keep(url: str, login: Login) -> Path:
    """Keep a login; where it is kept. Raises `OSError`."""
    return _write({**_read(), url: asdict(login)})


def forget(url: str) -> bool:
    """Forget the login at an engine; whether there was one. Raises `OSError`."""
    logins = _read()
    if url not in logins:
        return False
    _write({name: login for name, login in logins.items() if name != url})
    return True


def _folder() -> Path:
    return Path(typer.get_app_dir("waggle"))


def _read() -> Mapping[str, object]:
    try:
        logins = json.loads((_folder() / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return logins if isinstance(logins, dict) else {}


def _write(logins: Mapping[str, object]) -> Path:
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = folder / f"{_FILE}.{os.getpid()}"
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as out:
        json.dump(dict(logins), out, indent=2)
    return new.replace(folder / _FILE)
