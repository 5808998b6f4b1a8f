"""The catalogues of error codes: what each means, its HTTP status, and when a client sees it.

The status of a code is its first three digits. Exceptions, wire answers and docs/errors.md are made from here. The registry's protocol and
the config centre's give some codes different texts, so each has a catalogue of its own: Service Center section 15.2, KIE section A.12.
"""

from collections.abc import Iterable
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


def _by_code(rows: Iterable[ErrorCode]) -> dict[int, ErrorCode]:
    return {row.code: row for row in rows}


CATALOGUE = _by_code(
    (
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
        ErrorCode(400200, "Account not exists", "the account is unknown"),
        ErrorCode(400201, "Role not exists", "the role is unknown"),
        ErrorCode(400202, "Account has invalid role(s)", "an account with a role that there is not"),
        ErrorCode(400203, "No quota to create account", "an account more than quota_accounts allows"),
        ErrorCode(400204, "No quota to create role", "a role more than quota_roles allows"),
        ErrorCode(400205, "Role is bound to some user(s)", "deleting a role that an account has"),
        ErrorCode(400206, "New password is bad", "a new password that is the old one"),
        ErrorCode(401201, "Request unauthorized", "a token that is none, or is signed by nobody known"),
        ErrorCode(401202, "User name or password is wrong", "signing in, while access is enforced"),
        ErrorCode(401204, "No authorization header", "no token where one is needed"),
        ErrorCode(401205, "Token is expired", "a token that is over"),
        ErrorCode(401206, "The account that owns the token is deleted", "a token whose account is gone"),
        ErrorCode(401207, "Password is wrong", "changing a password with a wrong current one"),
        ErrorCode(
            401302,
            "User name or password is wrong",
            "signing in, while access is only observed or partly enforced: Java clients then ask again on their first 401",
        ),
        ErrorCode(
            403001,
            "Forbidden",
            "changing a schema while schema_read_only is on; dumping another tenant; changing another's password",
        ),
        ErrorCode(403201, "Account blocked", "signing in after three wrong passwords from the same address"),
        ErrorCode(403202, "Forbid to operate build-in account(s)", "changing or deleting root"),
        ErrorCode(403203, "Forbid to operate build-in role(s)", "changing or deleting admin or developer"),
        ErrorCode(403204, "Forbid to operate your own account", "changing or deleting the account of the token"),
        ErrorCode(403205, "No permission(s)", "a token whose roles do not allow the request"),
        ErrorCode(403206, "Request of another site", "a form of the console that another site's page sent"),
        ErrorCode(404001, "Not found", "an alarm, a rule, a silence or a webhook that is not there"),
        ErrorCode(409200, "account name is duplicated", "creating an account that is there"),
        ErrorCode(409201, "role name is duplicated", "creating a role that is there"),
        ErrorCode(
            409202, "Not ready to be enforced", "enforcing access control while instances would break, without confirm"
        ),
        ErrorCode(429001, "Too many requests", "more tries to sign in from one address than token_rate allows"),
        ErrorCode(500003, "Internal server error", "a defect of the engine; the log has its traceback"),
        ErrorCode(500011, "Registry service is unavailable", "the journal cannot store changes; nothing was changed"),
    )
)
CONFIG_CATALOGUE = _by_code(
    (
        ErrorCode(400001, "invalid parameter(s)", "a body, label, key, status, page, revision or wait breaks its rule"),
        ErrorCode(400003, "failed to observe event", "a wait of more than five minutes"),
        ErrorCode(
            400004, "skip overriding duplicate kvs", "an item of an import that is there already, with override=skip"
        ),
        ErrorCode(
            400005,
            "stop overriding kvs after reaching the duplicate kv",
            "an item of an import that is there already, and all after it, with override=abort",
        ),
        ErrorCode(
            400006,
            "value does not parse",
            "a json, yaml, properties, ini or xml value that is none, or a rule with an error, without force;"
            " by KIE only while config_check_values is on",
        ),
        ErrorCode(
            404001, "record does not exist", "an unknown key-value, a history or polling record that is not there"
        ),
        ErrorCode(409001, "record already exist", "creating a key that exists with the same labels"),
        ErrorCode(
            409002,
            "somebody else wrote it",
            "a gray release or degradation over items that others wrote or changed, without force; or a revision that is not the newest,"
            " of such an object or of an item",
        ),
        ErrorCode(
            409003,
            "instances do not allow it",
            "requests for a new version of which no instance is up, or the end of a gray release while two versions run, without force",
        ),
        ErrorCode(
            409004,
            "lanes do not allow it",
            "a gray release of a service in lanes, a component in lanes that cannot follow them or whose service has a route rule,"
            " or the end of lanes that keep instances apart, without force",
        ),
        ErrorCode(
            422001,
            "quota is not enough",
            "a key-value more than quota_config allows, or a lane group more than quota_lane_groups",
        ),
        ErrorCode(429001, "too many requests", "a wait more than poll_max allows"),
        ErrorCode(500001, "internal server error", "the journal cannot store changes; nothing was changed"),
    )
)


class Refusal(Exception):  # noqa: N818  a refusal is the answer to a request, not a defect
    """A request that the engine refuses: one code of a catalogue and a detail for a person."""

    def __init__(self, error: ErrorCode, detail: str) -> None:
        self.error = error
        self.detail = detail
        super().__init__(f"{error.code} {error.message}: {detail}")


class RegistryError(Refusal):
    """A refusal in the words of the registry's protocol."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(CATALOGUE[code], detail)


class ConfigError(Refusal):
    """A refusal in the words of the config centre's protocol."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(CONFIG_CATALOGUE[code], detail)


def invalid(detail: str) -> RegistryError:
    """The most common refusal of the registry: 400001."""
    return RegistryError(400001, detail)
