"""Bonds of every mode: by which leg they send, and what they take; and VLAN devices on them."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

from hopback.datapath.bond import receive, transmit
from hopback.datapath.bond_hash import transmit_hash
from hopback.datapath.bond_state import BondState, Leg, bond_states
from hopback.datapath.effects import (
    Ask,
    Blind,
    Cross,
    Deliver,
    Effect,
    Question,
    Send,
)
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.rules import RULES
from hopback.datapath.skb import PacketType
from hopback.datapath.vlan_device import VlanDev, VlanDevices, tagged, taken
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame, Vlan
from hopback.frames.mac import BROADCAST, Mac, is_group
from hopback.network.facts import DevId
from tests.build import network
from tests.fidelity.area import Prediction, Received, Result, received
from tests.fidelity.areas.bond_cases import ENUMERATED, OWN_MAC, BondCase, random_case, smaller_case
from tests.fidelity.mutants import Mutation, Spot, rule_of
from tests.kernel.bond_rig import BOND, BOND_VID, LEG_VID, BondConfig, KernelBond, joined, leg_mac
from tests.kernel.refusal import device_refusal

_KERNEL = behaviour_of(os.uname().release)
_BOND = DevId("k", "", BOND)


class BondArea:
    """Taps as legs; a new bond for every case."""

    name = "bond"
    rules = frozenset(
        name
        for name, rule in RULES.items()
        if rule.area == "bond" or name in ("vlan-up", "vlan-down")
    )
    enumerated: Sequence[BondCase] = ENUMERATED
    not_covered = (
        "the load that balance-tlb and balance-alb weigh: only tlb_dynamic_lb 0",
        "receive load balancing of balance-alb, which changes the host's own ARP",
        "the packet type of unicast where legs have addresses of their own (balance-tlb, -alb)",
        "the hash policies encap2+3 and encap3+4, and queue ids",
        "ARP monitoring, failover within a case, and 802.3ad port priorities",
        "kernels before the hash took the EtherType in host order (5.15)",
    )

    def refusal(self) -> str | None:
        return device_refusal("bond")

    def generate(self, chance: Random) -> BondCase:
        return random_case(chance)

    def smaller(self, case: BondCase) -> Iterator[BondCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[BondCase], Result]]:
        yield _asked

    def model(self, case: BondCase, mutation: Mutation) -> Prediction:
        run = _Playback(case.bond, mutation)
        for at, raw in case.frames:
            run.take(at, raw)
        return run.prediction()


AREA = BondArea()


def _asked(case: BondCase) -> Result:
    """The kernel's answer; the table is what our own reading makes of its listings."""
    with KernelBond(case.bond) as bond:
        told = [bond_states(network(listing))[_BOND] for listing in bond.listings()]
        seen = bond.play(case.frames)
    return Result(
        {f"l{leg}": frames for leg, frames in seen.egress.items()},
        {
            name: tuple(Received(_type(case.bond, type_), raw) for type_, raw in received(frames))
            for name, frames in seen.taken.items()
        },
        _table(*told),
    )


def _type(config: BondConfig, told: PacketType) -> PacketType:
    return "host" if config.mode in OWN_MAC and told == "otherhost" else told


def _table(
    filed: BondState, state: BondState
) -> Mapping[str, tuple[bool, tuple[bool, bool], Mac | None]]:
    """For each leg whether it takes, whether it sends, and its address.

    The bond's own file, without more, has to tell which legs send.
    """
    return {
        leg.id.name: (
            state.takes(leg),
            (state.sends(leg), filed.sends(filed.leg(leg.id))),
            leg.mac,
        )
        for leg in state.legs
    }


def _state(config: BondConfig) -> BondState:
    active = config.active
    if active is None:
        active = next((leg for leg in range(config.legs) if leg not in config.down), None)
    legs = tuple(
        Leg(_leg(leg), leg not in config.down, here, _mac(config, leg, active))
        for leg, here in enumerate(joined(config))
    )
    return BondState(
        id=_BOND,
        mode=config.mode,
        legs=legs,
        active=None if active is None else _leg(active),
        policy=config.policy,
        all_active=config.all_active,
        mac=leg_mac(0),
        bridged=config.bridged,
        kernel=_KERNEL,
    )


def _leg(index: int) -> DevId:
    return _BOND._replace(name=f"l{index}")


def _mac(config: BondConfig, leg: int, active: int | None) -> Mac:
    """Where legs have addresses of their own, the active one has the bond's, by exchange.

    The first that has a link is active first.
    """
    if config.mode not in OWN_MAC:
        return leg_mac(0)
    macs = [leg_mac(index) for index in range(config.legs)]
    first = next((index for index in range(config.legs) if index not in config.down), 0)
    for one, other in ((0, first), (first, first if active is None else active)):
        macs[one], macs[other] = macs[other], macs[one]
    return macs[leg]


