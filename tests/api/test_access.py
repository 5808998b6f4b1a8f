"""Tokens and the switch between off, observe and enforce, over HTTP. Protocol: Service Center section 14; decision 005."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import jwt
import pytest

from tests.api.access import PASSWORD, ROOT_PASSWORD, SWITCH, account, code, guarded_engine, signed_in, wrong
from tests.engine import Client

ROUTES = (
    ("POST", "/v4/token"),
    ("GET", "/v4/accounts"),
    ("POST", "/v4/accounts"),
    ("POST", "/v4/accounts/batch-create"),
    ("PUT", "/v4/accounts/root"),
    ("POST", "/v4/accounts/root/password"),
    ("GET", "/v4/roles"),
    ("DELETE", "/v4/roles/developer"),
    ("GET", "/v4/self-perms"),
    ("GET", "/v4/account-locks"),
    ("POST", f"{SWITCH}/keys/rotate"),
    ("GET", "/v4/token"),
)


async def test_while_access_is_off_there_are_no_tokens_and_nobody_looks_at_one(client: Client) -> None:
    for method, path in ROUTES:
        async with client.session.request(method, client.url + path, json={}) as response:
            assert (response.status, await response.read()) == (404, b"404 page not found\n"), f"{method} {path}"
    for header in ("Bearer invalid", "rubbish", "Basic cm9vdDpyb290"):
        await client.call("GET", "/microservices", expect=200, Authorization=header)
    assert (await client.call("GET", SWITCH, None, 200))[1] == {
        "mode": "off",
        "scope": {"resources": [], "applications": [], "environments": []},
    }


async def test_the_switch_needs_root_s_password_where_access_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded_engine(tmp_path / "data", "off", monkeypatch) as (_, client):
        assert await code(client, "PUT", SWITCH, {"mode": "enforce"}) == "401204"
        assert await code(client, "PUT", SWITCH, {"mode": "enforce"}, Authorization="Bearer x") == "401201"
        assert await code(client, "PUT", SWITCH, {"mode": "enforce", "password": "Wrong1!aaa"}) == "401202"
        for body in ({}, {"mode": "on"}, {"mode": 1}, {"mode": "enforce", "scope": {"resources": "config"}}):
            assert await code(client, "PUT", SWITCH, {**body, "password": ROOT_PASSWORD}) == "400001"
        assert (await client.call("GET", SWITCH))[1]["mode"] == "off"  # type: ignore[index]
        _, answer, _ = await client.call("PUT", SWITCH, {"mode": "observe", "password": ROOT_PASSWORD}, 200)
        assert answer["mode"] == "observe"  # type: ignore[index]
        assert await signed_in(client)


async def test_a_part_that_there_is_not_is_refused_and_nothing_is_switched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resource with a slip of the pen would enforce nothing at all, and readiness of it would say that nobody breaks."""
    async with guarded_engine(tmp_path / "data", "observe", monkeypatch) as (_, client):
        root = await signed_in(client)
        for resource in ("configs", "Config", "", "account"):
            scope = {"resources": ["service", resource]}
            given = {"mode": "enforce", "scope": scope, "confirm": True}
            assert await code(client, "PUT", SWITCH, given, Authorization=root) == "400001", resource
            asked = f"{SWITCH}/readiness?resource=service&resource={resource}"
            assert await code(client, "GET", asked, Authorization=root) == "400001", resource
        assert (await client.call("GET", SWITCH))[1]["mode"] == "observe"  # type: ignore[index]
        for resource in ("service", "service/schema", "config", "governance", "ops"):
            await client.call("GET", f"{SWITCH}/readiness?resource={resource}", None, 200, Authorization=root)


async def test_a_guesser_of_root_s_password_is_locked_out_of_the_switch_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded_engine(tmp_path / "data", "off", monkeypatch) as (_, client):
        body = {"mode": "off", "password": "Wrong1!aaa"}
        assert [await code(client, "PUT", SWITCH, body) for _ in range(4)] == [*["401202"] * 3, "403201"]
        assert await code(client, "PUT", SWITCH, {"mode": "observe", "password": ROOT_PASSWORD}) == "403201"


async def test_a_token_switches_where_its_roles_allow_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded_engine(tmp_path / "data", "observe", monkeypatch) as (_, client):
        root = await signed_in(client)
        developer = await account(client, root, "dev")
        assert await code(client, "PUT", SWITCH, {"mode": "off"}, Authorization=developer) == "403205"
        scope = {"resources": ["config"], "applications": ["shop"], "environments": ["production"]}
        _, answer, _ = await client.call(
            "PUT", SWITCH, {"mode": "enforce", "scope": scope, "confirm": True}, 200, Authorization=root
        )
        assert answer == {"mode": "enforce", "scope": scope}
        perms = [{"resources": [{"type": "access"}], "verbs": ["update"]}]
        await client.call("POST", "/v4/roles", {"name": "switcher", "perms": perms}, 200, Authorization=root)
        switcher = await account(client, root, "operator", "switcher")
        await client.call("PUT", SWITCH, {"mode": "off"}, 200, Authorization=switcher)
        assert (await client.call("POST", "/v4/token", {}))[0] == 404


