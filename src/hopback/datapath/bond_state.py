"""What the bond stages look at: one bond and its legs, at one moment.

drivers/net/bonding/bond_main.c, bond_3ad.c; Linux 6.1.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Question, World
from hopback.datapath.kernel import CURRENT, Behaviour, behaviour_of
from hopback.frames.mac import ZERO, Mac
from hopback.network.facts import DevId, Fact, Ref, Told, latest, merge_refs
from hopback.network.model import BondView, Network
from hopback.snapshot.rows import Bond, BondLeg

STATIC = ("balance-rr", "balance-xor", "broadcast")
"""Modes in which every leg with a link sends and receives, whatever the switch makes of it."""

CHOSEN = ("active-backup", "balance-tlb", "balance-alb")
"""Modes with one active leg (bond_uses_primary)."""

LACP = "802.3ad"
MODES = (*STATIC, *CHOSEN, LACP)

_COLLECTING = 0x10
"""The actor's state bit of a port that takes frames (IEEE 802.1AX §6.4.2.3)."""


class Leg(Struct, frozen=True):
    """A leg. ``joined``: LACP has it in the active aggregator, collecting; True in other modes."""

    id: DevId
    up: bool = True
    joined: bool = True
    mac: Mac | None = None
    refs: tuple[Ref, ...] = ()


class BondState(Struct, frozen=True):
    """A bond. ``legs`` are in the order in which they were enslaved.

    ``active`` is curr_active_slave, ``question`` is open while nothing tells it. ``policy`` is
    xmit_hash_policy, ``all_active`` all_slaves_active.
    """

    id: DevId
    mode: str
    legs: tuple[Leg, ...]
    active: DevId | None = None
    policy: str = "layer2"
    all_active: bool = False
    mac: Mac | None = None
    bridged: bool = False
    question: Question | None = None
    refs: tuple[Ref, ...] = ()
    kernel: Behaviour = CURRENT

    def leg(self, id_: DevId) -> Leg:
        """The leg of that id."""
        return next(leg for leg in self.legs if leg.id == id_)

    def takes(self, leg: Leg) -> bool:
        """Whether what comes in by ``leg`` is the bond's (``slave->inactive`` is not set)."""
        if self.mode in STATIC or self.all_active:
            return True
        return leg.joined if self.mode == LACP else leg.id == self.active

    def sends(self, leg: Leg) -> bool:
        """Whether the bond may pick ``leg`` (bond_slave_can_tx).

        Legs of balance-tlb and balance-alb send though they may not take.
        """
        if self.mode == "active-backup" and leg.id != self.active:
            return False
        return leg.up and leg.joined

    @property
    def reflects(self) -> bool:
        """Whether it takes by one leg what it sends by another, where the switch carries it there.

        With LACP a leg joins only if the switch agrees that it is of the same link.
        """
        return self.mode != LACP and sum(leg.up and self.takes(leg) for leg in self.legs) > 1


def settled(state: BondState, world: World) -> BondState | Ask:
    """``state`` with its active leg known, or the question which one it is."""
    if state.question is None:
        return state
    answer = world.get(state.question)
    if answer is None:
        return Ask(state.question)
    return replace(state, active=state.id._replace(name=answer), question=None)


def bond_states(network: Network) -> dict[DevId, BondState]:
    """The bonds of which some listing tells mode and legs."""
    found: dict[DevId, BondState] = {}
    for id_, view in network.bonds.items():
        rows = [Told(ref.host, row) for ref, row in view.rows]
        mode = latest(rows, lambda row: row.mode)
        if mode is not None and mode.value in MODES and view.legs:
            found[id_] = _state(network, view, rows, mode)
    return found


