"""The frames that a model can tell apart, one for each class.

What a frame carries is asked by few rules: multicast snooping, neighbour suppression, balance-alb,
packet filters. Where none of them is at work, one payload stands for all. Size is no class: a large
frame goes where a small one goes, or is dropped. No more than two VLAN tags are tried.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from msgspec.structs import replace

from hopback.datapath.bridge.state import BridgeState, Ip
from hopback.datapath.model import Model
from hopback.engines.addresses import addresses_of
from hopback.engines.compared import DESTINATION, Compared, compared_by, macs
from hopback.engines.messages import UNKNOWN
from hopback.engines.tags import tag_stacks
from hopback.frames import ethernet, icmp, igmp, ipv6, mld, udp
from hopback.frames.build import arp_probe, arp_request, dad_ns, multicast_mac, na, ns
from hopback.frames.ethernet import DOT1AD, Frame
from hopback.frames.igmp import Igmp
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Extension, Ipv6
from hopback.frames.mac import BROADCAST, Mac, is_group
from hopback.frames.mld import Mld
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp

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
    compared = compared_by(model)
    addresses = addresses_of(model, compared, sources)
    groups, kept = (*_groups(model), *_compared_groups(compared)), tuple(_kept_groups(model))
    neighbours = tuple(_neighbour_messages(model))
    plain = tuple(map(_readdressed, compared.messages()[0])) if compared.payload else (_raw,)
    for tags in tag_stacks(model, compared):
        for destination, packets in groups:
            for source in addresses.senders(destination):
                for make in (*packets, *neighbours):
                    sent = replace(make(source, destination), dst=destination, tags=tags)
                    yield from compared.variants(sent)[0] if compared.payload else (sent,)
                for make in plain:
                    yield replace(make(source, destination), tags=tags)
        for destination in kept:
            for source in addresses.senders(destination):
                yield replace(_raw(source, destination), tags=tags)
        for source, destination in addresses.pairs():
            for make in neighbours:
                sent = replace(make(source, destination), dst=destination, tags=tags)
                yield from compared.variants(sent)[0] if compared.payload else (sent,)
            for make in plain:
                yield replace(make(source, destination), tags=tags)


def _groups(model: Model) -> Iterator[tuple[Mac, tuple[_Make, ...]]]:
    """Group destinations, each with the packets of IP that are sent to it."""
    snooping = [b for b in model.bridges.values() if b.mcast_snooping]
    packets = tuple(_multicasts(snooping)) if snooping else ()
    yield BROADCAST, ()
    yield _MULTICAST, ()
    for packet in packets:
        yield multicast_mac(packet.dst), (_sending(packet),)
    for last in range(16):
        if _is_forwarded(model, last):
            yield Mac(_LINK_LOCAL + last), tuple(map(_sending, packets))
    for group in dict.fromkeys(key[0] for b in snooping for key in b.snooping.groups):
        if isinstance(group, int):
            yield group, ()


def _compared_groups(compared: Compared) -> Iterator[tuple[Mac, tuple[_Make, ...]]]:
    """A group on both sides of each that a filter compares."""
    classes = {compared.facts(DESTINATION, mac): mac for mac in macs(compared) if is_group(mac)}
    yield from ((mac, ()) for mac in classes.values())


def _readdressed(frame: Frame) -> _Make:
    return lambda source, destination: replace(frame, src=source, dst=destination)


def untried(model: Model) -> Iterator[str]:
    """What filters tell apart, and no frame here is made for."""
    compared = compared_by(model)
    yield from compared.elsewhere
    if compared.payload and not compared.messages()[1]:
        yield "filters compare more fields at once than were tried together"


def _kept_groups(model: Model) -> Iterator[Mac]:
    """Link-local groups that no bridge forwards: what is sent there is not looked into."""
    yield from (Mac(_LINK_LOCAL + last) for last in range(16) if not _is_forwarded(model, last))


def _is_forwarded(model: Model, last: int) -> bool:
    """Whether some bridge may forward frames to the link-local group that ends so."""
    for bridge in model.bridges.values():
        mask = bridge.group_fwd_mask | (_PROVIDER_BITS if bridge.vlan_protocol == DOT1AD else 1)
        for port in bridge.ports.values():
            mask |= port.group_fwd_mask
        if mask >> last & 1:
            return True
    return False


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
    return replace(UNKNOWN, dst=destination, src=source)


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
