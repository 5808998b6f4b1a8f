"""The hot path of the config centre: lists, long polls and creates answered on the connection itself. See registry/api/hot.py.

What a client asks is remembered by its request line without the number after `revision=`, which is all that changes in it. As everywhere on
the hot path, only a line that the long way has answered is known, and what is answered is what the long way answers, byte for byte.
A poll that waits is a callback and a timer, and a change costs one write for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from registry.access import Mode
from registry.api.gate import error_reply
from registry.api.hot import LATER, REVISION, line_of
from registry.api.kie import shapes
from registry.api.kie.bodies import JSON_TYPE, YAML_TYPE, in_our_words, reply
from registry.api.kie.keyvalues import LONGEST_WAIT, NOT_MODIFIED, is_news, listed
from registry.api.kie.parameters import query_of, revision_of, wait_of
from registry.api.shapes import decode, parse
from registry.config.releases import listing_seen_by
from registry.config.state import Topic
from registry.engine.askers import Choice, Place
from registry.errors import ConfigError, Refusal, RegistryError

if TYPE_CHECKING:
    import asyncio

    from registry.api.call import Call
    from registry.api.door.verdicts import Verdict
    from registry.api.heads import Head
    from registry.api.hot import Asker, HotPath, Wire
    from registry.api.kie.polling import Pollers
    from registry.engine import Engine

_PATH = "/v1/:project/kie/kv"
_LONGEST_LINE = 2048
_LARGEST_FORM = 2**20


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a line asks for: the topic, and how many seconds it is ready to wait."""

    topic: Topic
    seconds: float | None


