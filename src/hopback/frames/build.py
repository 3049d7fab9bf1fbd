"""The frames a trace starts from. Lengths and checksums are left to ``codec.encode``."""

from ipaddress import IPv4Address, IPv6Address

from msgspec.structs import replace

from hopback.frames import arp, dhcp, ethernet, icmp, nd, tcp, udp
from hopback.frames.arp import Arp
from hopback.frames.dhcp import Dhcp, DhcpOption
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import BROADCAST, ZERO, Mac, mac_to_bytes
from hopback.frames.nd import Na, Nd, NdOption, Ns, Prefix, Ra, Rs
from hopback.frames.raw import Raw
from hopback.frames.tcp import Tcp
from hopback.frames.transport import Transport
from hopback.frames.udp import Udp

Ip = IPv4Address | IPv6Address

ALL_NODES = IPv6Address("ff02::1")
ALL_ROUTERS = IPv6Address("ff02::2")

_ANY_V4 = IPv4Address(0)
_ANY_V6 = IPv6Address(0)
_SOLICITED_NODE = int(IPv6Address("ff02::1:ff00:0"))
_LINK_LOCAL = int(IPv6Address("fe80::"))
_FROM_SERVER = {dhcp.OFFER, dhcp.ACK, dhcp.NAK}
_BOOTP_MIN = 300  # RFC 1542 2.1: some relays drop what is shorter
_DHCP_FIXED = 240  # the BOOTP header and the magic cookie


def solicited_node(address: IPv6Address) -> IPv6Address:
    """The group a neighbour solicitation for ``address`` is sent to (RFC 4291 2.7.1)."""
    return IPv6Address(_SOLICITED_NODE | int(address) & 0xFF_FFFF)


def link_local(mac: Mac) -> IPv6Address:
    """The address a station makes of its MAC (RFC 4291 appendix A, modified EUI-64)."""
    high, low = mac >> 24, mac & 0xFF_FFFF
    return IPv6Address(_LINK_LOCAL | (high ^ 0x02_0000) << 40 | 0xFFFE << 24 | low)


def multicast_mac(group: IPv4Address | IPv6Address) -> Mac:
    """The MAC of an IP multicast group (RFC 1112 6.4, RFC 2464 7)."""
    if isinstance(group, IPv4Address):
        return Mac(0x0100_5E00_0000 | int(group) & 0x7F_FFFF)
    return Mac(0x3333_0000_0000 | int(group) & 0xFFFF_FFFF)


def dhcp_message(
    kind: int,
    client_mac: Mac,
    src_mac: Mac,
    dst_mac: Mac,
    xid: int,
    src_ip: IPv4Address,
    dst_ip: IPv4Address,
    yiaddr: IPv4Address | None = None,
    server_id: IPv4Address | None = None,
    requested_ip: IPv4Address | None = None,
    lease_time: int | None = None,
    broadcast: bool = False,
) -> Frame:
    """A DHCP message of a kind such as ``dhcp.DISCOVER``; ``lease_time`` in seconds.

    OFFER, ACK and NAK go from the server's port to the client's, all others the other way.
    ``broadcast`` sets the flag by which a client asks to be answered so.
    """
    from_server = kind in _FROM_SERVER
    options = _dhcp_options(kind, requested_ip, lease_time, server_id)
    size = _DHCP_FIXED + sum(2 + len(option.data) for option in options) - 1
    message = Dhcp(
        op=dhcp.BOOT_REPLY if from_server else dhcp.BOOT_REQUEST,
        xid=xid,
        chaddr=mac_to_bytes(client_mac).ljust(16, b"\0"),
        flags=dhcp.BROADCAST_FLAG if broadcast else 0,
        yiaddr=yiaddr or _ANY_V4,
        options=options,
        tail=Raw(bytes(max(0, _BOOTP_MIN - size))),
    )
    ports = (dhcp.SERVER_PORT, dhcp.CLIENT_PORT)
    sport, dport = ports if from_server else ports[::-1]
    packet = Ipv4(src_ip, dst_ip, udp.PROTOCOL, Udp(sport, dport, message))
    return Frame(dst_mac, src_mac, (), ethernet.IPV4, packet)


