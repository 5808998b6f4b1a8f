"""`waggle lane`: requests that enter at a gateway go along the new versions of many services, or along the baseline."""

from __future__ import annotations

import typer

from registry.cli.lane import changing, listing
from registry.cli.options import reaching

lane = typer.Typer(
    no_args_is_help=True, help="Lanes: lead requests along the new versions of many services that belong together."
)
lane.command("create")(reaching(changing.create, *changing.CREATE_OPTIONS))
lane.command("list")(reaching(listing.show_all, *listing.LIST_OPTIONS))
lane.command("show")(reaching(listing.show, *listing.SHOW_OPTIONS))
lane.command("on")(reaching(changing.on, *changing.SWITCH_OPTIONS))
lane.command("off")(reaching(changing.off, *changing.SWITCH_OPTIONS))
lane.command("add")(reaching(changing.add, *changing.ADD_OPTIONS))
lane.command("remove")(reaching(changing.remove, *changing.LANE_OPTIONS))
lane.command("add-component")(reaching(changing.add_component, *changing.COMPONENT_OPTIONS))
lane.command("remove-component")(reaching(changing.remove_component, *changing.COMPONENT_OPTIONS))
lane.command("rules")(reaching(changing.rules, *changing.RULES_OPTIONS))
lane.command("share")(reaching(changing.share, *changing.SHARE_OPTIONS))
lane.command("delete")(reaching(changing.delete, *changing.DELETE_OPTIONS))
lane.command("history")(reaching(listing.history, *listing.SHOW_OPTIONS))
lane.command("rollback")(reaching(changing.rollback, *changing.ROLLBACK_OPTIONS))

commands = typer.Typer()
commands.add_typer(lane, name="lane")
