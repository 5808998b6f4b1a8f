"""What the engine knows of one request from a consumer to a service: who both are, which items they read, and who may answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from governance.rules.check import Checked, check, rule_key
from governance.rules.explain import Item, Process
from governance.rules.marker import Request
from governance.rules.runtimes import Runtime
from registry.catalog.records import Service
from registry.catalog.versions import parse_version
from registry.config.clients import Client, Kind, Selection, select
from registry.config.preview import Caution, merge
from registry.config.records import ENABLED, Draft, KeyValue
from registry.config.rules import ANY_KEY, check_draft
from registry.engine import Engine
from registry.engine.readers import kind_of
from registry.engine.rules import CheckedItems, Registered, Scene, TaggedInstance, registered, tagged
from registry.engine.runtimes import runtime_of
from registry.errors import ConfigError

_MOST_VERSIONS = 5
_UP = "UP"


@dataclass(frozen=True, slots=True)
class Question:
    """One request, and who makes it. What is None is taken from what is registered."""

    service: str
    consumer: str
    request: Request
    app: str | None = None
    environment: str | None = None
    version: str = ""
    from_app: str | None = None
    from_version: str = ""
    operation: tuple[str, str] = ("", "")
    client: Kind | None = None
    drafts: Sequence[Draft] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """A service that reads rules, as the client of the config centre that it is; nothing is registered of it where `service` is None.

    `runtime` is that of its newest version where it is not registered itself.
    """

    client: Client
    service: Service | None
    runtime: Runtime | None
    selection: Selection

    def process(self, drafts: Mapping[str, KeyValue], checks: CheckedItems) -> tuple[Process, Sequence[Caution]]:
        """What it makes of the items, and what may surprise in those that are rules. Raises 400001 where they are too large."""
        merged = merge(self.selection)
        sources = {one.key: one.source.item for one in merged.properties if one.source.item.key_id not in drafts}

        def checked(key: str, value: str, runtimes: tuple[Runtime, ...]) -> Checked:
            item = sources.get(key)
            if item is None or (item.draft.key, item.draft.value) != (key, value) or item.draft.value_type != "text":
                return check(key, value, runtimes)
            return checks.check(f"{item.key_id} {', '.join(map(str, runtimes))}", item.draft, runtimes)

        items = [
            Item(one.key, one.source.value, one.source.item.draft.labels, _revision(one.source.item, drafts))
            for one in merged.properties
            if rule_key(one.key) is not None
        ]
        facts = self.service.properties if self.service is not None else None
        client = self.client
        process = Process(client.service, client.version, client.app, items, facts, self.runtime, checked)
        return process, [one for one in merged.cautions if any(rule_key(item.draft.key) for item in one.items)]


def _revision(item: KeyValue, drafts: Mapping[str, KeyValue]) -> int | None:
    return None if item.key_id in drafts else item.revision


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that an explanation is made from, at one revision. `drafts` are by id, `away` counts instances that are not up."""

    revision: int
    app: str
    environment: str
    consumer: Reader
    providers: Sequence[Reader]
    instances: Sequence[TaggedInstance]
    away: int
    scene: Scene
    drafts: Mapping[str, KeyValue] = field(default_factory=dict)


def gather(engine: Engine, tenant: str, question: Question) -> Gathered:
    """What is known now. Raises 400001 for a draft that could not be saved, and where the application must be named."""
    app, environment = _where(engine, tenant, question)
    from_app = question.from_app if question.from_app is not None else app
    places = {(app, environment), (from_app, environment)}
    services = registered(engine.catalog, tenant, places)
    drafts = _drafts(engine, tenant, question.drafts, {"app": app, "environment": environment})
    reader = _readers(engine, tenant, question, environment, drafts)
    callees = _versions(services, app, question.service)
    wanted = [question.version] if question.version else list(callees)[:_MOST_VERSIONS] or [""]
    callers = _versions(services, from_app, question.consumer)
    from_version = question.from_version or next(iter(callers), "")
    present = [
        one for service, one in tagged(services) if (service.key.app, service.key.name) == (app, question.service)
    ]
    up = [one for one in present if one.instance.status == _UP]
    return Gathered(
        engine.config.state.revision(tenant),
        app,
        environment,
        reader(from_app, question.consumer, from_version, callers),
        [reader(app, question.service, version, callees) for version in wanted],
        up,
        len(present) - len(up),
        Scene.of(engine.checked_items, engine.catalog, engine.config, tenant, places),
        drafts,
    )


def _where(engine: Engine, tenant: str, question: Question) -> tuple[str, str]:
    """Application and environment: what is given, else where the service is registered."""
    services = engine.catalog.state.existing(tenant).services.values()
    keys = {one.key for one in services if one.key.name == question.service}
    if question.environment is not None:
        keys = {key for key in keys if key.environment == question.environment}
    apps = sorted({key.app for key in keys})
    if question.app is None and len(apps) > 1:
        raise ConfigError(400001, f"app: {question.service} is in several applications: {', '.join(apps[:10])}"[:500])
    app = question.app if question.app is not None else (apps or ["default"])[0]
    environments = sorted({key.environment for key in keys if key.app == app})
    if question.environment is None and len(environments) > 1:
        known = ", ".join(map(repr, environments[:10]))
        raise ConfigError(400001, f"environment: {question.service} is in several environments: {known}"[:500])
    return app, question.environment if question.environment is not None else (environments or [""])[0]


def _drafts(engine: Engine, tenant: str, drafts: Sequence[Draft], default: Mapping[str, str]) -> Mapping[str, KeyValue]:
    """The drafts as items that were saved just now, by id."""
    now, revision = engine.now() // 1000, engine.ledger.revision + 1
    made = [
        KeyValue.of(
            tenant,
            Draft(one.key, one.value, {**default, **one.labels}, one.value_type, ENABLED),
            created=(revision, now),
            updated=(revision, now),
        )
        for one in drafts
    ]
    for item in made:
        check_draft(item.draft, ANY_KEY)
    return {item.key_id: item for item in made}


def _versions(services: Registered, app: str, name: str) -> Mapping[str, Service]:
    """The registered versions of a service, the newest first."""
    found = [one for one, _ in services if (one.key.app, one.key.name) == (app, name)]
    return {one.version: one for one in sorted(found, key=lambda one: parse_version(one.version), reverse=True)}


def _readers(
    engine: Engine, tenant: str, question: Question, environment: str, drafts: Mapping[str, KeyValue]
) -> Callable[[str, str, str, Mapping[str, Service]], Reader]:
    """Makes the reader of an application, a service and a version, of which these are registered."""

    def reader(app: str, name: str, version: str, known: Mapping[str, Service]) -> Reader:
        like = known.get(version) or next(iter(known.values()), None)
        runtime = runtime_of(like) if like is not None else None
        client = Client(question.client or kind_of(runtime), app, name, version, environment)
        selection = select(engine.config.state, tenant, client, lambda _: False, list(drafts.values()))
        return Reader(client, known.get(version), runtime, selection)

    return reader