async def test_observing_issues_real_tokens_tells_wrong_accounts_to_ask_again_and_locks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """401302 is what Java clients come back after, once they are refused."""
    async with guarded_engine(tmp_path / "data", "observe", monkeypatch) as (_, client):
        for name in ("root", "not-yet-created"):
            assert [await wrong(client, name) for _ in range(6)] == ["401302"] * 6
        root = await signed_in(client)
        assert (await client.call("GET", "/v4/account-locks", None, 200, Authorization=root))[1] == {
            "total": 0,
            "data": [],
        }
        for header in ({}, {"Authorization": "Bearer invalid"}, {"Authorization": root}):
            await client.call("GET", "/microservices", None, 200, **header)


async def test_observing_lets_nobody_make_accounts_without_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guarded_engine(tmp_path / "data", "observe", monkeypatch) as (_, client):
        new = {"name": "mine", "password": PASSWORD, "roles": ["admin"]}
        assert await code(client, "POST", "/v4/accounts", new) == "401204"
        assert await code(client, "GET", "/v4/accounts", None, Authorization="Bearer invalid") == "401201"
        assert await code(client, "POST", "/v4/roles", {"name": "mine", "perms": []}) == "401204"
        assert await code(client, "POST", "/v4/accounts/root/password", {"password": PASSWORD}) == "401204"
        assert await code(client, "GET", "/v4/self-perms") == "401204"
        assert await code(client, "POST", f"{SWITCH}/keys/rotate") == "401204"
        developer = await account(client, await signed_in(client), "dev")
        assert await code(client, "POST", "/v4/accounts", new, Authorization=developer) == "403205"
        assert await code(client, "POST", f"{SWITCH}/keys/rotate", Authorization=developer) == "403205"


async def test_three_wrong_passwords_lock_a_name_whether_there_is_such_an_account_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever guesses learns nothing of which names there are."""
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch) as (_, client):
        root = await signed_in(client)
        developer = await account(client, root, "dev")
        for name in ("dev", "nobody"):
            assert [await wrong(client, name) for _ in range(5)] == [*["401202"] * 3, *["403201"] * 2]
        assert await code(client, "POST", "/v4/token", {"name": "dev", "password": PASSWORD}) == "403201"
        assert await code(client, "POST", "/v4/token", {"name": "nobody", "password": PASSWORD}) == "403201"
        for new in (PASSWORD, "Complicated3!"):
            given = {"password": new, "currentPassword": PASSWORD}
            asked = await code(client, "POST", "/v4/accounts/dev/password", given, Authorization=developer)
            assert asked == "403201", "a password is not tried by changing it, either"
        _, locks, _ = await client.call("GET", "/v4/account-locks", None, 200, Authorization=root)
        assert locks["total"] == 2  # type: ignore[index]
        assert {(row["key"], row["status"]) for row in locks["data"]} == {  # type: ignore[index]
            ("dev::127.0.0.1", "banned"),
            ("nobody::127.0.0.1", "banned"),
        }
        assert all(0 < row["releaseAt"] - time.time() <= 901 for row in locks["data"])  # type: ignore[index]
        await signed_in(client)


async def test_many_guesses_at_once_are_no_more_than_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch) as (_, client):
        codes = await asyncio.gather(*(wrong(client, "root") for _ in range(20)))
        assert sorted(codes) == [*["401202"] * 3, *["403201"] * 17]


async def test_nobody_locks_others_out_by_saying_that_he_is_they(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header that anyone can write counts only from a proxy that was named as one."""
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch) as (_, client):
        for number in range(3):
            forged = {"X_Forwarded_For": f"10.0.0.{number}", "X_Real_Ip": "10.0.0.9"}
            assert await wrong(client, "root", **forged) == "401202"
        assert await wrong(client, "root", X_Forwarded_For="10.0.0.77") == "403201", "nor escapes so"


async def test_behind_a_trusted_proxy_each_client_has_its_own_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies = "127.0.0.0/8,10.9.9.9"
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch, trusted_proxies=proxies) as (_, client):
        for _ in range(3):
            assert await wrong(client, "root", X_Forwarded_For="1.2.3.4, 10.0.0.6, 10.9.9.9") == "401202"
        assert await wrong(client, "root", X_Forwarded_For="10.0.0.6") == "403201"
        right = {"name": "root", "password": ROOT_PASSWORD}
        await client.call("POST", "/v4/token", right, 200, X_Forwarded_For="10.0.0.7")
        await client.call("POST", "/v4/token", right, 200)


