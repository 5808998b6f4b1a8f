"""`waggle rule` against a real engine with the weathermap's services: rules are listed, checked, and tried before they are saved."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from registry.cli.app import app
from tests.engine import EngineProcess, client_of, running_engine

pytestmark = pytest.mark.asyncio(loop_scope="module")
APP = ("--app", "weathermap")
ROUTE = "servicecomb.routeRule.weather"
GRAY = """- precedence: 2
  match: { headers: { type: { exact: gray } } }
  route: [{ weight: 20, tags: { version: 0.0.3 } }, { weight: 80, tags: { version: 0.0.2 } }]
- precedence: 1
  route: [{ weight: 100, tags: { version: 0.0.2 } }]
"""
CHASSIS = {"name": "servicecomb-java-chassis", "version": "ServiceComb:2.7.9"}
FILE = """items:
  - key: servicecomb.matchGroup.a
    labels: { app: weathermap, environment: "" }
    value: |
      matches:
        - apiPath: { prefix: "/" }
          method: [get]
  - key: servicecomb.retry.a
    labels: { app: weathermap, environment: "" }
    value: "maxAttempts: 2\\nwaitDuration: 5ms"
  - key: servicecomb.bulkhead.a
    labels: { app: weathermap, environment: "" }
    value: 'maxConcurrentCalls: x'
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """One engine for all tests of the module, which keep apart by their domain."""
    async with running_engine(tmp_path_factory.mktemp("engine") / "data") as started:
        yield started


class Cli:
    """Runs `waggle` in one domain of an engine."""

    def __init__(self, url: str, domain: str) -> None:
        self.environ = {"COLUMNS": "500", "WAGGLE_ENGINE": url, "TZ": "UTC"}
        self.domain = domain

    async def run(self, group: str, command: str, *words: str) -> Result:
        """A finished command; it runs on a thread, with an event loop of its own."""
        arguments = [group, command, "--domain", self.domain, *words]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=self.environ)

    async def rule(self, *words: str, status: int = 0) -> str:
        """The output of `waggle rule`."""
        done = await self.run("rule", *words)
        assert done.exit_code == status, f"{words}: {done.exit_code} {done.output}"
        return done.stdout

    async def json(self, *words: str) -> Any:
        """What `waggle rule` prints with --json."""
        return json.loads(await self.rule(*words, "--json"))

    async def set(self, key: str, value: str, *labels: str) -> None:
        """Store a rule, whatever is wrong with it."""
        done = await self.run("config", "set", *APP, "--force", *labels, "--", key, value)
        assert done.exit_code == 0, done.output


@pytest_asyncio.fixture(loop_scope="module")
async def cli(engine: EngineProcess) -> Cli:
    """The command in a domain with the weathermap's services."""
    domain = f"d{uuid.uuid4().hex[:8]}"
    async with client_of(engine.url, domain) as registry:
        for name, version in (("weather", "0.0.2"), ("weather", "0.0.3"), ("fusionweather", "0.0.1")):
            service = await registry.service(name, version=version, appId="weathermap", framework=CHASSIS)
            await registry.instance(service)
    return Cli(engine.url, domain)


