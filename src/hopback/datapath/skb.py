"""What travels beside a frame within one namespace, and the connections it may belong to."""

from ipaddress import IPv4Address, IPv6Address
from typing import Literal, NamedTuple

from msgspec import Struct

from hopback.network.facts import Ref

Ip = IPv4Address | IPv6Address
PacketType = Literal["host", "broadcast", "multicast", "otherhost"]
"""``skb->pkt_type`` of a received frame (PACKET_HOST …)."""

End = Literal["source", "target"]
"""Which address of a packet NAT rewrites (enum nf_nat_manip_type)."""

BOTH: frozenset[End] = frozenset(("source", "target"))


class Tuple(NamedTuple):
    """One direction of a connection (struct nf_conntrack_tuple); ports 0 where there are none."""

    protocol: int
    source: Ip
    target: Ip
    source_port: int = 0
    target_port: int = 0


class Connection(Struct, frozen=True):
    """A connection (struct nf_conn): how its packets look, and how those of the replies do.

    They are each other's reverse until NAT changes ``reply``. ``bound``: which of its ends NAT has
    settled, changed or not (IPS_DST_NAT_DONE, IPS_SRC_NAT_DONE); after that no rule is asked.
    ``masqueraded``: the device whose address it got, where that is known.
    """

    original: Tuple
    reply: Tuple
    replied: bool = False
    mark: int = 0
    bound: frozenset[End] = frozenset()
    masqueraded: str = ""
    refs: tuple[Ref, ...] = ()


class Balanced(NamedTuple):
    """A connection of IPVS: the packets ``begun`` as these go to ``server`` (struct ip_vs_conn).

    ``translated``: they get its address, and its answers the virtual one.
    """

    begun: Tuple
    server: Ip
    port: int
    translated: bool = False


class Skb(Struct, frozen=True):
    """What travels beside a frame within one namespace (struct sk_buff).

    ``reply`` tells the direction that the packet has in its ``connection``, ``related`` that it is
    an error about it. ``untracked``: a rule said notrack. ``physin``: the port by which a bridged
    packet came in, while br_netfilter has it (``nf_bridge_info``); ``dnatted``: there it was routed
    anew, after DNAT. ``ipvs``: IPVS has sent it on, and looks at it no more (``ipvs_property``),
    by the connection ``balanced`` if it has one. ``nested``: how many tunnels wrapped it on its way
    out of this host, one within the other.
    ``packet_type`` is None where the frame's destination still tells it.
    """

    mark: int = 0
    connection: Connection | None = None
    reply: bool = False
    related: bool = False
    untracked: bool = False
    physin: str = ""
    dnatted: bool = False
    ipvs: bool = False
    balanced: Balanced | None = None
    nested: int = 0
    packet_type: PacketType | None = None


FRESH = Skb()
"""A frame that has just come in."""
