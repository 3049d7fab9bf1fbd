"""The frames that a model can tell apart, one for each class.

What a frame carries is asked by few rules: multicast snooping, neighbour suppression, balance-alb.
Where none of them is at work, one payload stands for all. Size is no class: a large frame goes
where a small one goes, or is dropped. No more than two VLAN tags are tried.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from msgspec.structs import replace

from hopback.datapath.bridge.state import BridgeState, Ip
from hopback.datapath.model import Model
from hopback.engines.addresses import addresses_of
from hopback.engines.tags import tag_stacks
from hopback.frames import ethernet, icmp, igmp, ipv6, mld, udp
from hopback.frames.build import arp_probe, arp_request, dad_ns, multicast_mac, na, ns
from hopback.frames.ethernet import DOT1AD, Frame
from hopback.frames.igmp import Igmp
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Extension, Ipv6
from hopback.frames.mac import BROADCAST, Mac
from hopback.frames.mld import Mld
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp

_LOCAL_EXPERIMENTAL = 0x88B5  # IEEE 802: no rule knows it
_MULTICAST = Mac(0x0300_5E00_5310)
_LINK_LOCAL = Mac(0x0180_C200_0000)
_PROVIDER_BITS = 0xB801  # BR_GROUPFWD_8021AD
_TARGET_V4, _SENDER_V4 = IPv4Address("192.0.2.53"), IPv4Address("192.0.2.54")
_TARGET_V6, _SENDER_V6 = IPv6Address("2001:db8::53"), IPv6Address("fe80::54")
_GROUP_V4, _GROUP_V6 = IPv4Address("233.252.0.53"), IPv6Address("ff0e::db8:53")
_ROUTER_ALERT = Extension(ipv6.HOP_BY_HOP, bytes((5, 2, 0, 0, 1, 0)))  # RFC 2711

_Make = Callable[[Mac, Mac], Frame]
"""A frame from a source to a destination."""


def frames(model: Model, sources: Sequence[Mac] = ()) -> Iterator[Frame]:
    """One frame of every class; of ``sources`` alone, if some are given."""
    addresses = addresses_of(model, sources)
    groups = tuple(_groups(model))
    neighbours = tuple(_neighbour_messages(model))
    for tags in tag_stacks(model):
        for destination, makes in groups:
            for source in addresses.senders(destination):
                for make in (*makes, *neighbours):
                    yield replace(make(source, destination), dst=destination, tags=tags)
        for source, destination in addresses.pairs():
            for make in (_raw, *neighbours):
                yield replace(make(source, destination), dst=destination, tags=tags)


def _groups(model: Model) -> Iterator[tuple[Mac, tuple[_Make, ...]]]:
    """Group destinations, each with what is sent to it."""
    snooping = [b for b in model.bridges.values() if b.mcast_snooping]
    packets = tuple(_multicasts(snooping)) if snooping else ()
    yield BROADCAST, (_raw,)
    yield _MULTICAST, (_raw,)
    for packet in packets:
        yield multicast_mac(packet.dst), (_sending(packet),)
    for last in range(16):
        forwarded = any(_may_forward(bridge, last) for bridge in model.bridges.values())
        yield Mac(_LINK_LOCAL + last), (_raw, *map(_sending, packets if forwarded else ()))
    for group in dict.fromkeys(key[0] for b in snooping for key in b.snooping.groups):
        if isinstance(group, int):
            yield group, (_raw,)


def _may_forward(bridge: BridgeState, last: int) -> bool:
    """Whether some port may forward frames to the link-local group that ends so."""
    mask = bridge.group_fwd_mask | (_PROVIDER_BITS if bridge.vlan_protocol == DOT1AD else 1)
    for port in bridge.ports.values():
        mask |= port.group_fwd_mask
    return bool(mask >> last & 1)


def _multicasts(snooping: Iterable[BridgeState]) -> Iterator[Ipv4 | Ipv6]:
    """IP packets to each known group and to an unknown one, and reports, for routers alone."""
    known = dict.fromkeys(
        key[0] for b in snooping for key in (*b.snooping.groups, *b.snooping.by_source)
    )
    for group in (*known, _GROUP_V4, _GROUP_V6):
        if not isinstance(group, int):
            yield _packet(group)
    yield Ipv4(_SENDER_V4, _GROUP_V4, igmp.PROTOCOL, Igmp(igmp.V2_REPORT, _GROUP_V4), ttl=1)
    report, alert = Mld(mld.V1_REPORT, _GROUP_V6), (_ROUTER_ALERT,)
    yield Ipv6(_SENDER_V6, _GROUP_V6, icmp.PROTOCOL_V6, report, hop_limit=1, extensions=alert)


def _packet(group: Ip) -> Ipv4 | Ipv6:
    datagram = Udp(5310, 5310, Raw(bytes(8)))
    if isinstance(group, IPv4Address):
        return Ipv4(_SENDER_V4, group, udp.PROTOCOL, datagram)
    return Ipv6(_SENDER_V6, group, udp.PROTOCOL, datagram)


def _sending(packet: Ipv4 | Ipv6) -> _Make:
    ethertype = ethernet.IPV4 if isinstance(packet, Ipv4) else ethernet.IPV6
    return lambda source, destination: Frame(destination, source, (), ethertype, packet)


def _raw(source: Mac, destination: Mac) -> Frame:
    return Frame(destination, source, (), _LOCAL_EXPERIMENTAL, Raw(bytes(46)))


def _neighbour_messages(model: Model) -> Iterator[_Make]:
    """ARP and ND about every address that some bridge answers for, and about one that none does."""
    hosts = [host for b in model.bridges.values() for host in b.hosts.values()]
    balanced = any(bond.mode == "balance-alb" for bond in model.bonds.values())
    if not (hosts or balanced):
        return
    known = dict.fromkeys(ip for host in hosts for ip in (*host.addresses, *host.neighbours))
    yield lambda source, _: arp_probe(source, _TARGET_V4)
    yield lambda source, _: dad_ns(source, _TARGET_V6)
    yield lambda source, _: na(source, _TARGET_V6)
    for target in (*known, _TARGET_V4, _TARGET_V6):
        yield _question(target)


def _question(target: Ip) -> _Make:
    if isinstance(target, IPv4Address):
        return lambda source, _: arp_request(source, _SENDER_V4, target)
    return lambda source, _: ns(source, _SENDER_V6, target)
