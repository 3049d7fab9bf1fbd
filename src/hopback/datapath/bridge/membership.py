"""What snooping makes of a group frame before it looks anything up (Linux 6.12).

The tests of ``net/ipv4/igmp.c:ip_mc_check_igmp`` and ``net/ipv6/mcast_snoop.c:ipv6_mc_check_mld``,
on the bytes, as the kernel does them: a frame that fails one is dropped. And those of
``br_multicast.c:br_multicast_ipv4_rcv`` and ``_ipv6_rcv``, which say where the rest may go.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Literal, NamedTuple

from hopback.datapath.bridge.state import Family, Ip
from hopback.frames import ethernet, icmp, igmp, ipv4, ipv6, mld
from hopback.frames.checksum import ones_sum, pseudo_header
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac

ALL_HOSTS = IPv4Address("224.0.0.1")
ALL_NODES = IPv6Address("ff02::1")

_LOCAL_GROUPS = int(IPv4Address("224.0.0.0")) >> 8
_NO_NEXT, _AUTHENTICATION = 59, 51
_EXTENSIONS = (ipv6.HOP_BY_HOP, ipv6.ROUTING, ipv6.FRAGMENT, ipv6.DESTINATION, _AUTHENTICATION)

Kind = Literal["data", "message", "report", "malformed"]
"""message: of IGMP or MLD, for everybody; report: one of version 1 or 2, for routers alone."""


class Snooped(NamedTuple):
    """``family`` None: not IP, and looked up by MAC. ``local``: a group that is never pruned."""

    kind: Kind
    group: Ip | Mac
    family: Family | None = None
    local: bool = False


def snoop(frame: Frame) -> Snooped:
    """What kind of frame to which group it is."""
    ethertype = frame.tags[1].tpid if len(frame.tags) > 1 else frame.ethertype
    packet = frame.payload
    match ethertype, packet:
        case ethernet.IPV4, Ipv4():
            local = int(packet.dst) >> 8 == _LOCAL_GROUPS
            return Snooped(_igmp(ipv4.encode(packet) + frame.padding), packet.dst, 4, local)
        case ethernet.IPV6, Ipv6():
            kind = _mld(ipv6.encode(packet) + frame.padding)
            return Snooped(kind, packet.dst, 6, packet.dst == ALL_NODES)
        case ((ethernet.IPV4 | ethernet.IPV6), _):
            return Snooped("malformed", frame.dst, 4 if ethertype == ethernet.IPV4 else 6)
        case _:
            return Snooped("data", frame.dst)


def _igmp(raw: bytes) -> Kind:
    size, total = (raw[0] & 0xF) * 4, int.from_bytes(raw[2:4], "big")
    if not size <= total <= len(raw) or ones_sum(raw[:size]) != 0xFFFF:
        return "malformed"
    if raw[9] != igmp.PROTOCOL:
        return "data"
    message = raw[size:total]
    if len(message) < 8 or ones_sum(message) != 0xFFFF:
        return "malformed"
    return _igmp_kind(message, IPv4Address(raw[16:20]))


def _igmp_kind(message: bytes, target: IPv4Address) -> Kind:
    match message[0]:
        case igmp.V1_REPORT | igmp.V2_REPORT:
            return "report"
        case igmp.V2_LEAVE:
            return "message"
        case igmp.V3_REPORT:
            return "message" if _records_fit(message, 4) else "malformed"
        case igmp.QUERY:
            general = not any(message[4:8])
            fits = len(message) == 8 or len(message) >= 12
            return "message" if fits and (not general or target == ALL_HOSTS) else "malformed"
        case _:
            return "data"


def _mld(raw: bytes) -> Kind:
    end = 40 + int.from_bytes(raw[4:6], "big")
    if not 40 < end <= len(raw):
        return "malformed"
    if raw[6] != ipv6.HOP_BY_HOP:  # required by RFC 2710 3 and RFC 3810 5: no other is looked at
        return "data"
    found = _after_extensions(raw)
    if found is None:
        return "malformed"
    protocol, start = found
    if protocol != icmp.PROTOCOL_V6:
        return "data"
    message = raw[start:end]
    pseudo = pseudo_header(raw[8:40], protocol, len(message))
    if len(message) < 8 or ones_sum(pseudo + message) != 0xFFFF:
        return "malformed"
    return _mld_kind(message, IPv6Address(raw[8:24]), IPv6Address(raw[24:40]))


def _mld_kind(message: bytes, source: IPv6Address, target: IPv6Address) -> Kind:
    if len(message) < 24:
        return "data"
    match message[0]:
        case mld.V1_REPORT:
            return "report"
        case mld.V1_DONE:
            return "message"
        case mld.V2_REPORT:
            return "message" if _records_fit(message, 16) else "malformed"
        case mld.QUERY:
            general = not any(message[8:24])
            fits = len(message) == 24 or len(message) >= 28
            right = source.is_link_local and (not general or target == ALL_NODES)
            return "message" if fits and right else "malformed"
        case _:
            return "data"


def _records_fit(message: bytes, size: int) -> bool:
    """Whether all group records announced are there; the kernel forgets their auxiliary data."""
    at = 8
    for _ in range(int.from_bytes(message[6:8], "big")):
        at += 4 + size
        if at > len(message):
            return False
        at += size * int.from_bytes(message[at - size - 2 : at - size], "big")
    return at <= len(message)


def _after_extensions(raw: bytes) -> tuple[int, int] | None:
    """The protocol behind the extension headers and where it starts (``ipv6_skip_exthdr``)."""
    protocol, at = raw[6], 40
    while protocol in _EXTENSIONS or protocol == _NO_NEXT:
        if protocol == _NO_NEXT or at + 2 > len(raw):
            return None
        size = (raw[at + 1] + 1) * 8
        if protocol == ipv6.FRAGMENT:
            if at + 4 > len(raw):
                return None
            if int.from_bytes(raw[at + 2 : at + 4], "big") & 0xFFF8:
                break
            size = 8
        elif protocol == _AUTHENTICATION:
            size = (raw[at + 1] + 2) * 4
        protocol, at = raw[at], at + size
    return protocol, at
