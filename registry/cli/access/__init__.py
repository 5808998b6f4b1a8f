"""`waggle access`, `account`, `role`, `login` and `logout`: who may do what, and from when on."""

from __future__ import annotations

import typer

from registry.cli.access import accounts, readiness, roles, switch
from registry.cli.access.login import LOGIN_OPTIONS, login, logout
from registry.cli.options import AS_JSON, reaching

access = typer.Typer(no_args_is_help=True, help="Access control: off, observe, enforce, while the engine runs.")
access.command("show")(reaching(switch.show, *switch.SHOW_OPTIONS))
access.command("off")(reaching(switch.off, AS_JSON))
access.command("observe")(reaching(switch.observe, AS_JSON))
access.command("enforce")(reaching(switch.enforce, *switch.ENFORCE_OPTIONS))
access.command("readiness")(reaching(readiness.readiness, *switch.SCOPE_OPTIONS, AS_JSON))
access.command("rotate")(reaching(switch.rotate, AS_JSON))
account = typer.Typer(no_args_is_help=True, help="Accounts: who may sign in, with which roles.")
account.command("list")(reaching(accounts.show_all, *accounts.LIST_OPTIONS))
account.command("create")(reaching(accounts.create, *accounts.CREATE_OPTIONS))
account.command("roles")(reaching(accounts.set_roles, *accounts.ROLES_OPTIONS))
account.command("password")(reaching(accounts.set_password, accounts.NAME))
account.command("delete")(reaching(accounts.delete, accounts.NAME))
role = typer.Typer(no_args_is_help=True, help="Roles: what the accounts that have them may do.")
role.command("list")(reaching(roles.show_all, *roles.LIST_OPTIONS))
role.command("show")(reaching(roles.show, *roles.SHOW_OPTIONS))
role.command("set")(reaching(roles.set_permissions, *roles.SET_OPTIONS))
role.command("delete")(reaching(roles.delete, *roles.DELETE_OPTIONS))

commands = typer.Typer()
commands.add_typer(access, name="access")
commands.add_typer(account, name="account")
commands.add_typer(role, name="role")
commands.command("login")(reaching(login, *LOGIN_OPTIONS))
commands.command("logout")(reaching(logout))
