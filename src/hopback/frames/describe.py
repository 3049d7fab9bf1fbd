"""One line for a frame, as it would stand in a capture."""

from hopback.frames import arp, dhcp, ethernet, icmp, igmp, membership, mld, tcp
from hopback.frames.arp import Arp
from hopback.frames.dhcp import Dhcp
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.igmp import Igmp, IgmpV3Query, IgmpV3Report
from hopback.frames.integrity import flaws
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import format_mac
from hopback.frames.mld import Mld, MldV2Query, MldV2Report
from hopback.frames.nd import Na, Nd, Ns, Ra, Rs
from hopback.frames.raw import Malformed, Raw, Rest
from hopback.frames.tcp import Tcp
from hopback.frames.transport import Transport
from hopback.frames.tunnel import Gre, Inner, Sealed
from hopback.frames.udp import Udp

_ETHERTYPES = {
    ethernet.ARP: "ARP",
    ethernet.IPV4: "IPv4",
    ethernet.IPV6: "IPv6",
    ethernet.DOT1Q: "802.1Q",
    ethernet.DOT1AD: "802.1ad",
    0x8809: "slow protocol (LACP)",
    0x888E: "EAPOL",
    0x88CC: "LLDP",
    0x9000: "CTP",
}
_STP_LLC = b"\x42\x42\x03"
_FLAGS = {
    tcp.SYN: "SYN",
    tcp.FIN: "FIN",
    tcp.RST: "RST",
    tcp.PSH: "PSH",
    tcp.ACK: "ACK",
    tcp.URG: "URG",
}
_ICMP = {
    icmp.ECHO_REPLY: "echo reply",
    icmp.UNREACHABLE: "unreachable",
    icmp.REDIRECT: "redirect",
    icmp.ECHO_REQUEST: "echo request",
    icmp.TIME_EXCEEDED: "time exceeded",
}
_ICMPV6 = {
    icmp.V6_UNREACHABLE: "unreachable",
    icmp.V6_TOO_BIG: "packet too big",
    icmp.V6_TIME_EXCEEDED: "time exceeded",
    icmp.V6_ECHO_REQUEST: "echo request",
    icmp.V6_ECHO_REPLY: "echo reply",
    icmp.V6_REDIRECT: "redirect",
}
_IGMP = {
    igmp.QUERY: "IGMP query",
    igmp.V1_REPORT: "IGMPv1 report",
    igmp.V2_REPORT: "IGMPv2 report",
    igmp.V2_LEAVE: "IGMPv2 leave",
}
_RECORDS = {
    membership.IS_INCLUDE: "include",
    membership.IS_EXCLUDE: "exclude",
    membership.TO_INCLUDE: "to-include",
    membership.TO_EXCLUDE: "to-exclude",
    membership.ALLOW_NEW: "allow",
    membership.BLOCK_OLD: "block",
}
_MLD = {mld.QUERY: "MLD query", mld.V1_REPORT: "MLDv1 report", mld.V1_DONE: "MLDv1 done"}


def describe(frame: Frame) -> str:
    """For instance ``vlan 5 ARP who-has 10.0.0.1 tell 10.0.0.2``; in brackets what is wrong."""
    tags = ".".join(str(tag.vid) for tag in frame.tags)
    line = (f"vlan {tags} " if tags else "") + _payload(frame)
    return line + "".join(f" [{flaw}]" for flaw in flaws(frame))


def _payload(frame: Frame) -> str:
    match frame.payload:
        case Arp() as packet:
            return _arp(packet, "RARP" if frame.ethertype == ethernet.RARP else "ARP")
        case Ipv4(payload=Udp(payload=Dhcp() as message)):
            return _dhcp(message, _macs(frame))
        case Ipv4() | Ipv6() as packet:
            return _ip(packet)
        case Raw(raw=raw) | Malformed(raw=raw):
            if frame.ethertype == ethernet.NO_ETHERTYPE:
                return "runt"
            return f"{_ethertype(frame.ethertype, raw)} {_macs(frame)}"


def _macs(frame: Frame) -> str:
    return f"{format_mac(frame.src)} > {format_mac(frame.dst)}"


def _ethertype(ethertype: int, raw: bytes) -> str:
    if ethertype >= ethernet.FIRST_ETHERTYPE:
        return _ETHERTYPES.get(ethertype, f"ethertype 0x{ethertype:04x}")
    return "STP" if raw.startswith(_STP_LLC) else "802.3"


def _arp(packet: Arp, name: str) -> str:
    if name == "RARP":
        return f"RARP op {packet.op} {format_mac(packet.target_mac)}"
    if packet.op == arp.REPLY:
        return f"ARP reply {packet.sender_ip} is-at {format_mac(packet.sender_mac)}"
    if packet.op != arp.REQUEST:
        return f"ARP op {packet.op} {packet.sender_ip} > {packet.target_ip}"
    line = f"ARP who-has {packet.target_ip} tell {packet.sender_ip}"
    if packet.sender_ip == packet.target_ip:
        return line + " (gratuitous)"
    return line + (" (probe)" if packet.sender_ip.is_unspecified else "")


