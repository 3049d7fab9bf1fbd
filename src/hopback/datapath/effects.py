"""What a stage does with a packet, as data; the engines decide what to make of it."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from msgspec import Struct

from hopback.datapath.skb import FRESH, PacketType, Skb
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId, Ref


class Place(NamedTuple):
    """A point on a packet's way: a device, and whether the packet enters or leaves by it.

    ``out`` of a bridge device is what the host itself sends through the bridge.
    """

    dev: DevId
    way: Literal["in", "out"]


class Why(NamedTuple):
    """The rule that decided (a key of ``rules.RULES``) and the rows it decided by."""

    rule: str
    refs: tuple[Ref, ...] = ()


class Question(NamedTuple):
    """Something the tables do not say. ``default`` is the answer most systems would give."""

    subject: DevId
    text: str
    answers: tuple[str, ...]
    default: str


World = Mapping[Question, str]
"""Answers that hold for a whole run."""


class Send(Struct, frozen=True):
    """The frame leaves by ``dev``, and ``skb`` with it."""

    dev: DevId
    frame: Frame
    why: Why
    skb: Skb = FRESH


class Deliver(Struct, frozen=True):
    """The frame goes up the host's stack, received on ``dev``."""

    dev: DevId
    frame: Frame
    packet_type: PacketType
    why: Why
    skb: Skb = FRESH


class Drop(Struct, frozen=True):
    """The frame (or one copy of it, towards ``dev``) ends here."""

    why: Why
    dev: DevId | None = None


class Learn(Struct, frozen=True):
    """The bridge's table now has ``mac`` on ``port``; before on ``before``, None for nowhere."""

    bridge: DevId
    mac: Mac
    vlan: int
    port: DevId
    before: DevId | None
    why: Why
    locked: bool = False


class Snoop(Struct, frozen=True):
    """The VXLAN device ``dev`` now has ``mac`` behind ``remote``; before behind ``before``."""

    dev: DevId
    mac: Mac
    remote: str
    before: str | None
    why: Why


class Log(Struct, frozen=True):
    """The kernel logs ``text`` (rate-limited, so its absence proves nothing)."""

    text: str
    why: Why


class Ask(Struct, frozen=True):
    """The stage cannot go on without an answer."""

    question: Question


class Blind(Struct, frozen=True):
    """The packet enters something the model does not evaluate: it says so and does not guess."""

    what: str
    refs: tuple[Ref, ...]


class Cross(Struct, frozen=True):
    """The frame enters by ``dev``: over a wire, or up from the device below."""

    dev: DevId
    frame: Frame
    why: Why
    skb: Skb = FRESH


class Leave(Struct, frozen=True):
    """The frame leaves what the tables show, by the uplink ``dev``."""

    dev: DevId
    why: Why


class Tell(Struct, frozen=True):
    """The host tells the sender of a packet by ICMP: its own ``frame`` leaves by ``dev``.

    What becomes of it is another packet's journey. Its absence on a wire proves nothing, for the
    kernel limits how many it sends: in all (icmp_msgs_per_sec, icmp_msgs_burst), to each receiver
    (icmp_ratelimit for the kinds of icmp_ratemask; one a second after a burst of six, by default),
    to each sender that no route is for (net/ipv4/route.c:ip_error) or that is redirected.
    """

    dev: DevId
    frame: Frame
    why: Why
    skb: Skb = FRESH


Effect = Send | Cross | Leave | Deliver | Drop | Tell | Learn | Snoop | Log | Ask | Blind
