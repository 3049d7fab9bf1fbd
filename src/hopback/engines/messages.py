"""A message of every kind that people send, for filters to look at. Its MACs are put in later."""

from ipaddress import IPv4Address, IPv6Address

from hopback.frames import dhcp, ethernet, icmp, tcp, udp
from hopback.frames.build import arp_request, dad_ns, dhcp_message, na, ns
from hopback.frames.ethernet import Frame, Payload
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import BROADCAST, Mac
from hopback.frames.raw import Raw
from hopback.frames.tcp import Tcp
from hopback.frames.udp import Udp

LOCAL_EXPERIMENTAL = 0x88B5
"""IEEE 802: no rule knows it."""

_MAC = Mac(0x0000_5E00_5312)
_V4, _TO_V4 = IPv4Address("192.0.2.54"), IPv4Address("192.0.2.53")
_V6, _TO_V6 = IPv6Address("fe80::54"), IPv6Address("2001:db8::53")
_EXPERIMENTAL = 253  # RFC 3692
_DATAGRAM = Udp(5310, 5310, Raw(bytes(8)))
_SYN = Tcp(40000, 5310, flags=tcp.SYN)


def _frame(ethertype: int, payload: Payload) -> Frame:
    return Frame(BROADCAST, _MAC, (), ethertype, payload)


UNKNOWN = _frame(LOCAL_EXPERIMENTAL, Raw(bytes(46)))

MESSAGES = (
    UNKNOWN,
    arp_request(_MAC, _V4, _TO_V4),
    dhcp_message(
        dhcp.DISCOVER, _MAC, _MAC, BROADCAST, 1, IPv4Address(0), IPv4Address("255.255.255.255")
    ),
    _frame(ethernet.IPV4, Ipv4(_V4, _TO_V4, udp.PROTOCOL, _DATAGRAM)),
    _frame(ethernet.IPV4, Ipv4(_V4, _TO_V4, tcp.PROTOCOL, _SYN)),
    _frame(ethernet.IPV4, Ipv4(_V4, _TO_V4, icmp.PROTOCOL, Icmp(icmp.ECHO_REQUEST, 0, 1, Raw()))),
    _frame(ethernet.IPV4, Ipv4(_V4, _TO_V4, _EXPERIMENTAL, Raw(bytes(8)))),
    _frame(ethernet.IPV6, Ipv6(_V6, _TO_V6, udp.PROTOCOL, _DATAGRAM)),
    _frame(ethernet.IPV6, Ipv6(_V6, _TO_V6, tcp.PROTOCOL, _SYN)),
    _frame(
        ethernet.IPV6,
        Ipv6(_V6, _TO_V6, icmp.PROTOCOL_V6, Icmpv6(icmp.V6_ECHO_REQUEST, 0, 1, Raw())),
    ),
    _frame(ethernet.IPV6, Ipv6(_V6, _TO_V6, _EXPERIMENTAL, Raw(bytes(8)))),
    dad_ns(_MAC, _TO_V6),
    ns(_MAC, _V6, _TO_V6),
    na(_MAC, _TO_V6),
)
