"""A packet as the hooks of netfilter see it, and what became of it there."""

from ipaddress import IPv4Address, IPv6Address
from typing import Literal, NamedTuple

from msgspec import Struct

from hopback.datapath.effects import Ask, Blind
from hopback.frames.ethernet import Frame
from hopback.network.facts import Ref
from hopback.snapshot.rows import Hook

Ip = IPv4Address | IPv6Address
ChainFamily = Literal["bridge", "ip", "ip6", "arp", "netdev"]
"""The protocol family that calls the hook; chains of ``inet`` see those of ip and ip6."""

CtState = Literal["new", "established", "related", "invalid", "untracked"]


class Tuple(NamedTuple):
    """One direction of a connection (struct nf_conntrack_tuple); ports 0 where there are none."""

    protocol: int
    source: Ip
    target: Ip
    source_port: int = 0
    target_port: int = 0


class Connection(Struct, frozen=True):
    """A connection (struct nf_conn): how its packets look, and how those of the replies do.

    They are each other's reverse until NAT changes ``reply``.
    """

    original: Tuple
    reply: Tuple
    replied: bool = False
    mark: int = 0
    refs: tuple[Ref, ...] = ()


class Skb(Struct, frozen=True):
    """What travels beside a frame within one namespace (struct sk_buff).

    ``reply`` tells the direction that the packet has in its ``connection``. ``untracked``: a rule
    said notrack. ``physin``: the port by which a bridged packet came in, while br_netfilter has it
    (``nf_bridge_info``); ``dnatted``: DNAT sent it back to the same bridge.
    """

    mark: int = 0
    connection: Connection | None = None
    reply: bool = False
    untracked: bool = False
    physin: str = ""
    dnatted: bool = False


FRESH = Skb()
"""A frame that has just come in."""


class Seen(Struct, frozen=True):
    """A packet at a hook: ``indev`` and ``outdev`` are "" where the hook has none.

    ``physin`` and ``physout`` are the bridge ports (of family bridge: the same as indev and
    outdev), ``bridge_in`` and ``bridge_out`` the bridges these belong to. ``packet_type`` as
    in ``Deliver``. ``state`` of its connection is None before conntrack has looked at it.
    """

    family: ChainFamily
    hook: Hook
    frame: Frame
    skb: Skb = FRESH
    indev: str = ""
    outdev: str = ""
    physin: str = ""
    physout: str = ""
    bridge_in: str = ""
    bridge_out: str = ""
    packet_type: Literal["host", "broadcast", "multicast", "otherhost"] = "host"
    state: CtState | None = None


class Passed(Struct, frozen=True):
    """Accepted by every chain, with what they changed; ``refs`` are the rows that decided."""

    frame: Frame
    skb: Skb
    refs: tuple[Ref, ...] = ()


class Stopped(Struct, frozen=True):
    """Dropped, or ``reject``: dropped with an answer; by the rule or policy that ``refs`` cite."""

    kind: Literal["drop", "reject"]
    chain: str
    refs: tuple[Ref, ...]


Outcome = Passed | Stopped | Ask | Blind
"""Ask: a step that the packet does not decide. Blind: one that was not understood, or not shown."""
