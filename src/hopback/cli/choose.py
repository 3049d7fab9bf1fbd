"""Finds the station, and the server's place, that a command line names."""

from collections.abc import Iterable

import click

from hopback.datapath.effects import Place
from hopback.datapath.model import Model
from hopback.frames.mac import format_mac, parse_mac
from hopback.network.addresses import addresses_of
from hopback.network.facts import DevId
from hopback.network.model import Network, Station

_LISTED = 20


def choose_station(network: Network, text: str) -> Station:
    """The one station that ``text`` names: by guest, MAC, port, namespace or address.

    Raises click.UsageError, listing the candidates, if none or several answer to it.
    """
    found = [s for s in network.stations if text.lower() in _names(network, s)]
    if len(found) == 1:
        return found[0]
    if found:
        raise click.UsageError(f"{text!r} may be any of:\n{_list(found)}")
    if not network.stations:
        raise click.UsageError(
            "nothing given tells who is behind which bridge port: I need libvirt's definition"
            " (virsh dumpxml), the taps' addresses (ip link, brctl showmacs), or the namespaces"
        )
    raise click.UsageError(f"no station {text!r}; there are:\n{_list(network.stations)}")


def choose_only(model: Model) -> Station:
    """The station that needs no name: the only one, or the only one its table has out there.

    Raises click.UsageError, listing the candidates, if there is no such station; or saying that
    the directors given instead make no ring.
    """
    network = model.network
    astray = [s for s in network.stations if _is_astray(model, s)]
    if len(astray) == 1:
        return astray[0]
    if len(network.stations) == 1:
        return network.stations[0]
    if not network.stations and any(s.ipvs_services.rows for s in network.snapshots.values()):
        raise click.UsageError(
            "what was given makes no ring of directors: are the tables of the other one missing?"
        )
    if not network.stations:
        return choose_station(network, "")
    raise click.UsageError(f"say which guest (--to); there are:\n{_list(network.stations)}")


def _is_astray(model: Model, station: Station) -> bool:
    entry = model.entry_of(station)
    ways_out = {port.id for port in model.network.ways_out(station.bridge)}
    return entry is not None and entry.port in ways_out


def _names(network: Network, station: Station) -> set[str]:
    names = {station.name, format_mac(station.mac), station.port.name}
    if station.device is not None:
        names |= {station.device.name, station.device.netns}
    names |= {str(address) for address in addresses_of(network, station)}
    return {name.lower() for name in names if name}


def _list(stations: Iterable[Station]) -> str:
    every = list(stations)
    lines = [
        f"  {format_mac(s.mac)}  {s.name if s.name != format_mac(s.mac) else ''}"
        f"  on {s.port.name} of {s.bridge.name}{f' ({s.port.host})' if s.port.host else ''}"
        for s in every[:_LISTED]
    ]
    if len(every) > _LISTED:
        lines.append(f"  and {len(every) - _LISTED} more")
    return "\n".join(lines)


def choose_server(network: Network, station: Station, text: str) -> Place:
    """Where the server is: ``host``, or beyond the port (of the station's bridge) ``text``.

    Raises click.UsageError, listing the ports, for any other name.
    """
    if text == "host":
        return Place(station.bridge, "out")
    ports = network.bridges[station.bridge].ports
    wanted = DevId(station.bridge.host, station.bridge.netns, text)
    if wanted in ports and wanted != station.port:
        return Place(wanted, "in")
    names = ", ".join(p.name for p in ports if p != station.port)
    raise click.UsageError(f"no port {text!r} on {station.bridge.name}; there are: host, {names}")


def as_text(mac: str) -> str:
    """``mac`` as stations spell theirs, if it is one; else unchanged."""
    try:
        return format_mac(parse_mac(mac))
    except ValueError:
        return mac
