"""Discovery: what is believed, what is kept, and how often the engine is asked."""

from __future__ import annotations

import asyncio
import logging

import pytest

from governance.sdk.calls import Answer, EngineError, EngineUnavailableError
from governance.sdk.discovery import Discovery
from governance.sdk.model import Instance
from governance.sdk.settings import ServiceSettings
from tests.unit.sdk.fakes import AWAY, GONE, Engine, Time, found, running, settle


class Consumer:
    """A registered service that uses others."""

    def __init__(self, **settings: object) -> None:
        self.time = Time()
        self.engine = Engine()
        self.id = "me"
        self.forgotten = 0
        known = ServiceSettings(name="consumer", app="shop", **settings)  # type: ignore[arg-type]
        self.discovery = Discovery(self.engine, known, lambda: self.id, self._forget, self.time.clock)  # type: ignore[arg-type]

    def _forget(self) -> None:
        self.forgotten += 1
        self.discovery.doubt()

    async def names(self, service: str = "cart") -> list[str]:
        return [instance.instance_id for instance in await self.discovery.instances(service)]


async def test_the_first_question_waits_for_the_engine_and_the_next_does_not() -> None:
    consumer = Consumer()
    consumer.engine.says["find"] = found("b", "a")
    assert await consumer.names() == ["a", "b"], "in a steady order"
    assert await consumer.names() == ["a", "b"]
    assert consumer.engine.calls == [("find", "me", "shop", "cart", "")]
    other = await consumer.discovery.instances("cart", "mall")
    assert other[0].app == "mall"
    assert consumer.engine.calls[-1] == ("find", "me", "mall", "cart", "")


async def test_many_first_questions_are_one_call() -> None:
    consumer = Consumer()
    consumer.engine.says["find"] = found("a")
    answers = await asyncio.gather(*(consumer.names() for _ in range(50)))
    assert answers == [["a"]] * 50
    assert len(consumer.engine.calls) == 1


async def test_pulls_say_which_revision_is_known() -> None:
    consumer = Consumer(pull_interval=7)
    consumer.engine.says["find"] = found("a", revision="r1")
    await consumer.names()
    async with running(consumer.discovery.pull_regularly(consumer.time.pause)):
        consumer.engine.says["find"] = Answer(304, {}, "r1")
        await consumer.time.pass_(7)
        assert await consumer.names() == ["a"]
        consumer.engine.says["find"] = found("a", "b", revision="r2")
        await consumer.time.pass_(7)
        assert await consumer.names() == ["a", "b"]
        await consumer.time.pass_(7)
    assert [call[3] for call in consumer.engine.calls_of("find")] == ["", "r1", "r1", "r2"]


@pytest.mark.parametrize("trouble", [AWAY, EngineError(503, "", "", ""), Answer(200, {"instances": "?"}, "r2")])
async def test_the_last_known_list_is_kept_while_the_engine_is_away_or_in_trouble(trouble: object) -> None:
    consumer = Consumer()
    consumer.engine.says["find"] = found("a")
    await consumer.names()
    async with running(consumer.discovery.pull_regularly(consumer.time.pause)):
        consumer.engine.says["find"] = trouble
        await consumer.time.pass_(3600)
        assert await consumer.names() == ["a"]


async def test_where_nothing_is_known_the_reason_is_told() -> None:
    consumer = Consumer()
    consumer.engine.says["find"] = AWAY
    with pytest.raises(EngineUnavailableError):
        await consumer.names()
    consumer.engine.says["find"] = EngineError(400, "400001", "bad name", "")
    with pytest.raises(EngineError, match="bad name"):
        await consumer.names()
    consumer.engine.says["find"] = found("a")
    assert await consumer.names() == ["a"]


@pytest.mark.parametrize("nobody", [GONE, found()])
async def test_a_list_becomes_empty_when_the_engine_says_so(nobody: object) -> None:
    consumer = Consumer()
    consumer.engine.says["find"] = found("a")
    await consumer.names()
    async with running(consumer.discovery.pull_regularly(consumer.time.pause)):
        consumer.engine.says["find"] = nobody
        await consumer.time.pass_(30)
        assert await consumer.names() == []
    assert consumer.forgotten == 0


@pytest.mark.parametrize("nobody", [GONE, found()])
async def test_with_empty_protection_a_list_never_becomes_empty(nobody: object) -> None:
    consumer = Consumer(empty_protection=True)
    consumer.engine.says["find"] = found("a")
    await consumer.names()
    async with running(consumer.discovery.pull_regularly(consumer.time.pause)):
        consumer.engine.says["find"] = nobody
        await consumer.time.pass_(3600)
        assert await consumer.names() == ["a"]
        consumer.engine.says["find"] = found("b")
        await consumer.time.pass_(30)
        assert await consumer.names() == ["b"]


async def test_nobody_is_asked_for_again_at_most_once_a_second() -> None:
    consumer = Consumer()
    consumer.engine.says["find"] = GONE
    for _ in range(5):
        assert await consumer.names() == []
    assert len(consumer.engine.calls_of("find")) == 1
    await consumer.time.pass_(1)
    consumer.engine.says["find"] = found("a")
    assert await consumer.names() == ["a"], "a provider that comes is found by the next call, not at the next interval"


