"""own_server: the director that hands back serves what it is sent itself, and the other no more.

That takes the mutual relation away on one side. A server that is an address of the host is no
transmission: the packet goes on up the stack (ip_vs_xmit.c:__ip_vs_get_out_rt, ``local``).
"""

from msgspec.structs import replace

from hopback.checks.directors import Server
from hopback.checks.words import named
from hopback.findings import Fix
from hopback.network.identifiers import canonical
from hopback.remedies.ipvs_ring import (
    Directed,
    add_server,
    inside,
    own_of,
    server_words,
    without_server,
)
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Edit
from hopback.snapshot.rows import IpvsServer
from hopback.snapshot.table import Cite

NAME = "own_server"


def plan(ring: Directed) -> Fix | None:
    """Itself instead of the peer. None where the ring is not closed by a server."""
    own = own_of(ring)
    if own is None:
        return None
    tool = f"{inside(ring.where)}ipvsadm"
    peer = ring.back.server
    commands, undo = [f"{tool} -d {server_words(peer.row)}"], [f"{tool} {add_server(peer.row)}"]
    if not _has(ring, own):
        new = _new(ring, own)
        commands.insert(0, f"{tool} {add_server(new)}")
        undo.append(f"{tool} -d {server_words(new)}")
    return Fix(
        name=NAME,
        host=ring.where.host,
        commands=tuple(commands),
        undo=tuple(undo),
        limits=(
            f"As master {named(ring.where.host)} gives {peer.address} nothing any more. keepalived"
            " enters it again: take it out of its configuration."
        ),
        blast_radius=f"{ring.back.service.title} on {named(ring.where.host)}",
    )


def edits(snapshot: Snapshot, ring: Directed) -> tuple[Edit, ...]:
    """The table with itself as a server, and without the peer."""
    own = own_of(ring)
    removed = tuple(without_server(snapshot, ring.back.service, ring.back.server.address))
    if own is None or _has(ring, own):
        return removed
    new = replace(_new(ring, own), cite=Cite(len(snapshot.sources), 1))
    return Add(new), *removed


def _has(ring: Directed, own: Server) -> bool:
    servers = ring.back.service.servers
    return any(s.method == "local" or canonical(s.address) == own.address for s in servers)


def _new(ring: Directed, own: Server) -> IpvsServer:
    """As the peer was entered, with the address by which the peer knows this host."""
    return replace(ring.back.server.row, server=own.address, method="route", weight=1, tunnel=None)
