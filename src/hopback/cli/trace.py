"""``hopback trace``: one guest's packets, hop by hop."""

import click

from hopback.checks.case import Case
from hopback.cli import exits
from hopback.cli.choose import as_text, choose_server, choose_station
from hopback.cli.output import color_option, emit, page_width, show, tell_problems
from hopback.cli.reading import netns_option, read_sources
from hopback.engines.dhcp import follow
from hopback.network.build import build
from hopback.render.trace_view import view_of


@click.command("trace")
@click.argument("source")
@click.option(
    "--to",
    "station",
    required=True,
    metavar="GUEST",
    help="The guest: its name, MAC, tap, namespace, or IP address if some table has it.",
)
@click.option("--dhcp", is_flag=True, help="Follow DISCOVER, OFFER, REQUEST and ACK (RFC 2131).")
@click.option(
    "--server",
    metavar="PORT",
    help="Where the DHCP server is: beyond this bridge port, or 'host'.  [default: the only way"
    " out of the bridge, else the host]",
)
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON document.")
@netns_option
@color_option
def command(
    source: str,
    station: str,
    dhcp: bool,
    server: str | None,
    as_json: bool,
    netns: tuple[str, ...],
    color: str,
) -> int:
    """Follow a guest's packets through the tables of SOURCE, hop by hop.

    Each hop shows the row that decides it; where a packet is lost, what the table should say. Exit
    code 0 if all arrive, 1 if one is lost or goes where I cannot see.
    """
    if not dhcp:
        raise click.UsageError("say what to follow: --dhcp")
    read = read_sources((source,), netns)
    tell_problems(read.problems)
    if not read.snapshots:
        return read.code
    case = Case(build(read.snapshots))
    chosen = choose_station(case.network, as_text(station))
    place = choose_server(case.network, chosen, server) if server else None
    exchange = follow(case.model, chosen, place)
    view = view_of(case, exchange)
    if as_json:
        from hopback.render.trace_json_v1 import trace_json

        emit(trace_json(view, read.problems))
    else:
        from hopback.render.trace_text import render_trace

        show(render_trace(view, page_width()), color)
    return exits.worst((read.code, exits.FOUND if exchange.first_lost else exits.CLEAR))
