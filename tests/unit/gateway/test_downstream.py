"""A client's connection step by step: when it is let go, and what its bytes may cost."""

from __future__ import annotations

import asyncio
import time

import pytest

from governance.gateway.core import Core
from governance.gateway.downstream import ClientConnection
from tests.unit.gateway.test_core import config

LIMITS = "limits: {headTimeout: 1S, idleTimeout: 60S}"
GET = b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = b""
        self.ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See `asyncio.WriteTransport`."""
        self.written += bytes(data)

    def can_write_eof(self) -> bool:
        """See `asyncio.WriteTransport`."""
        return False

    def close(self) -> None:
        """See `asyncio.BaseTransport`."""
        self.ended = True


class Time:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Time:
    """The time of a test."""
    return Time()


@pytest.fixture
def wire() -> Wire:
    """What goes to the client."""
    return Wire()


@pytest.fixture
def client(clock: Time, wire: Wire) -> ClientConnection:
    """A client that has come just now."""
    made = ClientConnection(Core(config(LIMITS), clock=clock))
    made.connection_made(wire)
    return made


@pytest.mark.parametrize("asked_before", [False, True])
def test_the_time_of_a_head_begins_with_its_first_byte(
    client: ClientConnection, clock: Time, wire: Wire, *, asked_before: bool
) -> None:
    if asked_before:
        client.data_received(GET)
    clock.now += 50
    client.data_received(GET[:20])
    client.sweep(clock.now)
    clock.now += 0.9
    client.data_received(GET[20:25])
    client.sweep(clock.now)
    assert b" 408 " not in wire.written
    clock.now += 0.2
    client.sweep(clock.now)
    assert b" 408 " in wire.written


def test_a_head_behind_another_has_its_own_time(client: ClientConnection, clock: Time, wire: Wire) -> None:
    client.data_received(GET[:20])
    clock.now += 0.9
    client.data_received(GET[20:] + GET[:20])
    clock.now += 0.9
    client.sweep(clock.now)
    assert b" 408 " not in wire.written
    clock.now += 0.2
    client.sweep(clock.now)
    assert b" 408 " in wire.written


def test_empty_lines_before_a_request_cost_next_to_nothing(client: ClientConnection, wire: Wire) -> None:
    began = time.process_time()
    client.data_received(b"\r\n" * 131_072 + GET)
    assert time.process_time() - began < 0.1
    assert wire.written.startswith(b"HTTP/1.1 404 ")


def test_who_is_no_longer_trusted_is_not_believed_on_a_connection_that_stays(wire: Wire, clock: Time) -> None:
    trusting = config(LIMITS + "\ntrustedPeers: [127.0.0.0/8]")
    core = Core(trusting, clock=clock)
    client = ClientConnection(core)
    client.connection_made(wire)
    trusted = [client.peer.trusted]
    for each in (config(LIMITS), trusting):
        core.apply(each)
        trusted.append(client.peer.trusted)
    assert trusted == [True, False, True]