class HotConfig:
    """The memos, at most `size` lines."""

    def __init__(self, hot: HotPath, engine: Engine, pollers: Pollers, *, size: int) -> None:
        self._hot = hot
        self._engine = engine
        self._pollers = pollers
        self._size = size
        self._lists: dict[bytes, _Asked] = {}
        self._creates: dict[bytes, str] = {}
        self._unchanged = hot.wire(NOT_MODIFIED)
        hot.served |= {"config-list": 0, "config-poll": 0, "config-create": 0}

    @property
    def entries(self) -> int:
        """How many lines are remembered."""
        return len(self._lists) + len(self._creates)

    def learn(self, call: Call) -> None:
        """Remember the line of a request that was answered well, where it is one that repeats."""
        line = line_of(call)
        if call.route.path != _PATH or len(line) > _LONGEST_LINE:
            return
        self._hot.learn_verdict(call)
        if self.entries >= self._size:
            self._lists.clear()
            self._creates.clear()
        if call.route.method == "POST":
            if not self._engine.config.check_values:  # that takes a thread
                self._creates[line] = call.tenant
        elif call.route.method == "GET":
            self._learn_list(call, line)

    def _learn_list(self, call: Call, line: bytes) -> None:
        query, known = query_of(call), revision_of(call)
        numbers = [int(number) for number in REVISION.findall(line)]
        if query.plain and numbers == ([] if known is None else [known]):
            self._lists[REVISION.sub(b"", line)] = _Asked(query.topic, wait_of(call))

    def answer(self, line: bytes, data: bytes, end: int, asker: Asker) -> Wire | None:
        """The answer to a whole request that is known; nothing, if it must take the long way; or `LATER`, to be given to the asker."""
        tenant = self._creates.get(line)
        if tenant is not None:
            return self._with_body(tenant, data, end, asker)
        number = REVISION.search(line)
        asked = self._lists.get(line if number is None else line[: number.start()] + line[number.end() :])
        head = self._hot.head(data[end:]) if asked is not None else None
        if asked is None or head is None or head.length:
            return None
        return self._list(asked, None if number is None else int(number[0]), head, asker)

    def _list(self, asked: _Asked, known: int | None, head: Head, asker: Asker) -> Wire | None:
        current = self._engine.config.state.revision(asked.topic.tenant)
        if not is_news(known, current, waits=asked.seconds is not None):
            return self._wait(asked.topic, asked.seconds, known, head, asker)
        self._hot.served["config-list"] += 1
        if self._engine.committer.pending is None:
            return self._dated(self._form(asked.topic, head, asker))
        self._give_when_stored(asked.topic, head, asker)
        return LATER

    def _wait(self, topic: Topic, seconds: float | None, known: int | None, head: Head, asker: Asker) -> Wire | None:
        if seconds is None or seconds <= 0:
            self._hot.served["config-list"] += 1
            return self._dated(self._unchanged)

        verdict = self._hot.verdict

        def tell(changed: bool) -> None:
            if not self._may_stay(verdict):
                asker.cut()
            elif changed:
                self._give_when_stored(topic, head, asker)
            else:
                asker.answer_later(self._dated(self._unchanged))

        try:
            who = asker.remote, "", known
            wait = self._pollers.begin(topic, seconds, tell, who) if seconds <= LONGEST_WAIT else None
        except ConfigError:
            wait = None
        if wait is None:
            return None  # the long way says why not
        asker.when_lost = lambda: self._pollers.leave(wait)
        self._hot.served["config-poll"] += 1
        return LATER

    def _may_stay(self, verdict: Verdict | None) -> bool:
        """Whether one who has waited may be answered still: access may have been turned on, or taken from it."""
        if self._engine.access.mode is Mode.OFF:
            return True
        return verdict is not None and verdict.still_holds()

    def _give_when_stored(self, topic: Topic, head: Head, asker: Asker) -> None:
        """Look, and answer once what was seen is stored; where it was taken back, look again."""
        form = self._form(topic, head, asker)
        pending = self._engine.committer.pending
        if pending is None:
            asker.answer_later(self._dated(form))
            return

        def decided(done: asyncio.Future[None]) -> None:
            if done.cancelled() or done.exception() is not None:
                self._give_when_stored(topic, head, asker)
            else:
                asker.answer_later(self._dated(form))

        pending.add_done_callback(decided)

    def _form(self, topic: Topic, head: Head, asker: Asker) -> tuple[bytes, bytes]:
        """The answer to a list, which all who ask at one revision share, but those whom a gradual release is for."""
        state = self._engine.config.state
        listing, revision = state.listing(topic), state.revision(topic.tenant)
        releases = state.table(topic.tenant).releases
        if releases:
            place = Place(topic.tenant, asker.remote, "", dict(topic.labels))
            listing = listing_seen_by(releases, listing, Choice(self._engine.catalog, place))
        form = listing.forms.get((revision, head.gzip))
        if form is None:
            form = self._hot.wire(listed(revision, listing.body), compress=head.gzip)
            if len(listing.forms) > 1:
                listing.forms.clear()
            if len(listing.body) <= _LARGEST_FORM:
                listing.forms[revision, head.gzip] = form
        return form

    def _with_body(self, tenant: str, data: bytes, end: int, asker: Asker) -> Wire | None:
        split = data.find(b"\r\n\r\n", end) + 4
        head, body = self._hot.head(data[end:split]), data[split:]
        if head is None or head.length != len(body) or head.accept == YAML_TYPE.encode():
            return None
        if head.content_type.partition(b";")[0].strip().lower() != JSON_TYPE.encode():
            return None
        return self._create(tenant, head, body, asker)

    def _create(self, tenant: str, head: Head, body: bytes, asker: Asker) -> Wire | None:
        engine, author = self._engine, self._hot.author(asker)
        try:
            draft = shapes.draft_of(decode(shapes.KEY_VALUE, parse(body)))
            created, stored = engine.begin(lambda: engine.config.keys.create(tenant, draft, engine.now()), author)
        except Refusal:
            return None  # the long way says why

        def acknowledge(done: asyncio.Future[None]) -> None:
            failure = RegistryError(500011, "the engine is stopping") if done.cancelled() else done.exception()
            refused = error_reply(in_our_words(failure)) if isinstance(failure, RegistryError) else None
            asker.answer_later(self._hot.dated(refused or reply(created.encoded), compress=head.gzip))

        assert stored is not None  # noqa: S101  it changes something
        stored.add_done_callback(acknowledge)
        self._hot.served["config-create"] += 1
        return LATER

    def _dated(self, form: tuple[bytes, bytes]) -> Wire:
        return form[0], self._hot.date, form[1]
