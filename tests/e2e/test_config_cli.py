"""`waggle config` against a real engine: what it says, what it stores, and how it fails."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import pty
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from registry.cli.app import app
from tests.engine import EngineProcess, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
_COMMAND = (sys.executable, "-m", "registry.cli", "config")
MALL = ("--app", "mall")
CART = (*MALL, "--service", "cart")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """One engine for all tests of the module, which keep apart by their project."""
    async with running_engine(tmp_path_factory.mktemp("engine") / "data") as started:
        yield started


class Cli:
    """Runs subcommands of `waggle config` in one project of an engine."""

    def __init__(self, url: str, project: str) -> None:
        self.environ = {"COLUMNS": "300", "WAGGLE_ENGINE": url, "TZ": "UTC"}
        self.project = project

    async def run(self, *words: str, stdin: str | None = None) -> Result:
        """A finished command; it runs on a thread, with an event loop of its own."""
        arguments = ["config", words[0], "--project", self.project, *words[1:]]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, input=stdin, env=self.environ)

    async def out(self, *words: str, stdin: str | None = None) -> str:
        """The standard output of a command that must end well and have nothing to complain of."""
        done = await self.run(*words, stdin=stdin)
        assert (done.exit_code, done.stderr) == (0, ""), f"{words}: {done.exit_code} {done.stderr}"
        return done.stdout

    async def json(self, *words: str) -> object:
        """What a command prints with --json."""
        return json.loads(await self.out(*words, "--json"))

    async def fails(self, status: int, *words: str, stdin: str | None = None) -> str:
        """The one line on standard error of a command that must end with this status."""
        done = await self.run(*words, stdin=stdin)
        assert (done.exit_code, done.stdout) == (status, ""), f"{words}: {done.exit_code} {done.stdout}"
        return done.stderr


@pytest.fixture
def cli(engine: EngineProcess) -> Cli:
    """The command in a project of its own."""
    return Cli(engine.url, f"p{uuid.uuid4().hex[:8]}")


def rows(table: str) -> list[list[str]]:
    """The cells of a printed table without its head."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in table.splitlines() if "│" in line]


def _revision(said: str) -> int:
    return int(said.rsplit(" ", 1)[1])


async def test_an_item_is_set_got_and_deleted(cli: Cli) -> None:
    said = await cli.out("set", "timeout", "2s", *CART)
    assert said.startswith("added timeout [app=mall service=cart environment=] at revision ")
    assert await cli.out("get", "timeout", *CART) == "2s", "nothing else, not even a line's end"
    changed = await cli.out("set", "timeout", "3s", *CART)
    assert changed.startswith("changed timeout [")
    assert _revision(changed) > _revision(said)
    assert (await cli.out("set", "timeout", "3s", *CART)).startswith("unchanged timeout [")
    item = await cli.json("get", "timeout", *CART)
    assert isinstance(item, dict)
    assert item["labels"] == {"app": "mall", "service": "cart", "environment": ""}, "Java clients see no others"
    assert await cli.out("delete", "timeout", *CART) == "deleted timeout [app=mall service=cart environment=]\n"
    assert "there is no item 'timeout'" in await cli.fails(1, "get", "timeout", *CART)


async def test_the_user_is_named_as_author(cli: Cli) -> None:
    await cli.out("set", "a", "1")
    history = await cli.json("history", "a")
    assert f'"author": "{getpass.getuser()}@127.0.0.1"' in json.dumps(history)


async def test_labels_are_what_the_options_say(cli: Cli) -> None:
    async def labels(*options: str) -> object:
        done = await cli.json("set", uuid.uuid4().hex, "1", *options)
        assert isinstance(done, dict)
        return done["item"].get("labels", {})

    assert await labels() == {"environment": ""}
    assert await labels("--no-environment") == {}
    assert await labels(*MALL, "--environment", "production") == {"app": "mall", "environment": "production"}
    assert await labels("--label", "public=", "--label", "zone=a-b") == {"environment": "", "public": "", "zone": "a-b"}
    version = {"app": "mall", "service": "cart", "version": "1.0", "environment": ""}
    assert await labels(*CART, "--version", "1.0") == version


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--service", "cart"), "--service needs --app"),
        ((*MALL, "--version", "1"), "--version needs --service"),
        (("--environment", "production", "--no-environment"), "contradict"),
        (("--label", "zone"), "is not NAME=VALUE"),
        (("--label", "=x"), "is not NAME=VALUE"),
        ((*MALL, "--label", "app=shop"), "the label app is given twice"),
    ],
)
async def test_labels_that_make_no_sense_are_a_usage_error(cli: Cli, options: tuple[str, ...], said: str) -> None:
    assert said in " ".join((await cli.fails(2, "set", "a", "1", *options)).split())


