"""What the code of the product never does, whatever it is sent: no code is made of data, nothing is run, nothing is fetched."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from registry.api.config import config_routes
from registry.api.explain import explain_routes
from registry.api.kie import kie_routes
from registry.api.service_center import ROUTES
from registry.cli.app import app

ROOT = Path(__file__).parents[2]
ENGINE = sorted(path for path in (ROOT / "registry").rglob("*.py") if "cli" not in path.parts)
EVERYTHING = sorted(path for name in ("registry", "governance") for path in (ROOT / name).rglob("*.py"))
RESOURCES = {"public", "service", "service/schema", "config", "ops", "governance", "account", "role", "access", "self"}


def _used(path: Path) -> Iterator[str]:
    """Dotted names of everything that a module imports or calls."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            case ast.Call():
                yield ast.unparse(node.func)


def _calls(path: Path, name: str) -> Iterator[ast.Call]:
    """The calls of a name in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
            yield node


def _uses(paths: list[Path], *forbidden: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in paths
        for name in _used(path)
        if any(name == word or name.startswith(f"{word}.") for word in forbidden)
    ]


def test_no_object_is_made_of_bytes() -> None:
    """JSON and safe YAML are all that is read: nothing that could name a class or hold code."""
    assert (
        _uses(EVERYTHING, "pickle", "marshal", "shelve", "dill", "jsonpickle", "eval", "exec", "compile", "__import__")
        == []
    )
    assert _uses(EVERYTHING, "yaml", "ruamel.yaml.load", "ruamel.yaml.UnsafeLoader", "ruamel.yaml.Loader") == []
    made = [ast.unparse(call) for path in EVERYTHING for call in _calls(path, "YAML")]
    assert made
    assert [call for call in made if "typ='safe'" not in call] == []


def test_the_engine_runs_no_program() -> None:
    """There are no health checks by script and no hooks."""
    assert (
        _uses(ENGINE, "subprocess", "os.system", "os.popen", "os.exec", "pty", "asyncio.create_subprocess_exec") == []
    )
    assert _uses(ENGINE, "os.fork", "multiprocessing", "asyncio.create_subprocess_shell") == []


def test_the_engine_fetches_nothing() -> None:
    """It calls no address that a client registered: there is nothing to forge a request with. Webhooks are called from one place."""
    clients = ("aiohttp.ClientSession", "aiohttp.request", "urllib.request", "http.client", "requests", "httpx")
    assert _uses(ENGINE, *clients) == ["registry/engine/webhooks.py: aiohttp.ClientSession"]
    assert _uses(ENGINE, "asyncio.open_connection", "socket.create_connection", "smtplib", "ftplib") == []


def test_what_is_looked_for_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "module.py"
    module.write_text("import pickle\nfrom subprocess import run\nimport os\nos.system('x')\n", encoding="utf-8")
    monkeypatch.setattr("tests.unit.test_safe_code.ROOT", tmp_path)
    assert _uses([module], "pickle", "subprocess", "os.system") == [
        "module.py: pickle",
        "module.py: subprocess.run",
        "module.py: os.system",
    ]
    assert len(ENGINE) > 30


def test_every_route_says_what_it_is_about() -> None:
    """Access control will ask for it; there is no route without an answer."""
    routes = (*ROUTES, *kie_routes(), *config_routes(), *explain_routes())
    assert len(routes) > 50
    assert {route.resource for route in routes} <= RESOURCES
    assert all(route.resource != "public" for route in routes if route.method != "GET")


def _options(command: typer.core.TyperCommand | typer.core.TyperGroup, path: str = "waggle") -> Iterator[str]:
    """Every option and argument of a command and of those below it."""
    for parameter in command.params:
        for word in (*parameter.opts, parameter.name or ""):
            yield f"{path} {word}"
    for name, below in getattr(command, "commands", {}).items():
        yield from _options(below, f"{path} {name}")


def test_no_secret_is_an_argument_of_the_command() -> None:
    """All users of a machine may read what its processes were started with. Paths of key files are no secrets."""
    found = list(_options(typer.main.get_command(app)))
    assert len(found) > 150
    assert [word for word in found if re.search("passw|secret|token(?!-rate|_rate)|credential", word.split()[-1])] == []
