"""The bodies of the Service Center API as tables. Protocol: Service Center section 4."""

from __future__ import annotations

import re

from registry.api.shapes import Kind, Member, Rule, Shape

_NAME = r"[a-zA-Z0-9]*|[a-zA-Z0-9][a-zA-Z0-9_\-.]*[a-zA-Z0-9]"
_FIND_NAME = r"[a-zA-Z0-9]*|[a-zA-Z0-9][a-zA-Z0-9_\-.:]*[a-zA-Z0-9]"


def _rule(pattern: str, minimum: int = 0, maximum: int = 0) -> Rule:
    return Rule(minimum, maximum, re.compile(pattern, re.ASCII))


def _version_rule(pattern: str, minimum: int, maximum: int) -> Rule:
    about = "the form x[.y[.z]] where x y and z are 0-32767 range"
    return Rule(minimum, maximum, re.compile(pattern, re.ASCII), about, versioned=True)


_MANY = 1000
"""Most items of a list that the original does not bound: so many are done before anyone else notices."""
MOST_BEATS = 10_000
"""Most heartbeats of a batch."""
NO_SPACE = r"[^\t\n\f\r ]*"
NOT_BLANK = r"[\s\S]*[^\t\n\f\r ][\s\S]*"
_VERSION = r"\d+(\.\d+){0,3}"
VERSION_RULE = _version_rule(_VERSION, 1, 64)
ENVIRONMENT_RULE = _rule(r"(development|testing|acceptance|production)*")
APP_RULE = _rule(_NAME, 1, 160)
NAME_RULE = _rule(_NAME, 1, 128)
FIND_NAME_RULE = _rule(_FIND_NAME, 1, 289)
SERVICE_ID_RULE = _rule(NO_SPACE, 1, 64)
CONSUMER_ID_RULE = _rule(NO_SPACE, 0, 64)
INSTANCE_ID_RULE = _rule(r"[A-Za-z0-9_.-]*", 1, 64)
SCHEMA_ID_RULE = _rule(r"[a-zA-Z0-9]+|[a-zA-Z0-9][a-zA-Z0-9_\-.]*[a-zA-Z0-9]", 1, 160)
SUMMARY_RULE = _rule(r"[a-zA-Z0-9]*", 0, 128)
TAG_RULE = _rule(r"[a-zA-Z][a-zA-Z0-9_\-.]{0,63}")
STATUS_RULE = _rule(r"UP|DOWN|STARTING|TESTING|OUTOFSERVICE")
EXISTENCE_RULE = _rule(r"microservice|schema")
FORCE_RULE = _rule(r"(true|1|false|0)?")
ZERO_OR_ONE_RULE = _rule(r"[01]?")