async def test_an_engine_that_forgot_the_consumer_empties_nothing() -> None:
    """The protocol has one code for an unknown provider and an unknown consumer."""
    consumer = Consumer(heartbeat_interval=30, heartbeat_times=3)
    consumer.engine.says["find"] = found("a")
    await consumer.names()
    async with running(consumer.discovery.pull_regularly(consumer.time.pause)):
        consumer.engine.says |= {"find": GONE, "knows_service": False}
        await consumer.time.pass_(30)
        assert consumer.forgotten == 1
        assert await consumer.names() == ["a"]
        # Registered again; the provider has not yet noticed that it was forgotten too.
        consumer.engine.says |= {"find": found(), "knows_service": True}
        await consumer.time.pass_(90)
        assert await consumer.names() == ["a"]
        revisions = [call[3] for call in consumer.engine.calls_of("find")]
        assert revisions == ["", "r1", "", "", "", ""], "a revision of the engine's former life means nothing"
        await consumer.time.pass_(60)
        assert await consumer.names() == [], "after a lease, what the engine says counts again"


async def test_a_forgotten_consumer_still_finds_what_it_never_asked_for() -> None:
    consumer = Consumer()

    async def find(consumer_id: str, *_: str) -> Answer:
        if consumer_id:
            raise GONE
        return found("a")

    consumer.engine.find = find  # type: ignore[assignment, method-assign]
    consumer.engine.says["knows_service"] = False
    assert await consumer.names() == ["a"]
    assert consumer.forgotten == 1


async def test_listeners_hear_every_change_and_the_first_list() -> None:
    consumer = Consumer()
    heard: list[list[str]] = []
    consumer.engine.says["find"] = found("a")
    async with running(consumer.discovery.pull_wanted(consumer.time.pause)):
        consumer.discovery.on_change("cart", lambda now: heard.append([each.instance_id for each in now]))
        await settle()
        assert heard == [["a"]], "to listen is to use"
        consumer.discovery.want("shop", "cart")
        await settle()
        assert heard == [["a"]], "the same list is no change"
        consumer.engine.says["find"] = found("a", "b")
        consumer.discovery.want("shop", "cart")
        await settle()
        assert heard == [["a"], ["a", "b"]]
        late: list[tuple[Instance, ...]] = []
        consumer.discovery.on_change("cart", late.append)
        assert len(late) == 1, "what is known is told at once"


async def test_a_listener_that_fails_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    consumer = Consumer()
    heard: list[int] = []
    consumer.discovery.on_change("cart", lambda now: heard.append(1 // (2 - len(now))))
    consumer.discovery.on_change("cart", lambda now: heard.append(100 + len(now)))
    consumer.engine.says["find"] = found("a", "b")
    assert await consumer.names() == ["a", "b"]
    assert heard == [102]
    assert "discovery.listener_failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_only_what_is_in_use_is_asked_for() -> None:
    consumer = Consumer()
    async with running(consumer.discovery.pull_wanted(consumer.time.pause)):
        consumer.discovery.want("shop", "stranger")
        await settle()
        assert consumer.engine.calls == []
        await consumer.names("cart")
        await consumer.names("till")
        consumer.engine.calls.clear()
        consumer.discovery.want_all()
        await settle()
        assert [call[2] for call in consumer.engine.calls_of("find")] == ["cart", "till"]


async def test_a_burst_of_events_is_at_most_two_pulls() -> None:
    consumer = Consumer()
    consumer.engine.says["find"] = found("a")
    await consumer.names()
    consumer.engine.calls.clear()
    async with running(consumer.discovery.pull_wanted(consumer.time.pause)):
        for _ in range(100):
            consumer.discovery.want("shop", "cart")
        await asyncio.sleep(0)
        for _ in range(100):
            consumer.discovery.want("shop", "cart")
        await settle()
    assert len(consumer.engine.calls) <= 2


async def test_what_could_not_be_pulled_is_pulled_when_the_engine_is_back() -> None:
    consumer = Consumer()
    consumer.engine.says["find"] = found("a")
    await consumer.names()
    async with running(consumer.discovery.pull_wanted(consumer.time.pause)):
        consumer.engine.says["find"] = AWAY
        consumer.discovery.want("shop", "cart")
        await consumer.time.pass_(20)
        assert consumer.time.pauses == [5.0] * 5
        consumer.engine.says["find"] = found("b")
        await consumer.time.pass_(5)
        assert await consumer.names() == ["b"]


async def test_logs_go_to_the_applications_logging_and_nowhere_else(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    consumer = Consumer()
    consumer.engine.says["find"] = found("a")
    with caplog.at_level(logging.INFO):
        await consumer.names()
    assert caplog.records[-1].getMessage() == "event='discovery.changed' service='cart' instances=1"
    assert caplog.records[-1].name == "governance.sdk.discovery"
    assert capsys.readouterr() == ("", "")