async def test_what_set_is_not_given_stays(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "conf.yaml"
    file.write_text("a:\n  b: é\n", encoding="utf-8")
    await cli.out("set", "conf", "--file", str(file), "--type", "yaml", "--priority", "3", *MALL)
    await cli.out("set", "conf", "a: 2", *MALL)
    item = await cli.json("get", "conf", *MALL)
    assert isinstance(item, dict)
    assert (item["value"], item["value_type"], item["priority"]) == ("a: 2", "yaml", 3)
    off = await cli.run("set", "conf", "--status", "disabled", *MALL)
    assert off.exit_code == 0
    assert off.stderr == "waggle: it is disabled: no client applies it\n"
    assert (await cli.run("get", "conf", *MALL)).stdout == "a: 2"
    await cli.out("set", "conf", "--file", "-", "--status", "enabled", *MALL, stdin="from: stdin\n")
    assert await cli.out("get", "conf", *MALL) == "from: stdin\n"


async def test_a_value_that_is_a_list_is_no_option(cli: Cli) -> None:
    await cli.out("set", "list", "- a\n- b\n", "--type", "yaml", *MALL)
    await cli.out("set", *MALL, "--", "dashes", "--x")
    assert (await cli.out("get", "list", *MALL), await cli.out("get", "dashes", *MALL)) == ("- a\n- b\n", "--x")
    assert "No such option: -x" in await cli.fails(2, "set", "list", "-x", *MALL)


async def test_set_refuses_what_it_cannot_do(cli: Cli, tmp_path: Path) -> None:
    assert "there is nothing to set" in await cli.fails(2, "set", "a")
    assert "contradict each other" in await cli.fails(2, "set", "a", "1", "--file", "x")
    assert "No such file" in await cli.fails(2, "set", "a", "--file", str(tmp_path / "none"))
    (tmp_path / "binary").write_bytes(b"ab\xff")
    assert "UTF-8 (byte 3)" in " ".join((await cli.fails(2, "set", "a", "--file", str(tmp_path / "binary"))).split())
    assert await cli.fails(1, "set", "a", "--status", "enabled") == (
        "waggle: the engine refused: 400001 invalid parameter(s): a: a new item needs a value\n"
    )
    assert await cli.fails(1, "set", "a", "{\n 'b'", "--type", "json") == (
        "waggle: the engine refused: 400006 value does not parse: "
        "a: as json, line 2, column 2: unexpected character, expected a string key\n"
    )
    await cli.out("set", "a", "{", "--type", "json", "--force")
    refused = await cli.fails(1, "set", "no good", "1")
    assert refused.startswith("waggle: the engine refused: 400001 invalid parameter(s): no good: ")


async def test_an_item_that_is_not_there_is_told_from_one_with_other_labels(cli: Cli) -> None:
    await cli.out("set", "a", "1", "--no-environment", *MALL)
    await cli.out("set", "a", "1", *CART)
    said = "waggle: there is no item 'a' with exactly these labels: app=mall environment="
    for command in ("get", "delete"):
        assert await cli.fails(1, command, "a", *MALL) == (
            f"{said}; it is there with: app=mall; app=mall service=cart environment=\n"
        )
    assert await cli.fails(1, "get", "b") == ("waggle: there is no item 'b' with exactly these labels: environment=\n")


async def test_list_shows_items_in_order_and_narrows_them(cli: Cli) -> None:
    await cli.out("set", "b", "first\nsecond", *MALL)
    await cli.out("set", "a.x", "1", *CART)
    await cli.run("set", "a.y", "[/red]", "--no-environment", "--status", "disabled")
    found = rows(await cli.out("list"))
    assert [row[:5] for row in found] == [
        ["a.x", "1", "text", "enabled", "app=mall service=cart environment="],
        ["a.y", "[/red]", "text", "disabled", "no labels"],
        ["b", r"first\nsecond", "text", "enabled", "app=mall environment="],
    ]

    async def keys(*options: str) -> list[str]:
        listed = await cli.json("list", *options)
        assert isinstance(listed, list)
        return [row["key"] for row in listed]

    assert await keys() == ["a.x", "a.y", "b"]
    assert await keys(*MALL) == ["a.x", "b"]
    assert await keys(*MALL, "--environment", "", "--exact") == ["b"]
    assert await keys("beginWith(a.)") == ["a.x", "a.y"]
    assert await keys("--value", "sec") == ["b"]
    assert await keys("--status", "disabled") == ["a.y"]
    assert await keys("nothing") == []


async def test_preview_shows_sources_and_what_they_hide(cli: Cli) -> None:
    await cli.out("set", "timeout", "2s", *MALL)
    await cli.out("set", "conf", "timeout: 3s\nretry: 1\n", "--type", "yaml", *CART)
    await cli.out("set", "lost", "1", "--no-environment", *MALL)
    shown = await cli.run("preview", *CART, "--version", "1.0.0")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("app mall service cart version 1.0.0, client java, revision ")
    service = "app=mall service=cart environment="
    assert [[*row[:5], row[6]] for row in rows(shown.stdout)] == [
        ["retry", "1", "service", "conf", service, ""],
        ["timeout", "3s", "service", "conf", service, "app: 2s"],
    ]
    assert shown.stderr == (
        "waggle: lost [app=mall]: no such client asks for it: it lacks the label environment, "
        "which clients send even where it is empty\n"
    )
    go = await cli.run("preview", *CART, "--client", "go", "--json")
    assert {row["key"] for row in json.loads(go.stdout)["properties"]} == {"conf", "timeout"}
    await cli.out("set", "custom", "1", "--label", "zone=north")
    custom = json.loads((await cli.run("preview", *CART, "--label", "zone=north", "--json")).stdout)
    assert "custom" in {row["key"] for row in custom["properties"]}
    assert "is not NAME=VALUE" in await cli.fails(2, "preview", *CART, "--label", "zone")
    assert "Missing option" in await cli.fails(2, "preview", *MALL)


async def test_an_export_is_imported_without_a_change(cli: Cli, tmp_path: Path) -> None:
    await cli.out("set", "timeout", "2s", *MALL)
    await cli.out("set", "conf", "a:\n  b: 1\n", "--type", "yaml", *MALL)
    for name, labels in (("all.yaml", ()), ("all.json", ()), ("mall.properties", MALL)):
        file = tmp_path / name
        assert await cli.out("export", str(file), *labels) == ""
        said = await cli.out("import", str(file), "--prune", *labels)
        assert said.startswith("0 added, 0 changed, 0 deleted, 2 unchanged, at revision "), name
        form = {"yaml": "yaml", "json": "kie", "properties": "properties"}[name.rpartition(".")[2]]
        assert await cli.out("export", "--format", form, *labels) == file.read_text(), "standard output is the file"
    assert json.loads((tmp_path / "all.json").read_text())["metadata"]["version"] == "1.0"
    assert (tmp_path / "mall.properties").read_text() == "# type yaml\nconf=a:\\n\\\n  \\  b: 1\\n\\\n  \ntimeout=2s\n"


async def test_a_dry_run_shows_the_difference_and_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    await cli.out("set", "timeout", "2s", *MALL)
    await cli.out("set", "conf", "a: 1\nb: 2\nc: 3\nd: 4\n", *MALL)
    await cli.out("set", "old", "x", *MALL)
    file = tmp_path / "all.yaml"
    await cli.out("export", str(file))
    text = file.read_text().replace("c: 3", "c: 5").replace("value: 2s", "type: json\n    value: '2'")
    text = text.replace("  - key: old\n", "  - key: new\n")
    file.write_text(text)
    shown = await cli.out("import", str(file), "--dry-run", "--prune", *MALL)
    assert [line.rstrip() for line in shown.splitlines()] == [
        "~ conf [app=mall environment=]",
        "    @@ -1,5 +1,5 @@",
        "      a: 1",
        "      b: 2",
        "    - c: 3",
        "    + c: 5",
        "      d: 4",
        "",
        "+ new [app=mall environment=]",
        "    + x",
        "~ timeout [app=mall environment=]",
        "    type: text -> json",
        "    - 2s",
        "    + 2",
        "- old [app=mall environment=]",
        "    - x",
        "1 added, 2 changed, 1 deleted, 0 unchanged; a dry run: nothing was changed",
    ]
    assert await cli.out("get", "timeout", *MALL) == "2s"
    assert "1 added, 2 changed, 1 deleted, 0 unchanged, at revision" in await cli.out("import", str(file), "--prune")
    assert await cli.out("get", "timeout", *MALL) == "2"
    assert "old" not in await cli.out("list")


async def test_import_refuses_with_line_and_column(cli: Cli, tmp_path: Path) -> None:
    said = await cli.fails(1, "import", "-", stdin="items:\n- key: a\n  lables: {}\n")
    assert said.startswith(
        "waggle: the engine refused: 400001 invalid parameter(s): the file does not parse: "
        "line 3, column 3: an item has no 'lables'"
    )
    said = await cli.fails(1, "import", "-", *MALL, stdin="items: []")
    assert "the labels of items are in a file of the format yaml" in said
    assert "properties files alone" in " ".join(
        (await cli.fails(2, "import", "-", "--no-environment", stdin="")).split()
    )
    assert "No such file" in await cli.fails(2, "import", str(tmp_path / "none"))
    await cli.out("import", "-", "--format", "properties", *MALL, stdin="a=1")
    said = await cli.fails(1, "import", "-", "--format", "properties", "--override", "abort", *MALL, stdin="a=2")
    assert "409001" in said
    said = await cli.out("import", "-", "--format", "properties", "--override", "skip", *MALL, stdin="a=2")
    assert said.startswith("0 added, 0 changed, 0 deleted, 1 unchanged")


async def test_an_export_that_cannot_be_written_is_an_error(cli: Cli, tmp_path: Path) -> None:
    assert "cannot be written" in await cli.fails(1, "export", str(tmp_path / "none" / "x.yaml"))


async def test_no_engine_is_one_line_and_status_3(cli: Cli) -> None:
    for words in (("list",), ("set", "a", "1"), ("export",), ("preview", *CART)):
        said = await cli.fails(3, *words, "--engine", "http://127.0.0.1:1")
        assert said == "waggle: no answer from the engine at http://127.0.0.1:1: nothing listens there\n"


async def test_another_domain_has_nothing(cli: Cli) -> None:
    await cli.out("set", "a", "1")
    assert await cli.json("list", "--domain", "acme") == []


async def test_nothing_is_cut_off_in_a_pipe_and_values_arrive_byte_for_byte(cli: Cli) -> None:
    value = "x" * 400 + "\x1b[2J\r\n"
    await cli.out("set", "long", "--file", "-", stdin=value)
    environ = {**os.environ, **cli.environ}
    environ.pop("COLUMNS")
    for words, wanted in ((("list",), ("x" * 400).encode()), (("get", "long"), value.encode())):
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, words[0], "--project", cli.project, *words[1:], stdout=asyncio.subprocess.PIPE, env=environ
        )
        async with asyncio.timeout(30):
            out, _ = await process.communicate()
        assert process.returncode == 0
        assert wanted in out
        assert b"\x1b[2J" not in out or words[0] == "get"