FRAMEWORK = Shape(
    "FrameWork",
    (Member("name", rule=_rule(_NAME, 0, 64)), Member("version", rule=Rule(0, 64))),
)
PATH = Shape(
    "ServicePath",
    (
        Member("path", rule=_rule(r"[A-Za-z0-9.,?'\\/+&amp;%$#=~_\-@{}]*")),
        Member("property", Kind.MAP),
    ),
)
SERVICE_KEY = Shape(
    "MicroServiceKey",
    tuple(Member(name) for name in ("tenant", "environment", "appId", "serviceName", "alias", "version")),
)
SERVICE = Shape(
    "MicroService",
    (
        Member("serviceId", rule=_rule(NO_SPACE, 0, 64)),
        Member("appId", rule=_rule(_NAME, 0, 160), default="default"),
        Member("serviceName", rule=NAME_RULE),
        Member("version", rule=_version_rule(_VERSION, 0, 64), default="0.0.1"),
        Member("description", rule=Rule(0, 256)),
        Member("level", rule=_rule("FRONT|MIDDLE|BACK"), default="BACK"),
        Member(
            "schemas",
            Kind.TEXTS,
            rule=_rule(r"[a-zA-Z0-9]{1,160}|[a-zA-Z0-9][a-zA-Z0-9_\-.]{0,158}[a-zA-Z0-9]"),
        ),
        Member("paths", Kind.OBJECTS, shape=PATH),
        Member("status", rule=_rule("(UP|DOWN)?"), default="UP"),
        Member("properties", Kind.MAP),
        Member("providers", Kind.OBJECTS, shape=SERVICE_KEY),
        Member("alias", rule=_rule(r"[a-zA-Z0-9_\-.:]*", 0, 128)),
        Member("LBStrategy", Kind.MAP),
        Member("environment", rule=ENVIRONMENT_RULE),
        Member("registerBy", rule=_rule("(SDK|SIDECAR|PLATFORM)*", 0, 64)),
        Member("framework", Kind.OBJECT, shape=FRAMEWORK),
    ),
)
HEALTH_CHECK = Shape(
    "HealthCheck",
    (
        Member("mode", rule=_rule("push|pull", 1)),
        Member("port", Kind.INT, items=(0, 65535)),
        Member("interval", Kind.INT, items=(1, 0)),
        Member("times", Kind.INT, items=(0, 0)),
        Member("url", rule=_rule(NO_SPACE)),
    ),
)
_ZONE_RULE = _rule(r"[A-Za-z0-9_.-]+", 1, 128)
DATA_CENTER = Shape(
    "DataCenterInfo",
    (
        Member("name", rule=_ZONE_RULE),
        Member("region", rule=_ZONE_RULE),
        Member("availableZone", rule=_ZONE_RULE),
    ),
)
INSTANCE = Shape(
    "MicroServiceInstance",
    (
        Member("instanceId", rule=_rule(r"[A-Za-z0-9_.-]*", 0, 64)),
        Member("endpoints", Kind.TEXTS, rule=_rule(NOT_BLANK)),
        Member("hostName", rule=_rule(NOT_BLANK, 1, 64)),
        Member("status", rule=_rule("(UP|DOWN|STARTING|TESTING|OUTOFSERVICE)?")),
        Member("properties", Kind.MAP),
        Member("healthCheck", Kind.OBJECT, shape=HEALTH_CHECK),
        Member("dataCenterInfo", Kind.OBJECT, shape=DATA_CENTER),
    ),
)
REGISTER_SERVICE = Shape(
    "CreateServiceRequest",
    (
        Member("service", Kind.OBJECT, shape=SERVICE),
        Member("tags", Kind.MAP, rule=TAG_RULE, items=(0, 100)),
        Member("instances", Kind.OBJECTS, shape=INSTANCE, items=(0, _MANY)),
    ),
)
REGISTER_INSTANCE = Shape("RegisterInstanceRequest", (Member("instance", Kind.OBJECT, shape=INSTANCE, required=True),))
PROPERTIES = Shape("UpdatePropsRequest", (Member("properties", Kind.MAP),))
TAGS = Shape("AddServiceTagsRequest", (Member("tags", Kind.MAP, rule=TAG_RULE, items=(0, 100)),))
DELETE_SERVICES = Shape(
    "DelServicesRequest",
    (Member("serviceIds", Kind.TEXTS, rule=SERVICE_ID_RULE, items=(1, 0)), Member("force", Kind.FLAG)),
)
SCHEMA = Shape(
    "Schema",
    (
        Member("schemaId", rule=SCHEMA_ID_RULE),
        Member("summary", rule=_rule(r"[a-zA-Z0-9]*", 1, 128)),
        Member("schema", rule=Rule(1)),
    ),
)
UPLOAD_SCHEMA = Shape("ModifySchemaRequest", (Member("schema", rule=Rule(1)), Member("summary", rule=SUMMARY_RULE)))
REPLACE_SCHEMAS = Shape("ModifySchemasRequest", (Member("schemas", Kind.OBJECTS, shape=SCHEMA, items=(1, 0)),))
BEAT = Shape("HeartbeatSetElement", (Member("serviceId"), Member("instanceId")))
BEATS = Shape("HeartbeatSetRequest", (Member("instances", Kind.OBJECTS, shape=BEAT),))
MANY_STATUS = Shape(
    "UpdateManyStatusRequest",
    (
        Member("matches", Kind.OBJECT, shape=Shape("Matches", (Member("properties", Kind.MAP),))),
        Member("status", rule=STATUS_RULE),
    ),
)
FIND_SERVICE = Shape(
    "FindService",
    (
        Member(
            "service",
            Kind.OBJECT,
            required=True,
            shape=Shape(
                "MicroServiceKey",
                (
                    Member("appId", rule=APP_RULE),
                    Member("serviceName", rule=FIND_NAME_RULE),
                    Member("environment", rule=ENVIRONMENT_RULE),
                ),
            ),
        ),
        Member("rev"),
    ),
)
FIND_INSTANCE = Shape(
    "FindInstance",
    (
        Member(
            "instance",
            Kind.OBJECT,
            required=True,
            shape=Shape(
                "HeartbeatSetElement",
                (Member("serviceId", rule=SERVICE_ID_RULE), Member("instanceId", rule=INSTANCE_ID_RULE)),
            ),
        ),
        Member("rev"),
    ),
)
BATCH_FIND = Shape(
    "BatchFindInstancesRequest",
    (
        Member("services", Kind.OBJECTS, shape=FIND_SERVICE, items=(0, _MANY)),
        Member("instances", Kind.OBJECTS, shape=FIND_INSTANCE, items=(0, _MANY)),
    ),
)
_PROVIDER_VERSION = r"|(\d+(\.\d+){0,2}\+?)|(\d+(\.\d+){0,2}-\d+(\.\d+){0,2})|latest"
DEPENDENCY_CONSUMER = Shape(
    "DependencyKey",
    (
        Member("environment", rule=ENVIRONMENT_RULE),
        Member("appId", rule=APP_RULE),
        Member("serviceName", rule=NAME_RULE),
        Member("version", rule=VERSION_RULE),
    ),
)
DEPENDENCY_PROVIDER = Shape(
    "DependencyKey",
    (
        Member("environment", rule=ENVIRONMENT_RULE),
        Member("appId", rule=_rule(_NAME, 0, 160)),
        Member("serviceName", rule=NAME_RULE),
        Member("version", rule=_version_rule(_PROVIDER_VERSION, 0, 128)),
    ),
)
DEPENDENCY = Shape(
    "ConsumerDependency",
    (
        Member("consumer", Kind.OBJECT, shape=DEPENDENCY_CONSUMER, required=True),
        Member("providers", Kind.OBJECTS, shape=DEPENDENCY_PROVIDER, items=(0, _MANY)),
    ),
)
DEPENDENCIES = Shape(
    "AddDependenciesRequest", (Member("dependencies", Kind.OBJECTS, shape=DEPENDENCY, items=(1, 100)),)
)
POLICY = Shape(
    "Policy",
    (Member("name"), Member("selector", Kind.MAP), Member("spec", Kind.OBJECT), Member("status")),
)
