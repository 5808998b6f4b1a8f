"""Attacks on the door while access control is enforced: the ways around it that servers of this kind are known for.

docs/threat-model.md says what each is about; what is done with the bytes of the wire is in test_access_wire.py.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.api.access import SWITCH
from tests.api.attacked import REGISTRY, SECRET, Attacked, attacked_engine
from tests.api.office import permission
from tests.engine import Client, EngineProcess
from tests.raw import connect, request

pytestmark = pytest.mark.asyncio(loop_scope="module")
PUBLIC = {
    "GET /health",
    "GET /v1/health",
    "GET /v4/{project}/registry/health",
    "GET /v3/{project}/configuration/health",
    "GET /v3/{outer}/v3/{project}/configuration/health",
    "GET /v4/{project}/registry/version",
    "GET /health/ready",
    "GET /metrics",
    "GET /openapi.json",
    "GET /version",
    "GET /waggle/v1/access",
    "PUT /waggle/v1/access",
    "POST /waggle/v1/access/oauth2/token",
}
"""All that asks nobody for a token; `/v4/token` says 401 to an empty password. The last three: the mode, its switch, whose handler asks for
root's password, and signing in by a form, which tells what is no form."""
Headers = Mapping[str, str]


async def _operations(client: Client) -> Sequence[tuple[str, str]]:
    _, described, _ = await client.call("GET", "/openapi.json", None, 200)
    paths: Mapping[str, Mapping[str, object]] = described["paths"]  # type: ignore[index]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods if method != "parameters"]


async def _asked(client: Client, method: str, path: str, headers: Headers) -> tuple[int, bytes]:
    """Status and body of an operation by its path in the description; a change is asked for with an empty object."""
    target = client.url + re.sub(r"\{\w+\}", "default", path)
    body: object = {} if method in ("POST", "PUT") else None
    async with client.session.request(method, target, json=body, headers=headers) as response:
        return response.status, await response.read()


async def test_what_answers_without_credentials_is_a_short_list(attacked: Attacked) -> None:
    """Every operation of the API, the admin dump among them: 401 but for those that are named here."""
    operations = await _operations(attacked.client)
    assert len(operations) > 100
    open_to_all = set()
    for method, path in operations:
        status, _ = await _asked(attacked.client, method, path, {})
        if status != 401:
            open_to_all.add(f"{method} {path}")
    assert open_to_all == PUBLIC
    assert ("GET", "/v4/{project}/admin/dump") in operations


async def test_who_has_no_permission_gets_nothing_from_any_route(attacked: Attacked) -> None:
    """A token alone is worth what everyone gets, and what it says of itself."""
    nobody = await attacked.office.account("nobody", [permission("nothing")])
    its_own = {"GET /v4/self-perms", "POST /v4/accounts/{name}/password"}
    empty = {"GET /v1/{project}/kie/kv"}
    for method, path in await _operations(attacked.client):
        name = f"{method} {path}"
        status, answer = await _asked(attacked.client, method, path, nobody)
        if name in empty:
            assert (status, json.loads(answer)) == (200, {"total": 0, "data": []}), name
        elif name not in PUBLIC | its_own:
            assert status in (401, 403), f"{name}: {status} {answer!r}"


def _paths() -> Iterator[str]:
    for path in (f"{REGISTRY}/microservices", "/v4/default/admin/dump", "/v1/default/kie/kv", "/v4/accounts"):
        first, second, *_ = path[1:].split("/")
        yield from (
            path,
            f"/{path}",
            f"//engine{path}",
            f"{path}/",
            f"{path}//",
            f"{path}/.",
            f"{path}/..{path}",
            f"/.{path}",
            f"/health/..{path}",
            f"/v4/token/..{path}",
            f"/health/%2e%2e{path}",
            f"/health%2f..{path}",
            f"/health;{path}",
            f"{path};/health",
            f"{path};jsessionid=1",
            f"{path}%3b",
            f"{path}%00",
            f"{path}%00.html",
            f"{path}.json",
            f"{path}?/health",
            f"{path}?x=/v4/token",
            f"{path}%3f",
            f"{path}%23/health",
            path.upper(),
            path.title(),
            f"/%{ord(first[0]):x}{first[1:]}/{path.partition(f'/{first}/')[2]}",
            path.replace(second, second[:-1] + f"%{ord(second[-1]):02X}", 1),
            path.replace("/", "%2f"),
            "/" + path[1:].replace("/", "%2F", 1),
            path.replace("/", "\\"),
            path.replace("/", "/./"),
            path.replace("/", "/%2e/"),
            f"http://engine{path}",
            f"http://127.0.0.1@engine{path}",
            f"https://engine{path}",
            f"HTTP://engine{path}",
            f"http://engine/health/..{path}",
            f"http:/{path}",
        )


