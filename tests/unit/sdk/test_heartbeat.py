"""Heartbeats: their rhythm, batches, and who is lost."""

from __future__ import annotations

import pytest

from governance.sdk.calls import EngineError
from governance.sdk.heartbeat import Heartbeats
from governance.sdk.registration import Registered
from tests.unit.sdk.fakes import AWAY, FORGOTTEN, GONE, Engine, Time, running

ONE, TWO, THREE = Registered("s1", "i1"), Registered("s1", "i2"), Registered("s2", "i3")


class Process:
    """One process with its heartbeats; `lost` has the instances that the engine forgot."""

    def __init__(self) -> None:
        self.time = Time()
        self.engine = Engine()
        self.heartbeats = Heartbeats(self.time.clock)
        self.lost: list[Registered] = []

    def joins(self, member: Registered, interval: float = 30, engine: Engine | None = None):  # type: ignore[no-untyped-def]
        self.heartbeats.add(engine or self.engine, member, interval, lambda: self.lost.append(member))  # type: ignore[arg-type]
        return self.heartbeats.run(member, self.time.pause)


async def test_one_instance_beats_at_once_and_at_each_interval() -> None:
    process = Process()
    async with running(process.joins(ONE)):
        assert process.engine.calls == [("heartbeat", "s1", "i1")]
        await process.time.pass_(29)
        assert len(process.engine.calls) == 1
        await process.time.pass_(61)
        assert len(process.engine.calls) == 4


async def test_the_instances_of_a_process_fall_into_step_and_share_a_call() -> None:
    process = Process()
    async with running(process.joins(ONE)):
        await process.time.pass_(10)
        async with running(process.joins(TWO)):
            await process.time.pass_(10)
            async with running(process.joins(THREE)):
                process.engine.calls.clear()
                await process.time.pass_(300)
    assert {call[0] for call in process.engine.calls} == {"heartbeats"}, "never one alone"
    assert 10 <= len(process.engine.calls) <= 11, "one call an interval, whoever makes it"
    assert process.engine.calls[-1] == ("heartbeats", [("s1", "i1"), ("s1", "i2"), ("s2", "i3")])


async def test_the_shortest_interval_is_kept() -> None:
    process = Process()
    async with running(process.joins(ONE, 30), process.joins(TWO, 5)):
        process.engine.calls.clear()
        await process.time.pass_(60)
    beats = [pair for call in process.engine.calls for pair in (call[1] if call[0] == "heartbeats" else [call[1:]])]
    assert beats.count(("s1", "i2")) == 12
    assert 2 <= beats.count(("s1", "i1")) <= 4


async def test_instances_of_different_engines_do_not_share_calls() -> None:
    process, other = Process(), Engine()
    other.scope = "other"
    async with running(process.joins(ONE), process.joins(TWO, engine=other)):
        await process.time.pass_(60)
    assert set(process.engine.calls) == {("heartbeat", "s1", "i1")}
    assert set(other.calls) == {("heartbeat", "s1", "i2")}


async def test_one_that_leaves_takes_nobody_with_it() -> None:
    process = Process()
    async with running(process.joins(TWO)):
        async with running(process.joins(ONE)):
            await process.time.pass_(31)
            process.heartbeats.remove(ONE)
        process.engine.calls.clear()
        await process.time.pass_(60)
    assert process.engine.calls == [("heartbeat", "s1", "i2")] * 2


@pytest.mark.parametrize("error", [FORGOTTEN, GONE])
async def test_an_instance_that_the_engine_forgot_is_lost_at_once_and_once(error: EngineError) -> None:
    process = Process()
    async with running(process.joins(ONE)):
        process.engine.says["heartbeat"] = error
        await process.time.pass_(300)
    assert process.lost == [ONE]
    assert len(process.engine.calls) == 2, "a lost instance beats no more"


async def test_in_a_batch_only_the_forgotten_is_lost() -> None:
    process = Process()
    async with running(process.joins(ONE), process.joins(TWO)):
        process.engine.says["heartbeats"] = frozenset({("s1", "i2")})
        await process.time.pass_(30)
        assert process.lost == [TWO]
        process.engine.calls.clear()
        await process.time.pass_(30)
    assert process.engine.calls == [("heartbeat", "s1", "i1")]


async def test_an_engine_that_is_away_or_in_trouble_loses_nobody_and_is_asked_again_soon() -> None:
    process = Process()
    async with running(process.joins(ONE)):
        for trouble in (AWAY, EngineError(503, "500011", "busy", "")):
            process.engine.says["heartbeat"] = trouble
            await process.time.pass_(30)
            process.engine.calls.clear()
            await process.time.pass_(100)
            assert len(process.engine.calls) == 20, "every 5 s"
        assert process.lost == []
        process.engine.says.clear()
        await process.time.pass_(5)
        process.engine.calls.clear()
        await process.time.pass_(60)
        assert len(process.engine.calls) == 2, "the usual interval again"


async def test_an_instance_that_is_refused_three_times_in_a_row_is_lost() -> None:
    process = Process()
    async with running(process.joins(ONE)):
        process.engine.says["heartbeat"] = EngineError(400, "400001", "no", "")
        await process.time.pass_(35)
        process.engine.says.clear()
        await process.time.pass_(35)
        assert process.lost == [], "twice is not yet enough"
        process.engine.says["heartbeat"] = EngineError(400, "400001", "no", "")
        await process.time.pass_(45)
        assert process.lost == [ONE]