async def test_a_terminal_gets_short_lists_and_nothing_that_steers_it(cli: Cli) -> None:
    await cli.out("set", "long", "--file", "-", stdin="first \x1b[2J line\n\tsecond")
    shown = await asyncio.to_thread(_on_a_terminal, cli, "get", "long")
    assert shown.replace("\r", "").splitlines() == [r"first \x1b[2J line", "    second"]
    shown = await asyncio.to_thread(_on_a_terminal, cli, "list")
    assert r"first \x1b[2J line …" in shown
    assert "second" not in shown


def _on_a_terminal(cli: Cli, command: str, *words: str) -> str:
    """What a command writes where its standard output is a terminal."""
    leader, follower = pty.openpty()
    environ = {**os.environ, **cli.environ, "NO_COLOR": "1"}
    shown = b""
    with subprocess.Popen(
        [*_COMMAND, command, "--project", cli.project, *words], stdout=follower, env=environ
    ) as process:
        os.close(follower)
        with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
            while data := os.read(leader, 65536):
                shown += data
        assert process.wait(30) == 0
    os.close(leader)
    return shown.decode()


async def test_set_refuses_a_wrong_rule_and_tells_of_one_that_does_nothing(cli: Cli) -> None:
    said = await cli.fails(1, "set", "servicecomb.retry.a", "waitDuration: 500ms")
    assert "line 1, column 1: waitDuration is '500ms', which is no duration: write 500 or 0.5S" in said
    done = await cli.run("set", "servicecomb.circuitBreaker.a", "forceOpen: true")
    assert (done.exit_code, done.stdout.startswith("added ")) == (0, True)
    assert done.stderr.startswith("waggle: warning, line 1, column 1: forceOpen has no effect on a provider's breaker")
    lone = await cli.run("set", "servicecomb.retry.a", "maxAttempts: 2")
    assert "servicecomb.matchGroup.a is missing or wrong, so the policy never applies" in lone.stderr
    await cli.run("set", "servicecomb.matchGroup.a", "matches: [{method: [GET]}]")
    assert (await cli.run("set", "servicecomb.retry.a", "maxAttempts: 3")).stderr == ""


async def test_import_tells_of_a_rule_that_does_nothing(cli: Cli) -> None:
    done = await cli.run("import", "-", stdin="items:\n- key: servicecomb.timeLimiter.a\n  value: '{}'\n")
    assert (done.exit_code, done.stdout.startswith("+ servicecomb.timeLimiter.a [")) == (0, True)
    assert done.stderr.startswith(
        "waggle: servicecomb.timeLimiter.a: warning, line 1, column 1: no Java runtime applies"
    )
