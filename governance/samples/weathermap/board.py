"""What the page shows besides the weather: a banner and the cities to choose from, from the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from governance.logs import logger
from governance.sdk import Configuration, ConfigurationError

_PREFIX = "weathermap."
_CITIES = ("Shenzhen", "Beijing", "Shanghai", "Berlin", "London", "New York", "Nairobi", "Sydney")
log = logger(__name__)


class Board(BaseModel):
    """The keys `weathermap.banner` and `weathermap.cities`."""

    model_config = ConfigDict(frozen=True)

    banner: str = Field(default="", max_length=500)
    cities: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(default=_CITIES, max_length=50)


def board_of(config: Configuration) -> Board:
    """The board as it is configured now; the last valid one where that does not validate, or what is written here.

    Everyone sees it, so what secrets it may refer to stay references.
    """
    try:
        return config.model(Board, _PREFIX, secrets=False)
    except ConfigurationError as error:
        log.warning("board.refused", error=str(error))
        return Board()
