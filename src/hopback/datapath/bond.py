"""A bond: what comes in by its legs, and by which leg it sends (Linux 6.1).

drivers/net/bonding/bond_main.c:bond_handle_frame and __bond_start_xmit, bond_alb.c, bond_3ad.c.
The load that balance-tlb and balance-alb weigh is not in any table: the leg is asked for. What
balance-alb does to the host's own ARP (receive load balancing) is not modelled, nor is a leg that
a queue id chooses, nor tunnels' hash policies.
"""

from msgspec.structs import replace

from hopback.datapath.bond_hash import POLICIES, transmit_hash
from hopback.datapath.bond_state import LACP, BondState, Leg, settled
from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Drop,
    Effect,
    Question,
    Send,
    Why,
    World,
)
from hopback.frames.arp import Arp
from hopback.frames.codec import encode
from hopback.frames.ethernet import Frame
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import BROADCAST, Mac, is_group, is_link_local
from hopback.network.facts import DevId

_SLOW, _SLOW_GROUP = 0x8809, Mac(0x0180_C200_0002)
_LACPDU_LENGTH = 110
_LACPDU_KINDS = (1, 2)  # LACP and marker
_IGMP, _ICMPV6 = 2, 58
_ALL_NODES = Mac(0x3333_0000_0001)
_NEIGHBOUR = (135, 136)


def receive(state: BondState, world: World, at: DevId, frame: Frame) -> tuple[Effect, ...]:
    """What becomes of ``frame`` that came in by leg ``at`` (bond_handle_frame)."""
    known = settled(state, world)
    if isinstance(known, Ask):
        return (known,)
    if known.mode == LACP and _is_lacpdu(frame):
        return (Drop(Why("bond-lacp")),)
    leg = known.leg(at)
    alb = known.mode == "balance-alb" and not is_group(frame.dst)
    refs = known.refs + leg.refs
    if not known.takes(leg) and not alb:
        if is_link_local(frame.dst) and known.kernel.bond_link_local_on_leg:
            return (Deliver(at, frame, "multicast", Why("bond-link-local", refs)),)
        return (Drop(Why("bond-inactive", refs), at),)
    if alb and known.bridged and known.mac is not None and frame.dst == leg.mac:
        return (Cross(known.id, replace(frame, dst=known.mac), Why("bond-alb-host", refs)),)
    return (Cross(known.id, frame, Why("bond-up", refs)),)


def _is_lacpdu(frame: Frame) -> bool:
    """What bond_3ad_lacpdu_recv keeps for itself: whole LACPDUs and markers."""
    if frame.ethertype != _SLOW or frame.dst != _SLOW_GROUP or frame.tags:
        return False
    raw = getattr(frame.payload, "raw", b"")
    return len(raw) >= _LACPDU_LENGTH and raw[0] in _LACPDU_KINDS


def transmit(state: BondState, world: World, frame: Frame) -> tuple[Effect, ...]:
    """Which legs ``frame`` leaves by (__bond_start_xmit)."""
    known = settled(state, world)
    if isinstance(known, Ask):
        return (known,)
    usable = tuple(leg for leg in known.legs if known.sends(leg))
    if not usable:
        return (Drop(Why("bond-no-leg", known.refs), known.id),)
    match known.mode:
        case "broadcast":
            return tuple(Send(leg.id, frame, Why("bond-broadcast", known.refs)) for leg in usable)
        case "active-backup":
            return (Send(usable[0].id, frame, Why("bond-active", known.refs)),)
        case "balance-rr":
            if _is_igmp(frame) and known.active is not None:
                return (Send(known.active, frame, Why("bond-igmp", known.refs)),)
            return _asked(known, world, usable, frame, "bond-rr")
        case "balance-xor" | "802.3ad":
            return _hashed(known, world, usable, frame)
        case _:
            return _balanced(known, world, usable, frame)


def _is_igmp(frame: Frame) -> bool:
    return isinstance(frame.payload, Ipv4) and frame.payload.protocol == _IGMP


def _hashed(
    state: BondState, world: World, usable: tuple[Leg, ...], frame: Frame
) -> tuple[Effect, ...]:
    if state.policy not in POLICIES:
        return _asked(state, world, usable, frame, "bond-hash")
    number = transmit_hash(state.policy, frame, state.kernel)
    return (Send(usable[number % len(usable)].id, frame, Why("bond-hash", state.refs)),)


