"""What a request is about, in the labels that permissions are restricted by. Protocol: Service Center section 14.7, KIE section A.13.

Bodies are read by the very shapes that handlers read them by, so that both see the same. A route that nothing is said of here is about the
service of its path; one without that is for those alone whose permission has no labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from registry.access.permissions import Labels
from registry.api.call import Call
from registry.api.config_center.items import WRITTEN as _DIMENSION
from registry.api.kie.parameters import labels_of
from registry.api.kie.shapes import IDS, KEY_VALUE, UPLOAD, draft_of
from registry.api.monitor.documents import document_of
from registry.api.outcomes import REPORT
from registry.api.service_center import shapes
from registry.api.service_center.instances import BAD_JSON
from registry.api.shapes import decode, parse, read
from registry.config.dimensions import Dimension, environment_of
from registry.errors import Refusal, RegistryError

Sets: TypeAlias = Sequence[Labels]
FILTERED: Sets = ()
"""The list of the answer is narrowed to what may be seen."""
WHOLE: Sets = ({},)
"""Nothing in particular: no permission that is restricted by labels is enough."""
_Item: TypeAlias = Mapping[str, Any]


def labels_asked(call: Call) -> Sets:
    """The label sets of a request. Raises 401201 where they cannot be told, 400001 where the body cannot be read."""
    found = _OF.get(call.route.name, _of_path)
    try:
        return found(call)
    except ValueError:
        return WHOLE
    except Refusal:
        if call.route.resource == "config":
            return WHOLE
        raise RegistryError(401201, "no valid resouce scope") from None


def _of_path(call: Call) -> Sets:
    name = call.params.get("serviceId")
    return WHOLE if name is None else _services(call, (name,))


def _services(call: Call, names: Iterable[str]) -> Sets:
    known = call.engine.catalog.state.existing(call.tenant).services
    found = [known.get(name) for name in dict.fromkeys(names)]
    if not all(found):
        raise RegistryError(401201, "no valid resouce scope")
    return [service.labels for service in found if service is not None] or WHOLE


def _none(_call: Call) -> Sets:
    return FILTERED


def _of_find(call: Call) -> Sets:
    """The environment is the consumer's where one is named, as it is in the catalog."""
    query, name = call.query, call.header("X-ConsumerId")
    environment = _services(call, (name,))[0].get("environment", "") if name else query.get("env", "")
    return (_labels(environment, query.get("appId", ""), query.get("serviceName", "")),)


def _of_existence(call: Call) -> Sets:
    query = call.query
    if query.get("type") == "schema":
        return _services(call, (query.get("serviceId", ""),))
    return (_labels(query.get("env", ""), query.get("appId", ""), query.get("serviceName", "")),)


def _labels(environment: str, app: str, name: str) -> Labels:
    return {"environment": environment, "appId": app, "serviceName": name}


def _of_new_service(call: Call) -> Sets:
    service = read(shapes.REGISTER_SERVICE, call.body).get("service")
    given: _Item = service if isinstance(service, dict) else {}
    return (_labels(given.get("environment", ""), given.get("appId", ""), given.get("serviceName", "")),)


def _of_deleted(call: Call) -> Sets:
    names = read(shapes.DELETE_SERVICES, call.body).get("serviceIds", [])
    return _services(call, names if isinstance(names, list) else ())


def _of_beats(call: Call) -> Sets:
    beats = read(shapes.BEATS, call.body, BAD_JSON).get("instances", [])
    return _services(call, [str((beat or {}).get("serviceId", "")) for beat in _items(beats)])


def _of_batch(call: Call) -> Sets:
    """A batch find: the services by name are asked for as in a find, so they count as in a find."""
    given = read(shapes.BATCH_FIND, call.body, BAD_JSON)
    wanted = [(item or {}).get("service") or {} for item in _items(given.get("services"))]
    instances = [(item or {}).get("instance") or {} for item in _items(given.get("instances"))]
    name = call.header("X-ConsumerId")
    own = _services(call, (name,))[0].get("environment", "") if name else None
    by_name = [
        _labels(one.get("environment", "") if own is None else own, one.get("appId", ""), one.get("serviceName", ""))
        for one in wanted
    ]
    by_id = _services(call, [one.get("serviceId", "") for one in instances]) if instances else ()
    return [*by_name, *by_id] or WHOLE


