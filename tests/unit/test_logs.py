"""Logs: one event a line, on standard error, with nothing secret in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from registry.logs import configure

Read = Callable[[], list[str]]


@pytest.fixture
def read(capsys: pytest.CaptureFixture[str]) -> Iterator[Read]:
    """The lines logged since the last call; logging is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def lines() -> list[str]:
        return capsys.readouterr().err.splitlines()

    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_json_line_has_the_event_and_its_fields(read: Read) -> None:
    configure("info", "json")
    structlog.get_logger("registry.x").info("lease.lapsed", service="a\nb", count=2)
    (line,) = read()
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "lease.lapsed", "service": "a\nb", "count": 2, "level": "info", "logger": "registry.x"}


def test_auto_is_json_where_there_is_no_terminal(read: Read) -> None:
    configure("info", "auto")
    structlog.get_logger().info("ready")
    assert json.loads(read()[0])["event"] == "ready"


def test_other_libraries_log_through_the_same(read: Read) -> None:
    configure("info", "json")
    logging.getLogger("aiohttp.server").error("Error handling %s", "request")
    event = json.loads(read()[0])
    assert (event["event"], event["logger"], event["level"]) == ("Error handling request", "aiohttp.server", "error")


def test_what_is_less_severe_than_the_level_is_left_out(read: Read) -> None:
    configure("warning", "json")
    structlog.get_logger().info("no")
    logging.getLogger("aiohttp").info("no")
    structlog.get_logger().warning("yes")
    assert [json.loads(line)["event"] for line in read()] == ["yes"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets_are_masked_at_any_depth(read: Read, style: str) -> None:
    configure("info", style)
    headers = {"Authorization": "hidden", "Accept": "seen"}
    bodies = [{"currentPassword": "hidden"}, {"name": "seen"}]
    structlog.get_logger().info("call", headers=headers, bodies=bodies, access_token="hidden", Cookie="hidden")
    (line,) = read()
    assert "hidden" not in line
    assert line.count("seen") == 2
    assert line.count("********") == 4
    assert headers["Authorization"] == "hidden", "what the caller passed is left alone"


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_clients_text_cannot_forge_a_line_or_steer_the_terminal(read: Read, style: str) -> None:
    configure("info", style)
    logging.getLogger("aiohttp").error("bad path %s", "/\n2026 [info] forged \x1b[2J")
    structlog.get_logger().info("bad", path="/\r\nforged\x1b[2J")
    lines = read()
    assert len(lines) == 2
    assert not any("\x1b" in line for line in lines)
    assert all("forged" in line for line in lines)


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_shows_no_local_variables(read: Read, style: str) -> None:
    configure("info", style)
    try:
        _fail("hid" + "den")
    except ValueError:
        structlog.get_logger().exception("failed")
    text = "\n".join(read())
    assert "ValueError: broken" in text
    assert "_fail" in text
    assert "hidden" not in text


def _fail(secret: str) -> None:
    raise ValueError("broken" if secret else "")