def _asked(
    state: BondState, world: World, usable: tuple[Leg, ...], frame: Frame, rule: str
) -> tuple[Effect, ...]:
    """By a leg that no table tells; the same for the whole run, once it is answered."""
    names = tuple(leg.id.name for leg in usable)
    usual = state.active.name if state.active and state.active.name in names else names[0]
    question = Question(state.id, "by which of its legs does it send?", names, usual)
    if len(names) > 1 and question not in world:
        return (Ask(question),)
    leg = state.leg(state.id._replace(name=world.get(question, usual)))
    return (Send(leg.id, frame, Why(rule, state.refs)),)


def _balanced(
    state: BondState, world: World, usable: tuple[Leg, ...], frame: Frame
) -> tuple[Effect, ...]:
    """balance-tlb and balance-alb (bond_alb.c:bond_do_alb_xmit).

    By another leg than the active one a frame goes with that leg's address as its source.
    """
    alb = state.mode == "balance-alb"
    if alb and isinstance(frame.payload, Arp) and _is_own(state, frame.payload.sender_mac):
        return (Blind("what balance-alb does to the host's own ARP", state.refs),)
    spread = _alb_spreads(frame) if alb else _tlb_spreads(frame)
    if not spread:
        if state.active is None or not state.leg(state.active).up:
            return (Drop(Why("bond-no-leg", state.refs), state.id),)
        return (Send(state.active, frame, Why("bond-active", state.refs)),)
    effects = _asked(state, world, usable, frame, "bond-balance")
    return tuple(_with_own_source(state, effect) for effect in effects)


def _with_own_source(state: BondState, effect: Effect) -> Effect:
    if not isinstance(effect, Send) or effect.dev == state.active:
        return effect
    mac = state.leg(effect.dev).mac
    if mac is None:
        return Blind(f"the address of {effect.dev.name}, which it puts on what it sends", ())
    return replace(effect, frame=replace(effect.frame, src=mac))


def _is_own(state: BondState, mac: Mac) -> bool:
    return mac in (state.mac, *(leg.mac for leg in state.legs))


def _tlb_spreads(frame: Frame) -> bool:
    if is_group(frame.dst) or frame.tags[1:]:
        return False
    if isinstance(frame.payload, Ipv6):
        return not _is_neighbour(frame)
    return isinstance(frame.payload, Ipv4)


def _alb_spreads(frame: Frame) -> bool:
    packet = frame.payload
    if frame.dst == BROADCAST or frame.tags[1:]:
        return False
    if isinstance(packet, Ipv4):
        return int(packet.dst) != 0xFFFF_FFFF and packet.protocol != _IGMP
    if isinstance(packet, Ipv6):
        return frame.dst != _ALL_NODES and not _is_neighbour(frame) and int(packet.src) != 0
    return False


def _is_neighbour(frame: Frame) -> bool:
    """A neighbour solicitation or advertisement, or too short to tell (alb_determine_nd)."""
    packet = encode(frame)[14 + 4 * len(frame.tags) :]
    if len(packet) < 40 or packet[6] != _ICMPV6:
        return len(packet) < 40
    return len(packet) < 48 or packet[40] in _NEIGHBOUR


def taking_leg(state: BondState) -> DevId:
    """A leg by which frames reach the bond, as far as is known; the first one if none does."""
    takes = (leg for leg in state.legs if leg.up and state.takes(leg))
    return next(takes, state.legs[0]).id


def lag_question(bond: DevId) -> Question:
    """What the switch makes of the bond's cables."""
    text = "are the switch ports of its legs one LAG?"
    return Question(bond, text, ("one LAG", "separate ports"), "one LAG")


def beyond(state: BondState, world: World, at: DevId, frame: Frame) -> tuple[Effect, ...]:
    """What the switch brings back by the other legs when ``frame`` has left by leg ``at``.

    Only of a group frame is it certain that the switch floods it. A bond that keeps one leg drops
    such copies: the switch is then not asked about.
    """
    known = settled(state, world)
    if isinstance(known, Ask) or not known.reflects or not is_group(frame.dst):
        return ()
    question = lag_question(known.id)
    if question not in world:
        return (Ask(question),)
    if world[question] == question.default:
        return ()
    others = (leg for leg in known.legs if leg.up and leg.id != at)
    return tuple(Cross(leg.id, frame, Why("bond-separate", known.refs)) for leg in others)
