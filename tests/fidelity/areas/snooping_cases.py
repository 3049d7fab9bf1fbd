"""Random snooping bridges and the group frames they get, some of them damaged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from random import Random
from typing import Any

from hopback.frames import icmp, igmp, ipv6, mld
from hopback.frames.build import multicast_mac
from hopback.frames.codec import encode
from hopback.frames.ethernet import IPV4, IPV6, Frame, Vlan
from hopback.frames.igmp import Igmp, IgmpV3Query, IgmpV3Report
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Extension, Ipv6
from hopback.frames.mac import Mac, parse_mac
from hopback.frames.membership import TO_EXCLUDE, Record
from hopback.frames.mld import Mld, MldV2Query, MldV2Report
from hopback.frames.raw import Raw
from hopback.frames.udp import Udp
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.bridge_rig import TEST_ETHERTYPE, PortConfig
from tests.kernel.snooping_rig import GroupMember

FRAMES = 40
PORTS_MIN, PORTS_MAX = 2, 4
STATIONS = tuple(Mac(0x0200_0000_0100 + i) for i in range(3))
NEVER_PRUNED = ("224.0.0.251", "ff02::1")
# Reports are about groups that nothing else goes to: what they teach the kernel is not modelled.
_REPORTED_4, _REPORTED_6 = IPv4Address("239.200.1.1"), IPv6Address("ff05::200:1")
_TARGETS_4 = tuple(map(IPv4Address, ("239.250.1.1", "239.250.1.1", "224.0.0.22", "224.0.0.1")))
_TARGETS_6 = tuple(map(IPv6Address, ("ff05::250:1", "ff05::250:1", "ff02::16", "ff02::1")))

_OFTEN_ON = ("learning", "mcast_flood")
_RARELY_ON = ("hairpin", "isolated")
_ROUTER_ALERT = Extension(ipv6.HOP_BY_HOP, b"\x05\x02\0\0\1\0")
_PADDING = Extension(ipv6.DESTINATION, bytes((1, 4, 0, 0, 0, 0)))
_SOURCE_4, _SOURCE_6 = IPv4Address("192.0.2.7"), IPv6Address("fe80::7")


@dataclass(frozen=True)
class SnoopingCase:
    """``routers`` and ``host_router`` are ``mcast_router`` of the ports and of the bridge."""

    ports: tuple[PortConfig, ...]
    routers: tuple[int, ...]
    queriers: tuple[bool, bool] = (True, True)
    host_router: int = 1
    members: tuple[GroupMember, ...] = ()
    frames: tuple[tuple[int | None, bytes], ...] = ()


def random_case(chance: Random) -> SnoopingCase:
    count = chance.randint(PORTS_MIN, PORTS_MAX)
    wanted = _groups(chance)
    return SnoopingCase(
        tuple(_port(chance) for _ in range(count)),
        tuple(chance.choice((0, 1, 1, 1, 2)) for _ in range(count)),
        (chance.random() < 0.75, chance.random() < 0.75),
        2 if chance.random() < 0.15 else 1,
        _members(chance, count, wanted),
        tuple(_sent(chance, count, wanted, number) for number in range(FRAMES)),
    )


def _groups(chance: Random) -> tuple[str, ...]:
    """Groups of all kinds, others in each case: the kernel takes a while to forget one."""
    high, low = chance.randrange(256), chance.randrange(1, 256)
    return (
        f"239.1.{high}.{low}",
        f"239.2.{high}.{low}",
        f"ff02::1:ff{low:02x}:{high:x}",
        f"ff15::{low:x}:{high:x}",
        f"ff02::{low:x}:fb",
        f"01:00:0c:{high:02x}:{low:02x}:cc",
    )


def _port(chance: Random) -> PortConfig:
    flags: dict[str, Any] = {name: chance.random() < 0.85 for name in _OFTEN_ON}
    flags |= {name: chance.random() < 0.15 for name in _RARELY_ON}
    return PortConfig(**flags)


def _members(chance: Random, count: int, wanted: Sequence[str]) -> tuple[GroupMember, ...]:
    """Any ports, and sometimes the host beside them."""
    found = {
        GroupMember(chance.choice(wanted), chance.randrange(count))
        for _ in range(chance.randint(0, 5))
    }
    hosts = {GroupMember(m.group, None) for m in sorted(found) if chance.random() < 0.3}
    return tuple(sorted(found)) + tuple(sorted(h for h in hosts if not h.group.endswith(":cc")))


def _sent(
    chance: Random, count: int, wanted: Sequence[str], number: int
) -> tuple[int | None, bytes]:
    port = chance.randrange(count + 1)
    frame = replace_source(_frame(chance, wanted, number), chance.choice(STATIONS))
    if port == count:
        return None, _damaged(chance, encode(frame))
    kind = chance.random()
    if kind < 0.15:
        tags = (Vlan(5),) if kind < 0.1 else (Vlan(5), Vlan(6))
        return port, encode(Frame(frame.dst, frame.src, tags, frame.ethertype, frame.payload))
    return port, _damaged(chance, encode(frame))


def replace_source(frame: Frame, source: Mac) -> Frame:
    return Frame(frame.dst, source, (), frame.ethertype, frame.payload)


def _damaged(chance: Random, raw: bytes) -> bytes:
    """Sometimes with a wrong byte, sometimes cut, sometimes longer."""
    kind = chance.random()
    if kind < 0.15:
        at = chance.randrange(14, len(raw))
        return raw[:at] + bytes((chance.randrange(256),)) + raw[at + 1 :]
    if kind < 0.2:
        return raw[: chance.randrange(14, len(raw))]
    return raw + bytes(chance.randint(1, 9)) if kind < 0.25 else raw


def _frame(chance: Random, wanted: Sequence[str], number: int) -> Frame:
    kind = chance.random()
    if kind < 0.5:
        return _data(chance.choice((*wanted, *NEVER_PRUNED)), number)
    return _igmp(chance, number) if kind < 0.75 else _mld(chance, number)


def _data(group: str, number: int) -> Frame:
    payload = Raw(number.to_bytes(4, "big"))
    if group.count(":") == 5:
        body = Raw(payload.raw.ljust(46, b"\0"))
        return Frame(parse_mac(group), Mac(0), (), TEST_ETHERTYPE, body)
    target = ip_address(group)
    message = Udp(5353, 5353, payload)
    if isinstance(target, IPv4Address):
        return _ip(Ipv4(_SOURCE_4, target, 17, message))
    return _ip(Ipv6(_SOURCE_6, target, 17, message))


def _ip(packet: Ipv4 | Ipv6) -> Frame:
    ethertype = IPV4 if isinstance(packet, Ipv4) else IPV6
    return Frame(multicast_mac(packet.dst), Mac(0), (), ethertype, packet)


def _igmp(chance: Random, number: int) -> Frame:
    """Any message; its IP identification makes it unlike the case's others."""
    group = _REPORTED_4
    records = (Record(TO_EXCLUDE, group), Record(1, group, (_SOURCE_4,)))
    message = chance.choice(
        (
            Igmp(igmp.V1_REPORT, group),
            Igmp(igmp.V2_REPORT, group),
            Igmp(igmp.V2_LEAVE, group),
            Igmp(igmp.QUERY, group, 10),
            Igmp(0x13, group),
            IgmpV3Query(group, (_SOURCE_4,)),
            IgmpV3Report(records),
            IgmpV3Report(records[:1], count=chance.choice((1, 2, 300))),
        )
    )
    target = chance.choice(_TARGETS_4)
    source = chance.choice((_SOURCE_4, IPv4Address(0)))
    return _ip(Ipv4(source, target, igmp.PROTOCOL, message, 1, ident=number))


