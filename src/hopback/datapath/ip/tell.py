"""A host tells the sender of a packet by ICMP what became of it.

net/ipv4/icmp.c:__icmp_send, icmp_route_lookup; net/ipv6/icmp.c:icmp6_send (Linux 6.12). What no
table tells of the error's own way, such as the neighbour's MAC, is taken to be as usual: the way of
the packet that it is about does not hang on it.
"""

from ipaddress import IPv4Address
from typing import NamedTuple

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Deliver, Drop, Effect, Send, Tell, Why
from hopback.datapath.ip.choose import choose4
from hopback.datapath.ip.errors import Error, error_by, error_of, error_packet, is_allowed, tos_of
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.layer import IpLayer, Stop
from hopback.datapath.ip.output import transmit
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ip.settings import is_on, of_device
from hopback.datapath.ip.source_address import DUMMY, Source, source4, source6, source_of
from hopback.datapath.ipvs.packet import Decision, Told
from hopback.datapath.skb import FRESH, Ip, Skb
from hopback.frames import icmp
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import ZERO
from hopback.network.facts import Ref, merge_refs

_ASKED_MAX = 6


class _Back(NamedTuple):
    """The way of an error, and the source that it has."""

    way: Way
    source: Ip
    refs: tuple[Ref, ...] = ()


def told_of(layer: IpLayer, up: Deliver, dropped: Effect, mtu: int = 0) -> tuple[Tell, ...]:
    """What is told of a packet that was dropped, if by the rule that dropped it anything is."""
    about = packet_of(up.frame)
    if about is None or not isinstance(dropped, Drop):
        return ()
    error = error_by(dropped.why.rule, about, mtu)
    return tell(layer, replace(up, why=dropped.why), error) if error else ()


def told_by_ipvs(
    layer: IpLayer, up: Deliver, decision: Decision, *, local: bool
) -> tuple[Tell, ...]:
    """What IPVS lets the host tell of the packet that came up as ``up``; see ``tell``."""
    about = packet_of(decision.frame) if isinstance(decision, Told) else None
    if about is None or not isinstance(decision, Told):
        return ()
    quoted = replace(up, frame=decision.frame, why=decision.why)
    return tell(layer, quoted, error_of(decision.kind, about, decision.mtu), local=local)


def tell(layer: IpLayer, up: Deliver, error: Error, *, local: bool = False) -> tuple[Tell, ...]:
    """What the sender of the packet in ``up`` is told, if it is told anything.

    The packet is quoted as it is there; ``up.dev`` is the device by which it came in. ``local``: it
    was routed to the host itself, and the error comes from the address that it was for.
    """
    about = packet_of(up.frame)
    if about is None or not is_allowed(about, up.packet_type, error):
        return ()
    usual = replace(layer, inside=frozenset())  # nobody is asked for a neighbour
    for _ in range(_ASKED_MAX):
        sent = _sent(usual, up, about, error, local=local)
        if isinstance(sent, Send):
            return (Tell(sent.dev, sent.frame, sent.why, sent.skb),)
        if not isinstance(sent, Ask):
            return ()
        usual = usual.in_world({**usual.world, sent.question: sent.question.default})
    return ()


def _sent(
    layer: IpLayer, up: Deliver, about: Ipv4 | Ipv6, error: Error, *, local: bool
) -> Effect | None:
    reflected = layer.host.settings.get(f"ipv{about.src.version}.fwmark_reflect")
    mark = up.skb.mark if is_on(reflected) else 0
    if isinstance(about, Ipv4):
        back = _back4(layer, up.dev.name, about, mark, local=local)
    else:
        back = _back6(layer, up, about, mark)
    if not isinstance(back, _Back) or back.way.kind != "out":
        return back if isinstance(back, Ask) else None
    packet = error_packet(about, error, back.source, _hops(layer, about, back), layer.mtu(back.way))
    if packet is None:
        return None
    frame = replace(up.frame, dst=ZERO, src=ZERO, payload=packet, padding=b"")
    refs = merge_refs(up.why.refs, back.refs)
    return transmit(layer, frame, _related(up.skb, mark), back.way, Why(error.rule, refs))


def _hops(layer: IpLayer, about: Ipv4 | Ipv6, back: _Back) -> int:
    """The TTL of what the host sends."""
    settings = layer.host.settings
    told = settings.get("ipv4.ip_default_ttl")
    if isinstance(about, Ipv6):
        told = of_device(settings, 6, back.way.dev, "hop_limit")
    return told.value if told else 64


def _back4(layer: IpLayer, dev: str, about: Ipv4, mark: int, *, local: bool) -> _Back | Stop | None:
    host = layer.host
    own = None if local else _inbound(host, dev, about.src)
    source = about.dst if local else own
    if source is not None and not _is_own(host, source):
        return None  # no route for what has a source of nobody's
    vrf = host.vrfs.get(dev)
    tos = tos_of(about)
    oif = vrf.dev if vrf else ""
    key = Key(about.src, source, mark, oif=oif, protocol=icmp.PROTOCOL, tos=tos)
    way = lookup(host, layer.world, key)
    if not isinstance(way, Way):
        return way
    found = Source(source) if source is not None else source_of(host, way, about.src)
    found = found or Source(DUMMY)
    return _Back(way, found.address, merge_refs(way.refs, found.refs))


def _inbound(host: Host, dev: str, sender: IPv4Address) -> IPv4Address | None:
    """icmp_errors_use_inbound_ifaddr: an address of the device by which the packet came in."""
    setting = host.settings.get("ipv4.icmp_errors_use_inbound_ifaddr")
    own = source4(host, dev, sender, inbound=True) if is_on(setting) else None
    return own.at.ip if own and isinstance(own.at.ip, IPv4Address) else None


def _is_own(host: Host, address: IPv4Address) -> bool:
    """Whether an address is the host's, or the table local says so (__ip_dev_find)."""
    table = host.table(4, "local")
    found = choose4((table,), Key(address), "", host.settings) if table else None
    return address in host.addresses or (found is not None and found.route.kind == "local")


def _back6(layer: IpLayer, up: Deliver, about: Ipv6, mark: int) -> _Back | Stop | None:
    host, dev = layer.host, up.dev.name
    chosen = _source6(layer, up, about)
    vrf = host.vrfs.get(dev)
    oif = dev if about.src.is_link_local else vrf.dev if vrf else ""
    source = chosen.address if chosen else None
    key = Key(about.src, source, mark, oif=oif, protocol=icmp.PROTOCOL_V6)
    way = lookup(host, layer.world, key)
    if not isinstance(way, Way):
        return way
    found = chosen or source_of(host, way, about.src)
    return _Back(way, found.address, merge_refs(way.refs, found.refs)) if found else None


def _source6(layer: IpLayer, up: Deliver, about: Ipv6) -> Source | None:
    """The source of the error; None where the route back is to tell."""
    host, dev = layer.host, up.dev.name
    own = host.addresses.get(about.dst)
    here = own is not None and (own.dev == dev or not about.dst.is_link_local)
    if own is not None and here and up.packet_type == "host":
        return Source(about.dst, own.refs)
    way = lookup(host, layer.world, Key(about.src, protocol=icmp.PROTOCOL_V6))
    if isinstance(way, Way) and way.source is not None:
        return None
    found = source6(host, dev, about.src)
    return Source(found.at.ip, found.refs) if found else None


def _related(skb: Skb, mark: int) -> Skb:
    """nf_ct_attach: the error belongs to the connection of the packet that it is about."""
    if skb.connection is None:
        return replace(FRESH, mark=mark)
    return Skb(mark=mark, connection=skb.connection, reply=not skb.reply, related=True)
