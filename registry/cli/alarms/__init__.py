"""`waggle alarms`: what is wrong, by which rules, and who is told."""

from __future__ import annotations

import typer

from registry.cli.alarms import listing, rules, silences, webhooks
from registry.cli.options import AS_JSON, reaching

alarms = typer.Typer(no_args_is_help=True, help="Alarms: what is wrong, by which rules, and who is told.")
alarms.command("list")(reaching(listing.show, *listing.OPTIONS))
alarms.command("rules")(reaching(rules.show_all, AS_JSON))
alarms.command("set")(reaching(rules.put, *rules.SET_OPTIONS))
alarms.command("delete")(reaching(rules.delete, rules.NAME))
alarms.command("history")(reaching(rules.history, rules.NAME, AS_JSON))
alarms.command("rollback")(reaching(rules.rollback, rules.NAME, rules.TO))
alarms.command("ack")(reaching(silences.acknowledge, *silences.ACK_OPTIONS))
alarms.command("dismiss")(reaching(silences.dismiss, silences.ALARM))
alarms.command("silences")(reaching(silences.show_all, AS_JSON))
alarms.command("silence")(reaching(silences.silence, *silences.SILENCE_OPTIONS))
alarms.command("unsilence")(reaching(silences.unsilence, silences.NAME))
alarms.command("webhooks")(reaching(webhooks.show_all, AS_JSON))
alarms.command("webhook")(reaching(webhooks.put, *webhooks.SET_OPTIONS))
alarms.command("test")(reaching(webhooks.test, webhooks.NAME))
alarms.command("forget")(reaching(webhooks.delete, webhooks.NAME))

commands = typer.Typer()
commands.add_typer(alarms, name="alarms")