class _Playback:
    """The bond between two frames, and what they have led to so far."""

    def __init__(self, config: BondConfig, mutation: Mutation) -> None:
        self._config = config
        self._state = _state(config)
        self._devices = _vlans()
        self._mutation = mutation
        self._turn = 0
        self._egress: dict[str, list[bytes]] = {}
        self._local: dict[str, list[Received]] = {}
        self._fired: set[str] = set()

    def take(self, at: int | str, raw: bytes) -> None:
        frame = decode(raw)
        if isinstance(at, int):
            self._arrive(_leg(at), frame)
        elif at == BOND:
            self._leave(frame)
        else:
            down = tagged(self._devices.by_id[_BOND._replace(name=at)], frame)
            for effect in self._judged([down], None, frame):
                self._leave(effect.frame) if isinstance(effect, Send) else None

    def _arrive(self, at: DevId, frame: Frame) -> None:
        """net/core/dev.c: the device's sockets, its VLAN devices, then its bond."""
        self._note(at, frame)
        up = taken(self._devices, at, frame)
        if up is not None:
            effects: Sequence[Effect] = [up]
        elif at == _BOND or at not in {leg.id for leg in self._state.legs}:
            return
        else:
            effects = receive(self._state, {}, at, frame)
        for effect in self._judged(effects, at, frame):
            match effect:
                case Cross(dev=dev, frame=passed):
                    self._arrive(dev, passed)
                case Deliver(dev=dev, frame=kept, packet_type=type_):
                    self._local.setdefault(dev.name, []).append(Received(type_, encode(kept)))
                case Send(dev=dev, frame=sent):
                    self._egress.setdefault(dev.name, []).append(encode(sent))

    def _note(self, at: DevId, frame: Frame) -> None:
        """What a socket of the device sees, legs excepted: theirs see all that comes in."""
        if at in {leg.id for leg in self._state.legs}:
            return
        received = Received(self._type(frame.dst), encode(frame))
        self._local.setdefault(at.name, []).append(received)

    def _type(self, destination: Mac) -> PacketType:
        if destination == BROADCAST:
            return "broadcast"
        if is_group(destination):
            return "multicast"
        return _type(self._config, "host" if destination == self._state.mac else "otherhost")

    def _leave(self, frame: Frame) -> None:
        effects: Sequence[Effect] = transmit(self._state, {}, frame)
        match effects:
            case (Ask(question=question),):
                effects = transmit(self._state, {question: self._chosen(question, frame)}, frame)
        rules = {rule_of(effect) for effect in effects}
        if self._state.mode == "balance-rr" and "bond-rr" in rules:
            self._turn += 1
        for effect in self._judged(effects, None, frame):
            match effect:
                case Send(dev=dev, frame=sent):
                    self._egress.setdefault(dev.name, []).append(encode(sent))
                case Ask() | Blind():
                    raise AssertionError(f"the model leaves it open: {effect}")

    def _chosen(self, question: Question, frame: Frame) -> str:
        """What no table tells but the rig does: whose turn it is, and how the hash is used."""
        legs = self._state.legs
        if self._state.mode == "balance-rr":
            first = (self._turn + 1) % len(legs)
            order = legs[first:] + legs[:first]
            return next(leg.id.name for leg in order if self._state.sends(leg))
        number = transmit_hash(self._state.policy, frame, _KERNEL)
        return question.answers[number % len(question.answers)]

    def _judged(
        self, effects: Sequence[Effect], at: DevId | None, frame: Frame
    ) -> Sequence[Effect]:
        self._fired.update(filter(None, map(rule_of, effects)))
        return self._mutation(effects, Spot(_BOND, at, frame))

    def prediction(self) -> Prediction:
        result = Result(
            {name: tuple(frames) for name, frames in self._egress.items()},
            {name: tuple(received) for name, received in self._local.items()},
            _table(self._state, self._state),
        )
        return Prediction(result, frozenset(self._fired))


def _vlans() -> VlanDevices:
    found = [
        VlanDev(lower._replace(name=f"{lower.name}.{vid}"), lower, Vlan(vid))
        for lower, vid in ((_BOND, BOND_VID), (_leg(0), LEG_VID))
    ]
    return VlanDevices(
        {device.id: device for device in found},
        {(d.lower, d.tag.tpid, d.tag.vid): d for d in found},
    )