def rows(table: str) -> list[list[str]]:
    """The cells of printed tables without their heads."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in table.splitlines() if "│" in line]


# --- explain


async def test_a_gray_release_is_explained_by_header_and_share(cli: Cli) -> None:
    await cli.set(ROUTE, GRAY)
    await cli.set("servicecomb.matchGroup.every", "matches: [{name: all, apiPath: {prefix: /}}]")
    await cli.set("servicecomb.rateLimiting.every", "rate: 10", "--service", "weather")
    shown = await cli.rule("explain", "weather", "--from", "fusionweather", "--header", "type=gray", "--path", "/show")
    assert shown.startswith("GET /show from fusionweather 0.0.1 to weather, app weathermap, at revision ")
    cells = rows(shown)
    assert [row[0] for row in cells] == ["applies", "skipped", "20 %", "80 %", "applies"]
    assert cells[0][1:5] == [
        "routeRule",
        "weather",
        "precedence 2: 20 % version=0.0.3, 80 % version=0.0.2",
        "all that it asks for holds",
    ]
    assert cells[0][5].startswith(f"{ROUTE} [app=weathermap environment=] revision ")
    assert (cells[2][1], cells[3][1]) == ("0.0.3", "0.0.2")
    assert cells[4][1:5] == ["rateLimiting", "every", "rate: 10", "match 1 (all) of its group holds"]
    assert "at the provider weather 0.0.3, 0.0.2" in shown
    plain = rows(await cli.rule("explain", "weather", "--from", "fusionweather"))
    assert [row[0] for row in plain] == ["skipped", "applies", "100 %", "applies"]
    assert plain[0][4] == "the header type is missing, asked for is exact gray"


async def test_a_draft_is_tried_from_a_file_and_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    await cli.set(ROUTE, GRAY)
    file = tmp_path / "rule.yaml"
    file.write_text("- route: [{ weight: 100, tags: { version: 0.0.3 } }]\n", encoding="utf-8")
    words = ("explain", "weather", "--from", "fusionweather", "--draft", f"{ROUTE}=@{file}")
    tried = await cli.json(*words)
    assert [(one["share"], one["instances"][0]["version"]) for one in tried["routing"]["outcomes"]] == [
        (100.0, "0.0.3")
    ]
    cells = rows(await cli.rule(*words))
    assert cells[0][5] == f"{ROUTE} [app=weathermap environment=] draft, line 1"
    narrow = await cli.json(*words, "--draft-label", "service=fusionweather")
    assert narrow["routing"]["rules"][0]["item"]["labels"] == {
        "app": "weathermap", "environment": "", "service": "fusionweather",
    }  # fmt: skip
    assert rows(await cli.rule("explain", "weather", "--from", "fusionweather"))[1][0] == "applies"


async def test_a_draft_with_an_error_is_told_with_its_place(cli: Cli) -> None:
    await cli.set(ROUTE, GRAY)
    done = await cli.run(
        "rule",
        "explain",
        "weather",
        "--from",
        "fusionweather",
        "--draft",
        f"{ROUTE}=- route: [{{weight: 1O0, tags: {{a: b}}}}]",
    )
    assert done.exit_code == 0
    assert (
        f"waggle: draft {ROUTE}: error, line 1, column 12: weight is '1O0', which is not a whole number" in done.stderr
    )
    assert [row[0] for row in rows(done.stdout)][:2] == ["wrong", "100 %"], "as if there were no rule"


async def test_a_degraded_service_is_never_called(cli: Cli) -> None:
    await cli.set("servicecomb.fallback.Consumer.weather.force", "true", "--service", "fusionweather")
    await cli.set("servicecomb.fallbackpolicy.Consumer.weather.policy", "returnnull", "--service", "fusionweather")
    shown = await cli.rule("explain", "weather", "--from", "fusionweather")
    assert "weather is never called: it is degraded" in shown
    assert [row[3] for row in rows(shown)][:2] == ["force = true", "policy = returnnull"]


async def test_explain_says_what_it_cannot_do(cli: Cli) -> None:
    done = await cli.run("rule", "explain", "weather", "--from", "fusionweather", "--header", "gray")
    assert (done.exit_code, "--header 'gray' is not NAME=VALUE" in " ".join(done.stderr.split())) == (2, True)
    refused = await cli.run("rule", "explain", "weather", "--from", "fusionweather", "--operation", "x")
    assert (refused.exit_code, "schema.operation is expected" in refused.stderr) == (1, True)
    nobody = await cli.rule("explain", "nosuch", "--from", "nobody")
    assert "at the consumer nobody, which is not registered: no rule" in nobody
    assert "goes to nobody: no instance is up" in nobody


# --- list


async def test_rules_are_listed_with_their_state(cli: Cli) -> None:
    await cli.set("timeout", "2s")
    await cli.set("servicecomb.retry.bad", "waitDuration: 500ms")
    await cli.set("servicecomb.retry.lone", "maxAttempts: 2")
    await cli.set(ROUTE, "- route: [{weight: 100, tags: {version: 0.0.2}}]")
    await cli.set("servicecomb.bulkhead.other", "maxConcurrentCalls: x", "--app", "shop")
    found = rows(await cli.rule("list", *APP))
    assert [row[:4] for row in found] == [
        ["error", "retry", "bad", "app=weathermap environment="],
        ["warning", "retry", "lone", "app=weathermap environment="],
        ["in order", "routeRule", "weather", "app=weathermap environment="],
    ]
    assert found[0][-1].startswith("error, line 1, column 1: waitDuration is '500ms'")
    assert found[1][-1].startswith("warning, line 1, column 1: servicecomb.matchGroup.lone is missing")
    listed = await cli.json("list")
    assert [(row["kind"], row["name"], row["state"]) for row in listed] == [
        ("bulkhead", "other", "error"),
        ("retry", "bad", "error"),
        ("retry", "lone", "warning"),
        ("routeRule", "weather", "ok"),
    ]


async def test_an_invalid_rule_is_red_in_both_lists(cli: Cli) -> None:
    await cli.set("servicecomb.retry.bad", "waitDuration: 500ms")
    cli.environ |= {"FORCE_COLOR": "1"}
    for listing in (await cli.run("config", "list", *APP), await cli.run("rule", "list", *APP)):
        assert "\x1b[31m" in listing.stdout
        assert "waitDuration is '500ms'" in listing.stdout


# --- check


async def test_a_file_is_checked_without_an_engine(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(FILE, encoding="utf-8")
    offline = Cli("http://127.0.0.1:9", "nobody")
    done = await offline.run("rule", "check", str(file))
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{file}:5:7: warning: no policy has this name, so the group does nothing: add servicecomb.retry.a, or another kind",
        f"{file}:7:20: warning: no request has the method 'get': write GET",
        f"{file}:8:5: error: servicecomb.retry.a, line 2, column 1: waitDuration is '5ms', which is no duration: write 5 or 0.005S",
        f"{file}:13:13: error: maxConcurrentCalls is 'x', which is not a whole number: write a whole number",
    ]
    assert done.stderr == "3 checked, 2 errors, 2 warnings\n"
    good = await offline.run("rule", "check", "servicecomb.bulkhead.a=rate", "servicecomb.matchGroup.a=matches: [{}]")
    assert (good.exit_code, good.stdout.startswith("servicecomb.bulkhead.a:1:1: error: ")) == (1, True)
    assert await offline.rule("check", "servicecomb.fallback.Consumer.a.force=true") == ""
    slip = await offline.rule("check", "servcecomb.retry.a=maxAttempts: 1")
    assert slip.startswith("servcecomb.retry.a:1:1: warning: servcecomb.retry.a is the key of no rule: write ")
    near = await offline.rule("check", "servicecomb.ratelimiting.a=rate: 1")
    assert (
        near
        == "servicecomb.ratelimiting.a:1:1: warning: ratelimiting is no kind of rule: write servicecomb.rateLimiting.\n"
    )


async def test_rules_are_checked_with_what_is_registered(cli: Cli, tmp_path: Path) -> None:
    await cli.set("servicecomb.matchGroup.a", "matches: [{method: [GET]}]")
    rule = tmp_path / "v.yaml"
    rule.write_text("- route:\n  - { weight: 100, tags: { version: 9 } }\n", encoding="utf-8")
    words = ("check", "servicecomb.retry.a=maxAttempts: 1", f"{ROUTE}=@{rule}", *APP)
    alone = await cli.rule(*words)
    missing = "servicecomb.matchGroup.a is missing or wrong, so the policy never applies"
    assert alone == f"servicecomb.retry.a:1:1: warning: {missing}: add servicecomb.matchGroup.a\n"
    known = await cli.rule(*words, "--registered")
    assert [line.partition(" warning: ")[0] for line in known.splitlines()] == [f"{rule}:2:20:"]
    assert "no instance has version=9" in known
    fault = await cli.json("check", "servicecomb.faultInjection.a=percentage: 1", *APP, "--registered")
    assert [(one["code"], "2.7.9" in one["text"]) for one in fault] == [("unsupported", True)]


async def test_files_that_do_not_read_and_items_that_are_there_twice_are_errors(tmp_path: Path) -> None:
    offline = Cli("http://127.0.0.1:9", "nobody")
    broken = tmp_path / "broken.yaml"
    broken.write_text("items:\n  - key: [\n", encoding="utf-8")
    assert f"{broken}:3:1: error: " in await offline.rule("check", str(broken), status=1)
    twice = tmp_path / "twice.yaml"
    twice.write_text("items:\n  - key: a\n    value: x\n  - key: a\n    value: y\n", encoding="utf-8")
    assert await offline.rule("check", str(twice), status=1) == (
        f"{twice}:4:5: error: a is there twice with the same labels: first at {twice}:2\n"
    )
    typed = tmp_path / "typed.yaml"
    typed.write_text("items:\n  - key: a\n    type: json\n    value: |\n      {\n       'b'\n", encoding="utf-8")
    assert await offline.rule("check", str(typed), status=1) == (
        f"{typed}:6:8: error: as json, unexpected character, expected a string key\n"
    )
    assert "No such file" in (await offline.run("rule", "check", str(tmp_path / "none"))).stderr
