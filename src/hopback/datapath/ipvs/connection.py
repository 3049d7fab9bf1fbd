"""Connections: which packets begin one, and where those of a known one go.

net/netfilter/ipvs/ip_vs_core.c:ip_vs_in_hook, ip_vs_proto_tcp.c:tcp_conn_schedule; Linux 6.12.
"""

from collections.abc import Iterator

from hopback.datapath.effects import Blind, Drop, Why
from hopback.datapath.ipvs.choose import by_address
from hopback.datapath.ipvs.packet import chunk_of, tcp_flags
from hopback.datapath.ipvs.state import Chosen, Director, Known, Server, Service
from hopback.datapath.skb import Tuple
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.tcp import RST, SYN
from hopback.network.facts import merge_refs

_OVER = frozenset({"TIME_WAIT", "CLOSE"})
_CLOSING = "FIN_WAIT"
_INIT, _ABORT = 1, 6


def continued(director: Director, at: Tuple, known: Known) -> Chosen | Drop | Blind | None:
    """The server of the connection; None if it is gone, and another is to be chosen."""
    services = tuple(_possible(director, at))
    servers = [server for s in services if (server := server_of(s, known)) is not None]
    if servers and len({server.method for server in servers}) == 1:
        refs = merge_refs(known.refs, servers[0].refs)
        return Chosen(known.server, known.port, servers[0].method, servers[0], refs)
    complete = director.complete and all(service.complete for service in services)
    if servers or not services or not complete:
        return Blind("the method of an IPVS connection, which no listing tells", known.refs)
    expires = director.setting("expire_nodest_conn")
    if expires.value:
        return None
    refs = merge_refs(known.refs, *(service.refs for service in services), expires.refs)
    return Drop(Why("ipvs-server-gone", refs))


def _possible(director: Director, at: Tuple) -> Iterator[Service]:
    """The services that may have made a connection: its packets need not have the mark any more."""
    found = by_address(director, at)
    if found is not None:
        yield found
    for service in director.services:
        if service.address is None and service.family == at.target.version:
            yield service


def server_of(service: Service, known: Known) -> Server | None:
    """The server of a connection (ip_vs_find_dest).

    One of a service of all ports has none of its own, or one that only some connections go to
    (ip_vs_sched_persist).
    """
    same = [server for server in service.servers if server.address == known.server]
    exact = next((server for server in same if server.port in (known.port, 0)), None)
    if exact is None and service.client is not None and len(same) == 1:
        return same[0]
    return exact


def begins_anew(director: Director, packet: Ipv4 | Ipv6, at: Tuple, known: Known) -> bool:
    """Whether a SYN takes the place of its connection: of one that is over, or whose server is
    about to go (is_new_conn_expected). What persistence has made stays.
    """
    if not (tcp_flags(packet) or 0) & SYN and chunk_of(packet) != _INIT:
        return False
    services = tuple(_possible(director, at))
    server = next((found for s in services if (found := server_of(s, known)) is not None), None)
    weightless = server is not None and server.weight == 0
    if weightless and director.setting("expire_nodest_conn").value:
        return director.kernel.ipvs_leaves_weightless
    lasting = any(service.client is not None for service in services)
    mode = director.setting("conn_reuse_mode", 1).value
    if not mode or not director.kernel.ipvs_conn_reuse or lasting:
        return False
    answers = server is not None and server.method == "masq"
    return known.state in _OVER or bool(mode & 2 and known.state == _CLOSING and not answers)


def may_begin(director: Director, packet: Ipv4 | Ipv6) -> bool:
    """Whether it is the first packet of a connection, or any will do (sloppy_tcp, sloppy_sctp)."""
    flags, chunk = tcp_flags(packet), chunk_of(packet)
    if flags is not None:
        sloppy = director.setting("sloppy_tcp").value
        return not flags & RST and bool(flags & SYN or sloppy)
    if chunk is None:
        return True
    return chunk == _INIT or (chunk != _ABORT and bool(director.setting("sloppy_sctp").value))