def _of_report(call: Call) -> Sets:
    return _services(call, (str(read(REPORT, call.body).get("serviceId", "")),))


def _of_document(call: Call) -> Sets:
    """A document is about the service that its id names, or else about the one that it says it is of."""
    said, upload = document_of(call.tenant, call.body)
    known = call.engine.catalog.state.existing(call.tenant).services.get(upload.service_id)
    return (known.labels if known is not None else _labels(said.environment, said.app, said.service),)


def _items(found: object) -> Sequence[Any]:
    return found if isinstance(found, list) else ()


def _of_new_item(call: Call) -> Sets:
    return (draft_of(decode(KEY_VALUE, parse(call.body))).labels,)


def _of_item(call: Call) -> Sets:
    return _of_ids(call, (call.params["kv_id"],))


def _of_items(call: Call) -> Sets:
    ids = read(IDS, call.body).get("ids", [])
    return _of_ids(call, [str(name) for name in _items(ids)])


def _of_ids(call: Call, names: Iterable[str]) -> Sets:
    """Ids that there are not are about nothing: what they are told is that they are not there."""
    known = call.engine.config.state.table(call.tenant).by_id
    return [known[name].draft.labels for name in names if name in known]


def _of_upload(call: Call) -> Sets:
    data = read(UPLOAD, call.body).get("data", [])
    return [draft_of(item).labels for item in _items(data) if item is not None] or WHOLE


def _of_labels(call: Call) -> Sets:
    """The labels that all items asked for have at least."""
    return (dict(labels_of(call)),)


def _of_own_items(call: Call) -> Sets:
    given = parse(call.body)
    return [draft_of(decode(KEY_VALUE, item)).labels for item in (given if isinstance(given, list) else [given])]


def _of_client(call: Call) -> Sets:
    query = call.query
    return ({name: query.get(name, "") for name in ("app", "service", "version", "environment") if query.get(name)},)


def _of_dimension(call: Call) -> Sets:
    """What a client of Config Center asks for: it sees what is more general, too, and that alone."""
    text = call.params.get("dimension") or call.query.get("dimensionsInfo", "")
    if call.body and call.route.method != "GET" and "dimension" not in call.params:
        text = str(read(_DIMENSION, call.body).get("dimensionsInfo", ""))
    return (Dimension.parse(text).labels(environment_of(call.header("x-environment"))),)


_Found: TypeAlias = Callable[[Call], Sets]
_IN_BODIES: Mapping[str, _Found] = {
    "services.register": _of_new_service,
    "services.delete_many": _of_deleted,
    "instances.heartbeats": _of_beats,
    "discovery.batch": _of_batch,
    "outcomes.report": _of_report,
    "monitor.upload": _of_document,
    "kie.create": _of_new_item,
    "kie.delete_many": _of_items,
    "kie.upload": _of_upload,
    "config.put": _of_own_items,
    "config.check": _of_own_items,
    "items.write_items": _of_dimension,
    "items.delete_items": _of_dimension,
}
_OF: Mapping[str, _Found] = {
    **_IN_BODIES,
    "services.list_all": _none,
    "govern.details": _none,
    "inventory.services": _none,
    "inventory.instances": _none,
    "govern.apps": _none,
    "prometheus.targets": _none,
    **{f"monitor.{name}": _none for name in ("services", "instances", "interfaces", "series", "calls")},
    "services.exists": _of_existence,
    "discovery.find": _of_find,
    "kie.tracked_list": _none,
    "kie.get": _of_item,
    "kie.update": _of_item,
    "kie.delete": _of_item,
    "kie.revisions": _of_item,
    "items.get": _of_dimension,
    "items.delete_scope": _of_dimension,
    "push.listen": _of_dimension,
    "members.members": _none,
    "config.preview": _of_client,
    "config.tree": _none,
    "config.listeners": _none,
    "config.list_all": _none,
    **{
        f"config.{name}": _of_labels
        for name in (
            "find_all",
            "readers",
            "delete",
            "get_one",
            "history",
            "diff",
            "rollback",
            "export",
            "start",
            "drop",
            "promote",
        )
    },
}
