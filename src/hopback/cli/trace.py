"""``hopback trace``: one guest's packets, hop by hop."""

from typing import Literal

import click

from hopback.checks.case import Case
from hopback.cli import exits
from hopback.cli.assume import Assumption, assume_option
from hopback.cli.choose import as_text, choose_server, choose_station
from hopback.cli.output import color_option, emit, page_width, show, tell_problems
from hopback.cli.reading import netns_option, read_sources
from hopback.engines.dhcp import Exchange, follow
from hopback.engines.probe import Probe, probe
from hopback.network.build import build
from hopback.render.probe_view import probe_view_of
from hopback.render.trace_view import view_of
from hopback.snapshot.table import Problem


@click.command("trace")
@click.argument("source")
@click.option(
    "--to",
    "--from",
    "station",
    required=True,
    metavar="GUEST",
    help="The guest: its name, MAC, tap, namespace, or IP address if some table has it.",
)
@click.option(
    "--dhcp",
    "follow_what",
    flag_value="dhcp",
    help="Follow DISCOVER, OFFER, REQUEST and ACK (RFC 2131).",
)
@click.option(
    "--arp",
    "follow_what",
    flag_value="ARP",
    help="Does the guest hear its own ARP probe (RFC 5227)?",
)
@click.option(
    "--nd",
    "follow_what",
    flag_value="NS",
    help="Does the guest hear its own IPv6 duplicate detection (RFC 4862)?",
)
@click.option(
    "--server",
    metavar="PORT",
    help="With --dhcp: the server is beyond this bridge port, or 'host'.  [default: the only way"
    " out of the bridge, else the host]",
)
@click.option("-j", "--json", "as_json", is_flag=True, help="Print one JSON document.")
@netns_option
@assume_option
@color_option
def command(
    source: str,
    station: str,
    follow_what: Literal["dhcp", "ARP", "NS"] | None,
    server: str | None,
    as_json: bool,
    netns: tuple[str, ...],
    assumed: tuple[Assumption, ...],
    color: str,
) -> int:
    """Follow a guest's packets through the tables of SOURCE, hop by hop.

    Each hop shows the row that decides it; where a packet is lost, what the table should say. Exit
    code 0 if all arrive and none comes back, else 1, also if one goes where I cannot see.
    """
    if follow_what is None:
        raise click.UsageError("say what to follow: --dhcp, --arp or --nd")
    if server is not None and follow_what != "dhcp":
        raise click.UsageError("--server goes with --dhcp")
    read = read_sources((source,), netns, assumed)
    tell_problems(read.problems)
    if not read.snapshots:
        return read.code
    case = Case(build(read.snapshots))
    chosen = choose_station(case.network, as_text(station))
    if follow_what == "dhcp":
        place = choose_server(case.network, chosen, server) if server is not None else None
        found = _dhcp(case, follow(case.model, chosen, place), read.problems, as_json, color)
    else:
        found = _probe(case, probe(case.model, chosen, follow_what), read.problems, as_json, color)
    return exits.worst((read.code, exits.FOUND if found else exits.CLEAR))


def _dhcp(
    case: Case, exchange: Exchange, problems: tuple[Problem, ...], as_json: bool, color: str
) -> bool:
    """Show the exchange; whether a message is lost, or not seen to the end."""
    view = view_of(case, exchange)
    if as_json:
        from hopback.render.trace_json_v1 import trace_json

        emit(trace_json(view, problems))
    else:
        from hopback.render.trace_text import render_trace

        show(render_trace(view, page_width()), color)
    return exchange.first_lost is not None or bool(view.filters)


def _probe(
    case: Case, sent: Probe, problems: tuple[Problem, ...], as_json: bool, color: str
) -> bool:
    """Show the probe; whether it comes back, goes round, or is not seen to the end."""
    view = probe_view_of(case, sent)
    if as_json:
        from hopback.render.probe_json_v1 import probe_json

        emit(probe_json(view, problems))
    else:
        from hopback.render.probe_text import render_probe

        show(render_probe(view, page_width()), color)
    return bool(view.returned) or view.circulates or view.unseen is not None
