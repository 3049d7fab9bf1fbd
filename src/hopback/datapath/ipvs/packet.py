"""A packet as IPVS meets it at a hook of netfilter, and what becomes of it there."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Why, World
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.packet import packet_of
from hopback.datapath.ip.route import Way
from hopback.datapath.ipvs.state import PROTOCOLS, Director
from hopback.datapath.netfilter.packet import Passed
from hopback.datapath.skb import Skb, Tuple
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.transport import encode
from hopback.network.model import Network

_TCP = PROTOCOLS["tcp"]
_HEADERS = {_TCP: 20, PROTOCOLS["udp"]: 8, PROTOCOLS["sctp"]: 12}

Hook = Literal["input", "forward", "output"]


class Layer(Struct, frozen=True):
    """IPVS of a namespace, and the IP layer that it uses."""

    director: Director
    host: Host
    network: Network
    world: World


class Arrival(Struct, frozen=True):
    """A packet at a hook. ``local``: it was routed to the host itself."""

    frame: Frame
    skb: Skb
    hook: Hook
    packet: Ipv4 | Ipv6
    local: bool = True


class Out(Struct, frozen=True):
    """The packet leaves as one of the host's own (ip_local_out): by ``way``, past LOCAL_OUT."""

    frame: Frame
    skb: Skb
    way: Way
    why: Why


class Told(Struct, frozen=True):
    """Dropped, and its sender is told by ICMP, which quotes ``frame``.

    hops: its time to live has run out. size: it is larger than ``mtu``. port, neighbour: nobody
    is there.
    """

    kind: Literal["hops", "size", "port", "neighbour"]
    frame: Frame
    why: Why
    mtu: int = 0


Refusal = Drop | Ask | Blind | Told
Decision = Passed | Out | Refusal


CUT = Drop(Why("ipvs-no-ports"))
"""What becomes of a packet without a whole transport header."""


def arrival(frame: Frame, skb: Skb, hook: Hook, *, local: bool = True) -> Arrival | None:
    """The packet in the frame, if IPVS looks at it: only what it has not sent on itself."""
    packet = packet_of(frame)
    if packet is None or skb.ipvs:
        return None
    return Arrival(frame, skb, hook, packet, local)


def has_parts(packet: Ipv4 | Ipv6) -> bool:
    """Whether it is a fragment."""
    return packet.is_fragment if isinstance(packet, Ipv4) else packet.fragment is not None


def ends_of(packet: Ipv4 | Ipv6) -> Tuple | None:
    """The addresses and ports of a packet; None if it is of no protocol that IPVS balances.

    None as well if it ends before its ports do.
    """
    raw = _transport(packet, 4)
    if packet.protocol not in PROTOCOLS.values() or len(raw) < 4:
        return None
    ports = int.from_bytes(raw[:2], "big"), int.from_bytes(raw[2:4], "big")
    return Tuple(packet.protocol, packet.src, packet.dst, *ports)


def is_cut(packet: Ipv4 | Ipv6) -> bool:
    """Whether the packet ends before its transport header does."""
    size = _HEADERS[packet.protocol]
    return len(_transport(packet, size)) < size


def tcp_flags(packet: Ipv4 | Ipv6) -> int | None:
    """The flags of TCP; None of anything else."""
    return None if packet.protocol != _TCP or is_cut(packet) else _transport(packet, 14)[13]


def chunk_of(packet: Ipv4 | Ipv6) -> int | None:
    """The type of the first chunk of SCTP."""
    if packet.protocol != PROTOCOLS["sctp"]:
        return None
    at = _HEADERS[packet.protocol]
    raw = _transport(packet, at + 4)
    return raw[at] if len(raw) >= at + 4 else None


def _transport(packet: Ipv4 | Ipv6, size: int) -> bytes:
    """The first bytes of what the packet carries, whole or not."""
    return encode(packet.payload, packet.src.packed + packet.dst.packed)[:size]


def marked(skb: Skb, *, tracked: bool) -> Skb:
    """What travels on with a packet that IPVS has dealt with.

    It has no connection of conntrack any more (ip_vs_notrack), unless ``net.ipv4.vs.conntrack``
    keeps it ``tracked``.
    """
    skb = replace(skb, ipvs=True)
    if tracked or skb.connection is None:
        return skb
    return replace(skb, connection=None, reply=False, related=False, untracked=True)