def _dhcp(message: Dhcp, macs: str) -> str:
    kind = message.message_type
    name = "BOOTP" if kind is None else f"DHCP {dhcp.MESSAGE_NAMES.get(kind, kind)}"
    line = f"{name} {macs}"
    if message.requested_ip is not None:
        line += f" wants {message.requested_ip}"
    return line if message.yiaddr.is_unspecified else f"{line} yiaddr {message.yiaddr}"


def _ip(packet: Ipv4 | Ipv6) -> str:
    ends = f"{packet.src} > {packet.dst}"
    match packet:
        case Ipv4() if packet.is_fragment:
            part = f"id {packet.ident} at {packet.offset * 8}"
            return f"IPv4 fragment {ends} protocol {packet.protocol} {part}"
        case Ipv6(fragment=part) if part:
            where = f"id {part.ident} at {part.offset * 8}"
            return f"IPv6 fragment {ends} protocol {packet.protocol} {where}"
    match packet.payload:
        case Udp(sport, dport, Sealed(inside)):
            return f"WireGuard {_sockets(packet, sport, dport)} [{_ip(inside)}]"
        case Udp(sport, dport, payload):
            size = "" if isinstance(payload, Dhcp) else f" {len(payload.raw)} bytes"
            return f"UDP {_sockets(packet, sport, dport)}{size}"
        case Tcp(sport, dport) as segment:
            return f"TCP {_sockets(packet, sport, dport)} {_tcp_flags(segment)}"
    return _message(packet.payload, ends, packet.protocol)


def _sockets(packet: Ipv4 | Ipv6, sport: int, dport: int) -> str:
    if isinstance(packet, Ipv6):
        return f"[{packet.src}]:{sport} > [{packet.dst}]:{dport}"
    return f"{packet.src}:{sport} > {packet.dst}:{dport}"


def _tcp_flags(segment: Tcp) -> str:
    flags = " ".join(name for bit, name in _FLAGS.items() if segment.flags & bit) or "no flags"
    size = len(segment.payload.raw)
    return f"{flags} {size} bytes" if size else flags


def _message(message: Transport, ends: str, protocol: int) -> str:
    match message:
        case Icmp():
            return _icmp("ICMP", _ICMP, message, ends)
        case Icmpv6():
            return _icmp("ICMPv6", _ICMPV6, message, ends)
        case Ns() | Na() | Rs() | Ra():
            return _nd(message, ends)
        case Mld(kind, group) | Igmp(kind, group):
            names = _MLD if isinstance(message, Mld) else _IGMP
            return f"{names.get(kind, f'IGMP type {kind}')} {ends} group {group}"
        case MldV2Query(group) | IgmpV3Query(group):
            return f"{_version(message)} query {ends} group {group}"
        case MldV2Report(records) | IgmpV3Report(records):
            return f"{_version(message)} report {ends}{_records(records)}"
        case Inner(inside):
            return f"IP in IP {ends} [{_inside(inside)}]"
        case Gre(protocol=carried, payload=inside):
            return f"GRE {ends} [{_inside(inside, carried)}]"
        case _:
            return f"IP protocol {protocol} {ends}"


def _inside(inside: Frame | Ipv4 | Ipv6 | Rest, ethertype: int = 0) -> str:
    match inside:
        case Frame():
            return describe(inside)
        case Ipv4() | Ipv6():
            return _ip(inside)
        case _:
            return _ethertype(ethertype, inside.raw)


def _version(message: MldV2Query | MldV2Report | IgmpV3Query | IgmpV3Report) -> str:
    return "MLDv2" if isinstance(message, MldV2Query | MldV2Report) else "IGMPv3"


def _icmp(name: str, kinds: dict[int, str], message: Icmp | Icmpv6, ends: str) -> str:
    kind = kinds.get(message.kind, f"type {message.kind}")
    if kind.startswith("echo"):
        return f"{name} {kind} {ends} id {message.ident} seq {message.sequence}"
    return f"{name} {kind} {ends} code {message.code}"


def _nd(message: Nd, ends: str) -> str:
    line = f"ND {type(message).__name__.upper()} {ends}"
    if isinstance(message, Ns | Na):
        line += f" target {message.target}"
    return line if message.nonce is None else f"{line} nonce {message.nonce.hex()}"


def _records(records: tuple[membership.AnyRecord, ...]) -> str:
    return "".join(f" {_RECORDS.get(r.kind, r.kind)} {r.group}" for r in records)