async def test_one_machine_is_one_address_however_many_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of IPv6 that one machine may have all of, ports that a proxy adds, and IPv4 in its other form escape no lock."""
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch, trusted_proxies="127.0.0.1") as (_, client):
        for same, another in (
            (("2001:db8::1", "2001:db8::2", "[2001:db8::3]:4711", "2001:DB8:0:0:ffff::4"), "2001:db8:0:1::1"),
            (("10.0.0.1:1", "10.0.0.1:2", "10.0.0.1", "::ffff:10.0.0.1"), "10.0.0.2:1"),
            (("fe80::1%a", "fe80::2%b", "fe80::3%a", "fe80::1%a"), "fe80:0:0:1::1%a"),
        ):
            codes = [await wrong(client, "root", X_Forwarded_For=address) for address in (*same, another)]
            assert codes == [*["401202"] * 3, "403201", "401202"]


async def test_one_address_may_try_only_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"token_rate": 3, "trusted_proxies": "127.0.0.1"}
    async with guarded_engine(tmp_path / "data", "observe", monkeypatch, **settings) as (_, client):
        tries = [await wrong(client, f"name-{number}", X_Forwarded_For="10.0.0.6") for number in range(4)]
        assert tries == [*["401302"] * 3, "429001"]
        body = {"mode": "off", "password": ROOT_PASSWORD}
        assert await code(client, "PUT", SWITCH, body, X_Forwarded_For="10.0.0.6") == "429001"
        await client.call(
            "POST", "/v4/token", {"name": "root", "password": ROOT_PASSWORD}, 200, X_Forwarded_For="10.0.0.7"
        )


async def test_a_flood_of_sign_ins_lets_heartbeats_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded_engine(tmp_path / "data", "observe", monkeypatch) as (_, client):
        service = await client.service("cart")
        instance = await client.instance(service)
        flood = [asyncio.create_task(wrong(client, f"name-{number}")) for number in range(40)]
        for _ in range(20):
            await client.call("PUT", f"/microservices/{service}/instances/{instance}/heartbeat", None, 200)
        assert sum(not task.done() for task in flood) > 10, "they were answered meanwhile"
        assert set(await asyncio.gather(*flood)) == {"401302"}


async def test_a_rotation_of_keys_logs_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded_engine(tmp_path / "data", "enforce", monkeypatch) as (engine, client):
        before = await signed_in(client)
        _, answer, _ = await client.call("POST", f"{SWITCH}/keys/rotate", None, 200, Authorization=before)
        after = await signed_in(client)
        keys = [jwt.get_unverified_header(header.split()[1])["kid"] for header in (before, after)]
        assert keys[0] != keys[1] == answer["key"]  # type: ignore[index]
        for _ in range(2):
            for header in (before, after):
                await client.call("GET", "/v4/accounts", None, 200, Authorization=header)
            await engine.kill()
            await engine.start()


async def test_everything_is_there_after_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded_engine(tmp_path / "data", "observe", monkeypatch) as (engine, client):
        root = await signed_in(client)
        perms = [{"resources": [{"type": "service", "labels": {"serviceName": "orders"}}], "verbs": ["get"]}]
        await client.call("POST", "/v4/roles", {"name": "reader", "perms": perms}, 200, Authorization=root)
        reader = await account(client, root, "reader", "reader")
        gone = await account(client, root, "gone")
        await client.call("DELETE", "/v4/accounts/gone", None, 200, Authorization=root)
        scope = {"resources": ["config"], "applications": [], "environments": []}
        await client.call("PUT", SWITCH, {"mode": "enforce", "scope": scope, "confirm": True}, 200, Authorization=root)
        monkeypatch.setenv("SC_INIT_ROOT_PASSWORD", "Another1!aaa")
        engine.settings["access"] = "off"
        await engine.kill()
        await engine.start()
        assert (await client.call("GET", SWITCH, None, 200))[1] == {"mode": "enforce", "scope": scope}, "not the flag's"
        assert "access.setting_ignored" not in engine.log.read_text(), "off is the default, nobody has asked for it"
        assert (await client.call("GET", "/v4/self-perms", None, 200, Authorization=reader))[1] == {"perms": perms}
        assert await code(client, "GET", "/v4/self-perms", None, Authorization=gone) == "401206"
        await signed_in(client, "reader", PASSWORD)
        assert await wrong(client, "root") == "401302", "only the configuration is closed"
        await signed_in(client)
        _, answer, _ = await client.call("GET", "/v4/accounts", None, 200, Authorization=root)
        assert [row["name"] for row in answer["data"]] == ["reader", "root"]  # type: ignore[index]
