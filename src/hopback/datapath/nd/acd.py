"""IPv4 address conflict detection, which Linux leaves to programs (RFC 5227 2.1.1).

While an address is probed, an ARP packet from it as *sender IP* MUST count as a conflict, whoever
sent it; a *probe* for it (sender 0.0.0.0) SHOULD, if its sender hardware address "is not the
hardware address of any of the host's interfaces". So a station that hears its own probe again has
no conflict by the RFC. What programs do was tried with frames written to a tap:

| | own probe back | foreign probe | claim, own MAC | claim, foreign MAC |
|---|---|---|---|---|
| dhcpcd 9.4 | no | conflict | no | conflict |
| iputils arping -D (20221126) | no | no | no | conflict |
| udhcpc -a (1.35) | no | no | a reply is | a reply is, an announcement is not |

systemd-networkd (sd-ipv4acd) has its socket filter drop what carries its own hardware address; it
was read, not tried. dhclient does nothing by itself: distributions' scripts call arping. What other
systems do is not known: the answer forks.
"""

from ipaddress import IPv4Address

from msgspec import Struct

from hopback.datapath.effects import Ask, Drop, Question, Why, World
from hopback.frames import arp
from hopback.frames.arp import Arp
from hopback.frames.ethernet import ARP, Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId

_ANY = IPv4Address(0)
_PROGRAMS = ("rfc5227", "claims", "replies", "anything", "none")


class Prober(Struct, frozen=True):
    """A station that probes ``address``; ``macs`` are all its interfaces' own."""

    dev: DevId
    macs: frozenset[Mac]
    address: IPv4Address


class Conflict(Struct, frozen=True):
    """The station takes the address for somebody else's: ``mac``'s."""

    dev: DevId
    address: IPv4Address
    mac: Mac
    why: Why


def program_question(dev: DevId) -> Question:
    """What the station's program takes for a conflict; the default is what the RFC asks for.

    claims: only who names the address as its own, with another MAC (arping -D). replies: only
    replies, whatever the MAC (udhcpc -a). anything: its own probe, too. none: it does not look.
    """
    return Question(dev, "what does it take for an IPv4 conflict?", _PROGRAMS, "rfc5227")


def heard(prober: Prober, world: World, frame: Frame) -> tuple[Conflict | Drop | Ask, ...]:
    """What the probing station makes of a frame; nothing of what is not about the address."""
    message = frame.payload
    if frame.ethertype != ARP or not isinstance(message, Arp):
        return ()
    claims = message.sender_ip == prober.address
    probes = message.sender_ip == _ANY and message.target_ip == prober.address
    probes = probes and message.op == arp.REQUEST
    if not claims and not probes:
        return ()
    question = program_question(prober.dev)
    if question not in world:
        return (Ask(question),)
    if _counts(world[question], message, claims=claims, own=message.sender_mac in prober.macs):
        why = Why("acd-conflict")
        return (Conflict(prober.dev, prober.address, message.sender_mac, why),)
    return (Drop(Why("acd-no-conflict")),)


def _counts(program: str, message: Arp, *, claims: bool, own: bool) -> bool:
    match program:
        case "rfc5227":
            return not own
        case "claims":
            return claims and not own
        case "replies":
            return claims and message.op == arp.REPLY
        case "anything":
            return True
    return False