def _dhcp_options(
    kind: int,
    requested_ip: IPv4Address | None,
    lease_time: int | None,
    server_id: IPv4Address | None,
) -> tuple[DhcpOption, ...]:
    options = [DhcpOption(dhcp.MESSAGE_TYPE, bytes((kind,)))]
    if requested_ip is not None:
        options.append(DhcpOption(dhcp.REQUESTED_IP, requested_ip.packed))
    if lease_time is not None:
        options.append(DhcpOption(dhcp.LEASE_TIME, lease_time.to_bytes(4, "big")))
    if server_id is not None:
        options.append(DhcpOption(dhcp.SERVER_ID, server_id.packed))
    return (*options, DhcpOption(dhcp.END))


def dad_ns(mac: Mac, target: IPv6Address, nonce: bytes | None = None) -> Frame:
    """Duplicate Address Detection for ``target`` (RFC 4862 5.4.2), enhanced with a nonce or not.

    A nonce is 8 n - 2 bytes, six as Linux sends it.
    """
    return _solicitation(mac, _ANY_V6, Ns(target, options=_nonce(nonce)))


def ns(mac: Mac, src: IPv6Address, target: IPv6Address, nonce: bytes | None = None) -> Frame:
    """The question for the MAC of ``target``, asked by ``src`` at ``mac``."""
    options = (nd.lladdr_option(nd.SOURCE_LLADDR, mac), *_nonce(nonce))
    return _solicitation(mac, src, Ns(target, options=options))


def _solicitation(mac: Mac, src: IPv6Address, message: Ns) -> Frame:
    group = solicited_node(message.target)
    return _nd_frame(mac, src, group, multicast_mac(group), message)


def na(
    mac: Mac,
    target: IPv6Address,
    asker: tuple[IPv6Address, Mac] | None = None,
    router: bool = False,
) -> Frame:
    """``target`` is at ``mac``: told to the ``asker``, or unasked to all nodes."""
    message = Na(target, router, asker is not None, override=True)
    return advertisement(mac, target, message, asker)


def advertisement(
    mac: Mac,
    src: IPv6Address,
    message: Na,
    asker: tuple[IPv6Address, Mac] | None = None,
    told: bool = True,
) -> Frame:
    """``message`` from ``src`` to the ``asker`` or all nodes; ``told``: with ``mac`` in it."""
    dst, dst_mac = asker or (ALL_NODES, multicast_mac(ALL_NODES))
    options = (nd.lladdr_option(nd.TARGET_LLADDR, mac),) if told else ()
    return _nd_frame(mac, src, dst, dst_mac, replace(message, options=options))


def router_solicitation(mac: Mac, src: IPv6Address) -> Frame:
    """Asks the routers of the link to advertise themselves (RFC 4861 4.1)."""
    message = Rs(options=(nd.lladdr_option(nd.SOURCE_LLADDR, mac),))
    return _nd_frame(mac, src, ALL_ROUTERS, multicast_mac(ALL_ROUTERS), message)


def router_advertisement(mac: Mac, prefixes: tuple[Prefix, ...], lifetime: int = 1800) -> Frame:
    """The router at ``mac`` tells all nodes of its prefixes; ``lifetime`` in seconds."""
    options = (nd.lladdr_option(nd.SOURCE_LLADDR, mac), *map(nd.prefix_option, prefixes))
    message = Ra(64, 0, lifetime, options=options)
    return _nd_frame(mac, link_local(mac), ALL_NODES, multicast_mac(ALL_NODES), message)


def _nonce(nonce: bytes | None) -> tuple[NdOption, ...]:
    return () if nonce is None else (NdOption(nd.NONCE, nonce),)


