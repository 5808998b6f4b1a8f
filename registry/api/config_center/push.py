"""Websockets that tell clients of changed items. Protocol: Config Center section B.6.

Old Java Chassis is told that something is new and pulls it. go-archaius takes the one frame that it understands for all there is, so it
gets all there is. Which of both a client is, its handshake says: Java Chassis names domain and environment, go-archaius neither.

A client is told where what it sees has changed since its handshake, and of no other change. Both kinds send pings, and the Java one takes
every frame of the engine's for JSON, so the engine sends none by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import orjson
import structlog

from registry.api.call import Call, Reply
from registry.api.config_center.asked import ENVIRONMENT, Asked, asked_of
from registry.api.config_center.views import View, Views
from registry.api.sockets import Socket, Sockets, text_frame
from registry.config.records import KeyValue, Labels
from registry.config.targets import Release
from registry.engine import Engine
from registry.engine.listening import Listener
from registry.ledger import Change

if TYPE_CHECKING:
    from aiohttp import web

_PULL = text_frame(b'{"action":"CREATE"}')
_JAVA_HEADERS = ("x-domain-name", ENVIRONMENT)
_MOST_FRAMES = 64

log = structlog.get_logger(__name__)


class Pushes:
    """Who listens to which label sets."""

    def __init__(self, engine: Engine, views: Views, sockets: Sockets) -> None:
        self._engine = engine
        self._views = views
        self._sockets = sockets
        self._listening: dict[tuple[str, Labels], set[asyncio.Event]] = {}
        self._frames: dict[tuple[str, str], bytes] = {}
        engine.stream.on_changes(self.publish)

    async def listen(self, call: Call) -> Reply | web.StreamResponse:
        """GET configuration/refresh/items: a websocket that tells of changed items."""
        asked = asked_of(call, call.query.get("dimensionsInfo", ""))
        # From before the handshake on: a client that is connected misses nothing.
        with self._registered(asked) as changed:
            seen = (await self._views.view(asked)).revision
            response = await self._sockets.accept(call)
            if isinstance(response, Reply):
                return response
            socket = self._sockets.socket_of(call.request, pinged=False)
            java = any(name in call.request.headers for name in _JAVA_HEADERS)
            try:
                async with asyncio.TaskGroup() as tasks:
                    pushing = tasks.create_task(self._push(asked, socket, changed, seen, java=java))
                    await self._sockets.attend(response, socket)
                    pushing.cancel()
            except* ConnectionError:
                log.debug("listener.gone")
        return response

    @contextlib.contextmanager
    def _registered(self, asked: Asked) -> Iterator[asyncio.Event]:
        changed = asyncio.Event()
        keys = [(asked.tenant, labels) for labels in _label_sets(asked)]
        for key in keys:
            self._listening.setdefault(key, set()).add(changed)
        try:
            yield changed
        finally:
            for key in keys:
                self._listening[key].discard(changed)
                if not self._listening[key]:
                    del self._listening[key]

    @contextlib.contextmanager
    def _waiting(self, asked: Asked) -> Iterator[None]:
        """It listens, and has been told all there is at the revision of now."""
        revision, place = self._engine.config.state.revision(asked.tenant), asked.place
        about = place.address, place.instance_id, str(revision)
        listener = Listener(asked.tenant, _label_sets(asked), True, "config-center", *about)
        self._engine.listening.begin(listener)
        try:
            yield
        finally:
            self._engine.listening.end(listener)

    def publish(self, changes: Sequence[Change]) -> None:
        """Wake those whose label sets the stored changes touch."""
        if not self._listening:
            return
        for change in changes:
            if isinstance(change.record, KeyValue | Release):
                for changed in self._listening.get((change.record.tenant, change.record.label_set), ()):
                    changed.set()

    async def _push(self, asked: Asked, socket: Socket, changed: asyncio.Event, seen: str, *, java: bool) -> None:
        while True:
            with self._waiting(asked):
                await changed.wait()
            changed.clear()
            view = await self._views.view(asked)
            if view.revision != seen:
                seen = view.revision
                self._sockets.publish(socket, _PULL if java else self._whole(asked, view))

    def _whole(self, asked: Asked, view: View) -> bytes:
        """The frame with all that a client sees, which many may see."""
        key = (str(asked.dimension), view.revision)
        frame = self._frames.get(key)
        if frame is None:
            if len(self._frames) >= _MOST_FRAMES:
                del self._frames[next(iter(self._frames))]
            value = orjson.dumps(view.merged()).decode()
            document = {"action": "UPDATE", "key": str(asked.dimension), "value": value}
            frame = self._frames[key] = text_frame(orjson.dumps(document))
        return frame


def _label_sets(asked: Asked) -> Sequence[Labels]:
    return [labels for level in asked.dimension.levels(asked.environment) for labels in level.label_sets]
