"""Which items a client reads, by its kind. Protocol: section C, in which every kind has its rules.

A client reads a few levels, each a set of labels that it asks for, and lays the later ones over the former.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from registry.config.dimensions import Dimension, environment_of
from registry.config.records import KeyValue, Labels
from registry.config.releases import Chosen, seen_by
from registry.config.state import State, Topic

_PARTS = ("app", "service", "version")
_GO_2_7 = {"app": "appId", "service": "serviceName"}


class Kind(StrEnum):
    """Clients that differ in what they read or make of it.

    `java` is Java Chassis from 2.8.15 on, and Spring Cloud Huawei on such a jar; `java-2.7` is Java Chassis up to 2.8.7. `go-2.7` is
    go-chassis v2.7.1 as it comes, with go-archaius v1.5.1, whose labels have other names; `go` is go-chassis on a later one.
    """

    JAVA = "java"
    JAVA_2_7 = "java-2.7"
    GO = "go"
    GO_2_7 = "go-2.7"
    CONFIG_CENTER = "config-center"
    PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Client:
    """One client: its place, and the custom label that it asks for beside. `instance` is the id of one of its service's instances."""

    kind: Kind
    app: str
    service: str
    version: str = ""
    environment: str = ""
    label: tuple[str, str] = ("public", "")
    instance: str = ""

    @property
    def own(self) -> Mapping[str, str]:
        """Everything that labels may say of the client."""
        parts = {name: str(getattr(self, name)) for name in (*_PARTS, "environment")}
        others = {other: parts[name] for name, other in _GO_2_7.items()} if self.kind is Kind.GO_2_7 else {}
        return {**parts, **others, self.label[0]: self.label[1]}


@dataclass(frozen=True, slots=True)
class Level:
    """What a client asks for under one name: items with exactly these labels, or with at least these."""

    name: str
    label_sets: Sequence[Labels]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Selection:
    """The items of each level, in the order in which the client lays them over each other, and those that it misses by their labels.

    `released` has the ids of items in a gradual release, and whether the client is one of those that get the new value.
    """

    client: Client
    levels: Sequence[tuple[Level, Sequence[KeyValue]]]
    missed: Mapping[Labels, Sequence[KeyValue]]
    released: Mapping[str, bool] = field(default_factory=dict)


def levels_of(client: Client) -> Sequence[Level]:
    """The levels that a client reads, the weakest first."""
    if client.kind is Kind.CONFIG_CENTER:
        dimension = Dimension(client.app, client.service, client.version)
        return [Level(level.name, level.label_sets) for level in dimension.levels(environment_of(client.environment))]
    custom = Level("custom", [frozenset([client.label])], exact=False)
    places = list(_places(client))
    match client.kind:
        case Kind.GO | Kind.GO_2_7:
            return places
        case Kind.JAVA_2_7:
            return [custom, *places]
    return [*places, custom]


def _places(client: Client) -> Iterator[Level]:
    """Each with the label of the environment, which clients send even where it is empty. Go clients have two levels."""
    labels = {"environment": client.environment}
    if client.kind is Kind.GO_2_7:
        app = frozenset({**labels, "appId": client.app}.items())
        yield Level("app", [app])
        yield Level("service", [app | {("serviceName", client.service), ("version", client.version)}])
        return
    for name in _PARTS[: 2 if client.kind is Kind.GO or not client.version else 3]:
        labels[name] = client.own[name]
        yield Level(name, [frozenset(labels.items())])


def select(state: State, tenant: str, client: Client, chosen: Chosen, drafts: Sequence[KeyValue] = ()) -> Selection:
    """What a client reads now; `chosen` says which gradual releases are for it, `drafts` are laid over what is there."""
    releases = state.table(tenant).releases
    levels = [(level, _items(state, tenant, client, level, chosen, drafts)) for level in levels_of(client)]
    read = [item for _, items in levels for item in items]
    released = {item.key_id: chosen(releases[item.key_id]) for item in read if item.key_id in releases}
    missed = _missed(state, tenant, client, {item.label_set for item in read})
    return Selection(client, levels, dict(missed), released)


def _items(
    state: State, tenant: str, client: Client, level: Level, chosen: Chosen, drafts: Sequence[KeyValue]
) -> Sequence[KeyValue]:
    releases = state.table(tenant).releases
    found: list[KeyValue] = []
    for labels in level.label_sets:
        items = seen_by(releases, state.listing(Topic(tenant, labels, level.exact)).items, chosen)
        mine = [one for one in drafts if (labels == one.label_set if level.exact else labels <= one.label_set)]
        found += _in_order(client, _laid_over(items, mine) if mine else items)
    return found


def _laid_over(items: Sequence[KeyValue], drafts: Sequence[KeyValue]) -> Sequence[KeyValue]:
    """The items as lists would have them were the drafts saved."""
    replaced = {draft.key_id for draft in drafts}
    kept = [item for item in items if item.key_id not in replaced]
    return sorted((*drafts, *kept), key=lambda item: (-item.draft.priority, -item.revision))


def _in_order(client: Client, items: Sequence[KeyValue]) -> Sequence[KeyValue]:
    """What lists have in the order in which the client reads it; where keys collide within a level, the last one wins."""
    match client.kind:
        case Kind.JAVA | Kind.PYTHON:
            # By seconds: what was written in one stays as it is listed, with the oldest last.
            return sorted(items, key=lambda item: item.update_time)
        case Kind.CONFIG_CENTER:
            return sorted(items, key=lambda item: item.revision)
    return items


def _missed(
    state: State, tenant: str, client: Client, read: Iterable[Labels]
) -> Iterator[tuple[Labels, Sequence[KeyValue]]]:
    """Label sets that contradict nothing that the client is, and that it does not ask for."""
    own, asked = client.own, set(read)
    for labels, group in state.table(tenant).groups.items():
        if labels in asked or any(own.get(name, value) != value for name, value in labels):
            continue
        foreign = any(name not in own for name, _ in labels)
        enabled = [item for item in group.values() if item.enabled]
        if enabled and (not foreign or ("app", client.app) in labels):
            yield labels, enabled
