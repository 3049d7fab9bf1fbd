"""Where packets of a connection go that IPVS knows (ip_vs_core.c, ip_vs_conn.c; Linux 6.12)."""

from hopback.datapath.effects import Ask, Blind, Drop, Why
from hopback.datapath.ipvs.choose import service_of
from hopback.datapath.ipvs.packet import Layer
from hopback.datapath.ipvs.state import Chosen, Known, Server, Service
from hopback.datapath.skb import Tuple
from hopback.network.facts import merge_refs


def continued(
    layer: Layer, at: Tuple, known: Known, mark: int
) -> Chosen | Drop | Ask | Blind | None:
    """The server of the connection; None if it is gone, and another is to be chosen."""
    director = layer.director
    service = service_of(director, layer.world, at, mark)
    if isinstance(service, Ask | Blind):
        return service
    server = server_of(service, known) if service else None
    if server is not None:
        refs = merge_refs(known.refs, server.refs)
        return Chosen(known.server, known.port, server.method, server, refs)
    if service is None or not service.complete:
        return Blind("the method of an IPVS connection whose server is not listed", known.refs)
    expires = director.setting("expire_nodest_conn")
    if expires.value:
        return None
    return Drop(Why("ipvs-server-gone", merge_refs(known.refs, service.refs, expires.refs)))


def server_of(service: Service, known: Known) -> Server | None:
    """The server of a connection (ip_vs_find_dest); a service of all ports has it with none."""
    return next(
        (s for s in service.servers if s.address == known.server and s.port in (known.port, 0)),
        None,
    )