def _state(
    network: Network,
    view: BondView,
    rows: Sequence[Told[Bond]],
    mode: Fact[str],
) -> BondState:
    aggregator = latest(rows, lambda row: row.active_aggregator)
    legs = tuple(
        _leg(network, view, name, mode.value, aggregator) for name in _order(network, view)
    )
    active = _active(view, rows, mode.value, legs)
    policy = latest(rows, lambda row: row.xmit_hash_policy)
    everything = latest(rows, lambda row: row.all_slaves_active)
    device = network.devices.get(view.id)
    state = BondState(
        id=view.id,
        mode=mode.value,
        legs=legs,
        active=active.value if active else None,
        policy=policy.value if policy else "layer2",
        all_active=bool(everything and everything.value),
        mac=device.mac.value if device and device.mac else None,
        bridged=network.bridge_of(view.id) is not None,
        refs=merge_refs(mode.refs, *(f.refs for f in (active, everything) if f and f.value)),
        kernel=behaviour_of(network.release(view.id.host)),
    )
    if active is None and mode.value in CHOSEN:
        return replace(state, question=_which(view.id, legs))
    return state


def _order(network: Network, view: BondView) -> list[str]:
    """The legs' names; the bond's own file lists them as enslaved, other listings by index."""
    told = sorted(
        (ref.cite.source, ref.cite.line, name)
        for name, rows in view.legs.items()
        for ref, _ in rows
        if "net/bonding/" in network.snapshots[ref.host].sources[ref.cite.source].name
    )
    return list(dict.fromkeys([*(name for *_, name in told), *view.legs]))


def _leg(
    network: Network, view: BondView, name: str, mode: str, aggregator: Fact[int] | None
) -> Leg:
    rows = [Told(ref.host, row) for ref, row in view.legs[name]]
    id_ = view.id._replace(name=name)
    device = network.devices.get(id_)
    up = latest(rows, lambda row: row.mii_up)
    joined = _joined(rows, aggregator) if mode == LACP else None
    return Leg(
        id=id_,
        up=up is None or up.value,
        joined=joined is None or joined.value,
        mac=device.mac.value if device and device.mac else None,
        refs=merge_refs(*(fact.refs for fact in (up, joined) if fact)),
    )


def _joined(rows: Sequence[Told[BondLeg]], aggregator: Fact[int] | None) -> Fact[bool] | None:
    """Whether an 802.3ad leg takes part: as the kernel says, or by its aggregator and its state.

    The ports of an active aggregator without a partner are enabled though they do not collect
    (bond_3ad.c:ad_agg_selection_logic).
    """
    active = latest(rows, lambda row: row.active)
    if active is not None:
        return active
    own = latest(rows, lambda row: row.aggregator)
    if own is None or aggregator is None:
        return None
    state = latest(rows, lambda row: row.actor_state)
    partner = latest(rows, lambda row: row.partner_mac)
    alone = partner is not None and partner.value == ZERO
    collects = state is None or bool(state.value & _COLLECTING) or alone
    refs = merge_refs(own.refs, aggregator.refs, state.refs if state else ())
    return Fact(own.value == aggregator.value and collects, refs)


def _active(
    view: BondView, rows: Sequence[Told[Bond]], mode: str, legs: Sequence[Leg]
) -> Fact[DevId | None] | None:
    """The active leg; None if nothing tells it. Round-robin has one too, by which IGMP goes."""
    up = [leg for leg in legs if leg.up]
    if mode not in CHOSEN:
        return Fact(up[0].id if up else None, ())
    named = latest(rows, lambda row: row.active_slave)
    if named is not None:
        return Fact(view.id._replace(name=named.value) if named.value else None, named.refs)
    if mode == "active-backup":  # the legs of the two others all count as active to netlink
        for leg in up:
            told = [Told(ref.host, row) for ref, row in view.legs[leg.id.name]]
            active = latest(told, lambda row: row.active)
            if active is not None and active.value:
                return Fact(leg.id, active.refs)
    return Fact(up[0].id if up else None, ()) if len(up) < 2 else None


def _which(bond: DevId, legs: Sequence[Leg]) -> Question:
    names = tuple(leg.id.name for leg in legs if leg.up)
    return Question(bond, "which of its legs is the active one?", names, names[0])