async def test_no_way_of_writing_a_path_goes_around_the_door(attacked: Attacked) -> None:
    """It is refused, redirected, or unknown: in no way is it answered. Nor is what was refused remembered as allowed."""
    for path in dict.fromkeys(_paths()):
        for method in ("GET", "HEAD", "OPTIONS", "get", "PATCH", "TRACE", "POST"):
            async with connect(attacked.engine.port) as connection:
                answer = await connection.exchange(request(method, path), no_body=method == "HEAD")
            assert answer.status != 200 or (method == "OPTIONS" and not answer.body), f"{method} {path}"
            assert not 200 < answer.status < 300, f"{method} {path}: {answer.status}"
            assert answer.status < 500, f"{method} {path}: {answer.status}"
            assert SECRET.encode() not in answer.body, f"{method} {path}"


async def test_a_path_means_to_the_door_what_it_means_to_the_handler(attacked: Attacked) -> None:
    """Whoever may see one service alone gets no other's by writing it in another way, on either path."""
    own = await attacked.office.account("path-own", [permission("service", serviceName="orders")])
    async with connect(attacked.engine.port) as connection:
        for _ in range(4):
            good = await connection.exchange(request("GET", f"{REGISTRY}/microservices/%6frders-id", b"", **own))
            assert good.status == 200
        for path in (
            f"/microservices/{SECRET}-id",
            "/microservices/%6eot-for-everyone-id",
            f"/microservices/orders-id/../{SECRET}-id",
            f"/microservices/orders-id%2f..%2f{SECRET}-id",
            f"/microservices/{SECRET}-id?serviceId=orders-id",
            f"/microservices/{SECRET}-id/instances?serviceName=orders",
            f"/instances?appId=default&serviceName={SECRET}&serviceName=orders",
            f"/instances?appId=default&servicename=orders&serviceName={SECRET}",
            "/instances?appId=default&serviceName=%6eot-for-everyone",
            f"/existence?type=schema&serviceId={SECRET}-id&serviceId=orders-id",
        ):
            for _ in range(3):
                answer = await connection.exchange(request("GET", REGISTRY + path, b"", **own))
                assert answer.status in (301, 400, 401, 403, 404), path
                assert b"10.0.0.1" not in answer.body, path


