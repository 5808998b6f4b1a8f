"""Discovery that knows what a test gives it."""

from __future__ import annotations

from governance.sdk import EngineUnavailableError, Instance


class Known:
    """Stands for `Discovery`: it knows what a test gives it."""

    def __init__(self, **services: list[Instance]) -> None:
        self.services = services
        self.asked: list[tuple[str, str | None]] = []
        self.away = False

    async def instances(self, service: str, app: str | None = None) -> tuple[Instance, ...]:
        self.asked.append((service, app))
        if self.away:
            raise EngineUnavailableError("no answer from the engine")
        return tuple(self.services.get(service, ()))


def instance(address: str, status: str = "UP", name: str = "i") -> Instance:
    endpoint = address.replace("http", "rest")
    return Instance(name, "s", "shop", "cart", "1.0", ("highway://10.0.0.1:1", endpoint), status)
