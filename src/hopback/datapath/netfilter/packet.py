"""A packet as the hooks of netfilter see it, and what became of it there."""

from typing import Literal

from msgspec import Struct

from hopback.datapath.effects import Ask, Blind, Why
from hopback.datapath.skb import FRESH, Connection, Ip, PacketType, Skb, Tuple
from hopback.frames.ethernet import Frame
from hopback.network.facts import Ref
from hopback.snapshot.rows import Hook

ChainFamily = Literal["bridge", "ip", "ip6", "arp", "netdev"]
"""The protocol family that calls the hook; chains of ``inet`` see those of ip and ip6."""

CtState = Literal["new", "established", "related", "invalid", "untracked"]


class Seen(Struct, frozen=True):
    """A packet at a hook: ``indev`` and ``outdev`` are "" where the hook has none.

    ``physin`` and ``physout`` are the bridge ports (of family bridge: the same as indev and
    outdev), ``bridge_in`` and ``bridge_out`` the bridges these belong to. ``packet_type`` as
    in ``Deliver``. ``nexthop``: the neighbour that a routed packet is for, where it is known.
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
    packet_type: PacketType = "host"
    nexthop: Ip | None = None


class Passed(Struct, frozen=True):
    """Accepted by every chain, with what they changed; ``refs`` are the rows that decided.

    ``done`` names the rules of the model by which frame or skb are no longer what they were.
    """

    frame: Frame
    skb: Skb
    refs: tuple[Ref, ...] = ()
    done: tuple[Why, ...] = ()


class Stopped(Struct, frozen=True):
    """Dropped, or ``reject``: dropped with an answer; by the rule or policy that ``refs`` cite.

    ``rule`` is that of the model (a key of ``rules.RULES``).
    """

    kind: Literal["drop", "reject"]
    chain: str
    refs: tuple[Ref, ...]
    rule: str = "filter-drop"


Outcome = Passed | Stopped | Ask | Blind
"""Ask: a step that the packet does not decide. Blind: one that was not understood, or not shown."""

__all__ = [
    "FRESH",
    "ChainFamily",
    "Connection",
    "CtState",
    "Ip",
    "Outcome",
    "Passed",
    "Seen",
    "Skb",
    "Stopped",
    "Tuple",
]