_TRICKS: Sequence[Headers] = (
    {"User-Agent": "Nacos-Server"},
    {"serverIdentity": "security"},
    {"X-Original-URL": "/health"},
    {"X-Rewrite-URL": "/health"},
    {"X-Forwarded-Prefix": "/health"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1;by=engine"},
    {"X-HTTP-Method-Override": "OPTIONS"},
    {"X-Method-Override": "OPTIONS"},
    {"X-Forwarded-User": "root"},
    {"X-Waggle-Author": "root"},
    {"X-ConsumerId": "orders-id"},
    {"X-Domain-Name": "root"},
    {"Host": "localhost"},
    {"Referer": "http://127.0.0.1:30100/"},
    {"Cookie": "token={token}; Authorization=Bearer {token}"},
    {"Proxy-Authorization": "Bearer {token}"},
    {"X-Authorization": "Bearer {token}"},
    {"X-Auth-Token": "{token}"},
    {"accessToken": "{token}"},
    {"Sec-WebSocket-Protocol": "Bearer, {token}"},
    {"Authorization_": "Bearer {token}"},
)


async def test_no_header_but_authorization_lets_anybody_in(attacked: Attacked) -> None:
    """Neither names that proxies and other registries believe, nor a good token in the wrong place."""
    token = attacked.office.root["Authorization"].split()[1]
    names = [f"{prefix}-{name}" for prefix in ("X", "Waggle") for name in ("Root", "Admin", "Internal", "Peer", "Auth")]
    for trick in (*_TRICKS, *({name: "true"} for name in names)):
        headers = {name: value.format(token=token) for name, value in trick.items()}
        for path in (f"{REGISTRY}/microservices", "/v4/accounts"):
            async with attacked.client.session.get(attacked.client.url + path, headers=headers) as response:
                assert response.status == 401, headers


async def test_a_token_in_the_query_or_the_body_counts_for_nothing(attacked: Attacked) -> None:
    """Addresses are logged by proxies and remembered by browsers."""
    token = attacked.office.root["Authorization"].split()[1]
    for name in ("token", "access_token", "accessToken", "Authorization", "authorization", "jwt"):
        for text in (token, f"Bearer%20{token}"):
            status, _, _ = await attacked.client.call("GET", f"/microservices?{name}={text}")
            assert status == 401, name
    given = {"name": "intruder", "password": "Complicated9!", "roles": ["admin"], "token": token}
    assert (await attacked.client.call("POST", "/v4/accounts", given))[0] == 401


def _encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def _signing_key(engine: EngineProcess) -> str:
    """The private half of the engine's key, as whoever has its data folder has it."""
    with sqlite3.connect(engine.data_dir / "waggle.db") as journal:
        (body,) = journal.execute("SELECT body FROM event WHERE key LIKE 'signing-key/%' ORDER BY revision").fetchall()[
            -1
        ]
    journal.close()
    return str(json.loads(body)["private"])


async def test_a_token_that_the_engine_did_not_sign_lets_nobody_in(attacked: Attacked) -> None:
    """No signature, the public key as a secret, keys that the token brings along or names by a path."""
    head, claims, signature = attacked.office.root["Authorization"].split()[1].split(".")
    kid = jwt.get_unverified_header(attacked.office.root["Authorization"].split()[1])["kid"]
    private = serialization.load_pem_private_key(_signing_key(attacked.engine).encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    own = rsa.generate_private_key(65537, 2048)
    brought = {"jwk": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key())), "jku": "http://127.0.0.1:1/k"}
    payload = {"account": "root", "roles": ["admin"], "exp": 4102444800}
    forged = [
        *(
            f"{_encoded({'alg': alg, 'typ': 'JWT', 'kid': kid})}.{claims}."
            for alg in ("none", "None", "NONE", "nOnE", "")
        ),
        f"{_encoded({'typ': 'JWT', 'kid': kid})}.{claims}.{signature}",
        f"{head}.{claims}.",
        f"{head}.{_encoded(payload)}.{signature}",
        *(f"{_encoded({'alg': alg, 'kid': kid})}.{claims}.{signature}" for alg in ("HS256", "RS256", "ES512", "EdDSA")),
        *(_hmac(public, alg, kid, claims) for alg in ("HS256", "HS384", "HS512")),
        *(
            jwt.encode(payload, own, "RS512", {"kid": name, **brought})
            for name in (kid, "", "../../../../dev/null", "' OR '1'='1", "/dev/null", "x" * 4000)
        ),
    ]
    for token in forged:
        for scheme in ("Bearer", "bearer", "Basic", "Token"):
            status, _, _ = await attacked.client.call("GET", "/microservices", Authorization=f"{scheme} {token}")
            assert status == 401, token
    assert (await attacked.client.call("GET", "/microservices", None, None, **attacked.office.root))[0] == 200


def _hmac(public: bytes, alg: str, kid: str, claims: str) -> str:
    """A token signed with the public key as if it were a shared secret; the library itself would refuse to."""
    signed = f"{_encoded({'alg': alg, 'typ': 'JWT', 'kid': kid})}.{claims}"
    digest = hmac.new(public, signed.encode(), getattr(hashlib, f"sha{alg[2:]}")).digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


async def test_a_token_of_another_engine_lets_nobody_in(attacked: Attacked, tmp_path: Path) -> None:
    """Each has a key of its own, so that root of one is nobody to the other: there is no key that all are shipped with."""
    async with attacked_engine(tmp_path / "data") as other:
        for mine, yours in ((attacked, other), (other, attacked)):
            status, _, _ = await mine.client.call("GET", "/microservices", None, None, **yours.office.root)
            assert status == 401
            await mine.client.call("GET", "/microservices", None, 200, **mine.office.root)


async def test_the_switch_is_not_turned_by_who_may_not(attacked: Attacked) -> None:
    """Neither by nobody nor by a developer; nor does a token in its body count."""
    developer = await attacked.office.account("switcher")
    for headers, wanted in (({}, 401), (developer, 403), ({"Authorization": "Bearer x"}, 401)):
        for body in ({"mode": "off"}, {"mode": "off", "confirm": True}, {"mode": "off", "Password": ""}):
            status, _, _ = await attacked.client.call("PUT", SWITCH, body, None, **headers)
            assert status == wanted, (headers, body)
    assert (await attacked.client.call("GET", SWITCH, None, 200))[1]["mode"] == "enforce"  # type: ignore[index]
