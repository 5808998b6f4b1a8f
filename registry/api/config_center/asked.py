"""What a client of Config Center asks about: a dimension in an environment of a tenant. Protocol: Config Center section B.2."""

from __future__ import annotations

from dataclasses import dataclass

from registry.api.call import Call
from registry.config.dimensions import Dimension, environment_of
from registry.config.rules import check_project
from registry.engine.askers import INSTANCE, Place
from registry.errors import ConfigError

ENVIRONMENT = "x-environment"
_REQUEST = "ItemsRequest"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose items are meant; `place` tells the instance that asks, for which a gradual release may be."""

    tenant: str
    dimension: Dimension
    environment: str
    place: Place

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the dimension's own items."""
        return self.dimension.labels(self.environment)


def asked_of(call: Call, dimension: str) -> Asked:
    """What the request is about; `dimension` is as its query, path or body has it. Raises 400001."""
    check_project(_REQUEST, call.params.get("project", "default"))
    try:
        parsed = Dimension.parse(dimension)
    except ValueError as error:
        raise ConfigError(400001, f"dimensionsInfo: {error}") from error
    environment = environment_of(call.header(ENVIRONMENT))
    place = Place(call.tenant, call.address, call.header(INSTANCE), parsed.labels(environment))
    return Asked(call.tenant, parsed, environment, place)
