"""The one catalogue of error codes: what each means, its HTTP status, and when a client sees it.

The status of a code is its first three digits. Exceptions, wire answers and docs/errors.md are made from `CATALOGUE`.
Protocol: Service Center section 15.2.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the catalogue."""

    code: int
    message: str
    when: str

    @property
    def status(self) -> int:
        """The HTTP status that carries the code."""
        return self.code // 1000


CATALOGUE = {
    row.code: row
    for row in (
        ErrorCode(400001, "Invalid parameter(s)", "a body, header, path or query value breaks its rule"),
        ErrorCode(400002, "Server is Unhealthy", "/health while the journal cannot store changes"),
        ErrorCode(400010, "Micro-service already exists", "a given serviceId contradicts the registered one"),
        ErrorCode(400012, "Micro-service does not exist", "the service, consumer or provider is unknown"),
        ErrorCode(
            400013, "Micro-service has deployed instance(s)", "deleting a service that has instances without force"
        ),
        ErrorCode(400016, "Schema does not exist", "the schema is unknown, or declared and never uploaded"),
        ErrorCode(400017, "Instance does not exist", "the instance is unknown, or its lease has ended"),
        ErrorCode(400018, "Tag does not exist", "changing or deleting a tag that is not there"),
        ErrorCode(400023, "Consumer(s) depends on this micro-service", "deleting a depended-on service without force"),
        ErrorCode(400026, "Micro-service version does not exist", "the service is known, in other versions"),
        ErrorCode(400100, "Not enough quota", "a service, instance or schema more than the quota allows"),
        ErrorCode(403001, "Forbidden", "changing a schema while schema_read_only is on; dumping another tenant"),
        ErrorCode(500003, "Internal server error", "a defect of the engine; the log has its traceback"),
        ErrorCode(500011, "Registry service is unavailable", "the journal cannot store changes; nothing was changed"),
    )
}


class RegistryError(Exception):
    """A request that the engine refuses: one code of the catalogue and a detail for a person."""

    def __init__(self, code: int, detail: str = "") -> None:
        self.error = CATALOGUE[code]
        self.detail = detail
        super().__init__(f"{code} {self.error.message}: {detail}")


def invalid(detail: str) -> RegistryError:
    """The most common refusal: 400001."""
    return RegistryError(400001, detail)