def _nd_frame(mac: Mac, src: IPv6Address, dst: IPv6Address, dst_mac: Mac, message: Nd) -> Frame:
    packet = Ipv6(src, dst, icmp.PROTOCOL_V6, message, hop_limit=255)  # RFC 4861 7.1.1
    return Frame(dst_mac, mac, (), ethernet.IPV6, packet)


def echo_request(mac: Mac, dst_mac: Mac, src: Ip, dst: Ip, ident: int = 1) -> Frame:
    """The first packet of ping: both addresses of one family."""
    if isinstance(src, IPv4Address) and isinstance(dst, IPv4Address):
        message = icmp.Icmp(icmp.ECHO_REQUEST, rest=ident << 16 | 1, body=Raw(bytes(56)))
        return Frame(dst_mac, mac, (), ethernet.IPV4, Ipv4(src, dst, icmp.PROTOCOL, message))
    message6 = icmp.Icmpv6(icmp.V6_ECHO_REQUEST, rest=ident << 16 | 1, body=Raw(bytes(56)))
    packet = Ipv6(IPv6Address(src), IPv6Address(dst), icmp.PROTOCOL_V6, message6)
    return Frame(dst_mac, mac, (), ethernet.IPV6, packet)


def tcp_syn(mac: Mac, dst_mac: Mac, src: Ip, dst: Ip, port: int, own_port: int = 40000) -> Frame:
    """The first segment of a connection to ``port``: both addresses of one family."""
    segment = Tcp(own_port, port, seq=1)
    if isinstance(src, IPv4Address) and isinstance(dst, IPv4Address):
        return Frame(dst_mac, mac, (), ethernet.IPV4, Ipv4(src, dst, tcp.PROTOCOL, segment))
    packet = Ipv6(IPv6Address(src), IPv6Address(dst), tcp.PROTOCOL, segment)
    return Frame(dst_mac, mac, (), ethernet.IPV6, packet)


def answer_to(packet: Ipv4 | Ipv6) -> Ipv4 | Ipv6 | None:
    """What the destination of an echo request or of a first segment answers; None for others."""
    message = _answer(packet.payload)
    if message is None:
        return None
    if isinstance(packet, Ipv4):
        return Ipv4(packet.dst, packet.src, packet.protocol, message)
    return Ipv6(packet.dst, packet.src, packet.protocol, message)


def _answer(message: Transport) -> Transport | None:
    match message:
        case icmp.Icmp(kind=icmp.ECHO_REQUEST, rest=rest, body=body):
            return icmp.Icmp(icmp.ECHO_REPLY, rest=rest, body=body)
        case icmp.Icmpv6(kind=icmp.V6_ECHO_REQUEST, rest=rest, body=body):
            return icmp.Icmpv6(icmp.V6_ECHO_REPLY, rest=rest, body=body)
        case Tcp(sport=sport, dport=dport, seq=seq, flags=tcp.SYN):
            return Tcp(dport, sport, seq=1, ack=seq + 1, flags=tcp.SYN | tcp.ACK)
        case _:
            return None


def arp_request(mac: Mac, sender: IPv4Address, target: IPv4Address) -> Frame:
    """Who has ``target``? Tell ``sender`` at ``mac``."""
    packet = Arp(arp.REQUEST, mac, sender, ZERO, target)
    return Frame(BROADCAST, mac, (), ethernet.ARP, packet)


def arp_reply(mac: Mac, sender: IPv4Address, dst_mac: Mac, dst: IPv4Address) -> Frame:
    """``sender`` is at ``mac``, told to ``dst`` at ``dst_mac``."""
    packet = Arp(arp.REPLY, mac, sender, dst_mac, dst)
    return Frame(dst_mac, mac, (), ethernet.ARP, packet)


def arp_probe(mac: Mac, target: IPv4Address) -> Frame:
    """Address conflict detection for ``target`` (RFC 5227 2.1.1)."""
    return arp_request(mac, _ANY_V4, target)


def gratuitous_arp(mac: Mac, address: IPv4Address) -> Frame:
    """The announcement of ``address`` at ``mac``, in the form of a request (RFC 5227 3)."""
    return arp_request(mac, address, address)