def _mld(chance: Random, number: int) -> Frame:
    group = _REPORTED_6
    records = (Record(TO_EXCLUDE, group), Record(1, group, (_SOURCE_6,)))
    message = chance.choice(
        (
            Mld(mld.V1_REPORT, group),
            Mld(mld.V1_DONE, group),
            Mld(mld.QUERY, group, 10),
            MldV2Query(group, (_SOURCE_6,)),
            MldV2Report(records),
            MldV2Report(records[:1], count=chance.choice((1, 2, 300))),
        )
    )
    target = chance.choice(_TARGETS_6)
    source = chance.choice((_SOURCE_6, _SOURCE_6, IPv6Address("2001:db8::7"), IPv6Address("::")))
    chains = ((_ROUTER_ALERT,), (_ROUTER_ALERT,), (_ROUTER_ALERT, _PADDING), (_PADDING,), ())
    protocol = icmp.PROTOCOL_V6
    packet = Ipv6(source, target, protocol, message, 1, 0, number, chance.choice(chains))
    return _ip(packet)


def smaller_case(case: SnoopingCase) -> Iterator[SnoopingCase]:
    """Fewer frames and members, then flags at their defaults."""
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for members in fewer(case.members):
        yield replace(case, members=members)
    for index, port in enumerate(case.ports):
        for plain in plainer(port):
            yield replace(case, ports=changed_at(case.ports, index, plain))
    for index, router in enumerate(case.routers):
        if router != 1:
            yield replace(case, routers=changed_at(case.routers, index, 1))
    if case.host_router != 1:
        yield replace(case, host_router=1)
