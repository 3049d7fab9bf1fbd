"""Which leg a bond's transmit hash picks (drivers/net/bonding/bond_main.c, Linux 6.1).

The numbers are those of a little-endian machine: the kernel mixes fields as they stand in memory,
so the same frame may leave by another leg of a big-endian one.
"""

from collections.abc import Iterator
from typing import NamedTuple

from hopback.datapath.kernel import Behaviour
from hopback.frames.codec import encode
from hopback.frames.ethernet import IPV4, IPV6, Frame, Vlan

POLICIES = ("layer2", "layer2+3", "layer3+4", "vlan+srcmac")
"""Those modelled. The two for tunnels (encap2+3, encap3+4) look into what the model does not."""

_ICMP, _ICMPV6, _AH = 1, 58, 51
_PORTS_AT = {6: 0, 17: 0, 33: 0, 50: 0, 132: 0, 136: 0, _AH: 4}
"""Where the four bytes stand that serve as ports (flow_dissector.c:proto_ports_offset)."""

_WITH_ID = (0, 8, 13, 14, 128, 129)  # icmp_has_id
_ERRORS = {_ICMP: (3, 4, 5, 11, 12), _ICMPV6: (1, 2, 3, 4)}
_ERROR_HEADER = 8


class _Flow(NamedTuple):
    """``addresses`` are both, mixed; ``ports`` the word in which layer3+4 mixes them."""

    addresses: int
    ports: int


def transmit_hash(policy: str, frame: Frame, kernel: Behaviour) -> int:
    """The number that picks the leg: leg ``n % number of usable legs`` (bond_xmit_hash).

    Of a tagged frame the outer tag travels beside the frame: the hash looks behind it.
    """
    if policy == "vlan+srcmac":
        return _vlan_srcmac(frame)
    protocol = frame.tags[1].tpid if len(frame.tags) > 1 else frame.ethertype
    flow = None if policy == "layer2" or len(frame.tags) > 1 else _flow(policy, frame, kernel)
    if flow is None:
        return _ethernet(frame, protocol, kernel)
    mixed = flow.ports if policy == "layer3+4" else _ethernet(frame, protocol, kernel)
    mixed ^= flow.addresses
    mixed ^= mixed >> 16
    mixed ^= mixed >> 8
    halved = policy == "layer3+4" or not kernel.bond_halves_l34_alone
    return mixed >> 1 if halved and kernel.bond_halves_hash else mixed


def _ethernet(frame: Frame, protocol: int, kernel: Behaviour) -> int:
    """bond_eth_hash: the last bytes of both addresses, and the EtherType."""
    number = protocol if kernel.bond_l2_hostorder else _swapped(protocol)
    return (frame.dst ^ frame.src) & 0xFF ^ number


def _swapped(number: int) -> int:
    return (number & 0xFF) << 8 | number >> 8


def _vlan_srcmac(frame: Frame) -> int:
    """bond_vlan_srcmac_hash: the tag's whole control information and both halves of the source."""
    control = _control(frame.tags[0]) if frame.tags else 0
    return control ^ frame.src >> 24 ^ frame.src & 0xFF_FFFF


def _control(tag: Vlan) -> int:
    return tag.pcp << 13 | tag.dei << 12 | tag.vid


def _flow(policy: str, frame: Frame, kernel: Behaviour) -> _Flow | None:
    """bond_flow_dissect: None for what is not IP, or is cut."""
    packet = encode(frame)[14 + 4 * len(frame.tags) :]
    outer = _ip(frame.ethertype, packet)
    if outer is None:
        return None
    addresses, protocol, rest = outer
    if protocol in _ERRORS and kernel.bond_hashes_icmp and rest:
        if rest[0] in _ERRORS[protocol]:
            return _quoted(policy, frame.ethertype, rest[_ERROR_HEADER:])
        if word := _identifier(rest):
            return _Flow(addresses, word)
    return _Flow(addresses, _ports(protocol, rest))


def _quoted(policy: str, ethertype: int, packet: bytes) -> _Flow | None:
    """An ICMP error goes the way of the packet it quotes."""
    inner = _ip(ethertype, packet)
    if inner is None:
        return None
    addresses, protocol, rest = inner
    return _Flow(addresses, _ports(protocol, rest) if policy == "layer3+4" else 0)


def _ip(ethertype: int, packet: bytes) -> tuple[int, int, bytes] | None:
    """The mixed addresses, the protocol (-1 for an IPv4 fragment) and what follows."""
    if ethertype == IPV4 and len(packet) >= 20:
        fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
        protocol = -1 if fragment else packet[9]
        return _mixed(packet[12:20]), protocol, packet[(packet[0] & 0xF) * 4 :]
    if ethertype == IPV6 and len(packet) >= 40:
        return _mixed(packet[8:40]), packet[6], packet[40:]
    return None


def _mixed(addresses: bytes) -> int:
    """The xor of the words, as they stand in memory (ipv6_addr_hash)."""
    result = 0
    for word in _words(addresses):
        result ^= word
    return result


def _words(raw: bytes) -> Iterator[int]:
    for at in range(0, len(raw), 4):
        yield int.from_bytes(raw[at : at + 4], "little")


def _identifier(message: bytes) -> int:
    """Type, code and identifier of an echo; 0 for what has none (skb_flow_get_icmp_tci)."""
    if len(message) < _ERROR_HEADER or message[0] not in _WITH_ID:
        return 0
    identifier = int.from_bytes(message[4:6], "big") or 1
    return identifier << 16 | message[1] << 8 | message[0]


def _ports(protocol: int, rest: bytes) -> int:
    at = _PORTS_AT.get(protocol)
    word = b"" if at is None else rest[at : at + 4]
    return int.from_bytes(word, "little") if len(word) == 4 else 0
