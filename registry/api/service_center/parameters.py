"""The parameters of the Service Center API, as its description and docs/api.md name them. Protocol: Service Center section 2."""

from __future__ import annotations

from collections.abc import Sequence

from registry.api.call import Parameter
from registry.api.service_center import shapes

APP = Parameter("appId", "the provider's application", required=True, rule=shapes.APP_RULE)
NAME = Parameter("serviceName", "the provider's name or alias", required=True, rule=shapes.FIND_NAME_RULE)
ENVIRONMENT = Parameter("env", "the environment; for finds, where no consumer is named", rule=shapes.ENVIRONMENT_RULE)
CONSUMER_ID = Parameter("X-ConsumerId", "the service that asks", "header", rule=shapes.CONSUMER_ID_RULE)
CONSUMER = (
    Parameter("tags", "comma list of tag keys that the service must have"),
    Parameter("rev", "the revision that the client has: 304 where it is current"),
    Parameter("noCache", "1 or true: ignore rev"),
    CONSUMER_ID,
)
FIND = (
    APP,
    NAME,
    ENVIRONMENT,
    *CONSUMER,
    Parameter("filterVersion", "this engine's own: only versions that a rule selects (latest, 1.0+, 1.0-2.0, 1.0.0)"),
    Parameter("filterProperty", "this engine's own, repeatable: name:value that instances must have"),
)
EXISTENCE = (
    Parameter("type", "microservice or schema", required=True, rule=shapes.EXISTENCE_RULE),
    Parameter("appId", "the service", rule=shapes.APP_RULE),
    Parameter("serviceName", "the service", rule=shapes.FIND_NAME_RULE),
    Parameter("version", "the service", rule=shapes.VERSION_RULE),
    Parameter("env", "the service", rule=shapes.ENVIRONMENT_RULE),
    Parameter("serviceId", "the schema", rule=shapes.SERVICE_ID_RULE),
    Parameter("schemaId", "the schema", rule=shapes.SCHEMA_ID_RULE),
)
FORCE = Parameter("force", "1 or true: with instances and dependants", rule=shapes.FORCE_RULE)
WITH_SCHEMA = Parameter("withSchema", "1: with content", rule=shapes.ZERO_OR_ONE_RULE)
WITH_SHARED = Parameter("withShared", "1 or true: the shared services too")
GOVERN = (
    Parameter("options", "comma list of tags, instances, schemas, dependencies, statistics, all"),
    *(Parameter(name, "exact match") for name in ("appId", "serviceName", "env")),
    Parameter("property", "repeatable: name:value that services must have"),
    WITH_SHARED,
    Parameter("countOnly", "1: count instances", rule=shapes.ZERO_OR_ONE_RULE),
)
POLICIES = (
    Parameter("app", "the application, by the label of its items; all where it is missing"),
    Parameter("environment", "the environment, by its label; all is any, nothing is the one without a name"),
)
_OF_PATH = (
    Parameter("serviceId", "the service", "path", required=True, rule=shapes.SERVICE_ID_RULE),
    Parameter("instanceId", "the instance", "path", required=True, rule=shapes.INSTANCE_ID_RULE),
    Parameter("schemaId", "the schema", "path", required=True, rule=shapes.SCHEMA_ID_RULE),
)


def of_path(path: str) -> Sequence[Parameter]:
    """The parameters that a path names and that have a rule."""
    return [parameter for parameter in _OF_PATH if f":{parameter.name}" in path.split("/")]
