"""A way out that is no plain wire: VLAN devices and bonds, as the recorded host stacked them."""

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bond_state import CHOSEN, LACP, BondState, Leg
from hopback.datapath.bridge.state import BridgeState
from hopback.datapath.model import Model
from hopback.datapath.vlan_device import VlanDev, VlanDevices
from hopback.frames.ethernet import DOT1AD
from hopback.frames.mac import Mac, format_mac
from hopback.lab.steps import Bonded, Facility, Step
from hopback.network.facts import DevId
from hopback.network.model import Device

_HASHED = ("balance-xor", "802.3ad")
_UNCERTAIN = ("balance-rr", "balance-tlb", "balance-alb")


class Uplink(Struct, frozen=True):
    """``vlans`` lead from the port down to ``bottom``, a bond (``bond``) or a plain device.

    ``others`` are VLAN devices beside them, which take their own VLANs' frames.
    """

    vlans: tuple[VlanDev, ...]
    bottom: DevId
    bond: BondState | None = None
    others: tuple[VlanDev, ...] = ()

    def devices(self) -> tuple[DevId, ...]:
        """The devices from the port down, without a bond's legs."""
        return (*(vlan.id for vlan in self.vlans), self.bottom)

    def legs(self) -> tuple[Leg, ...]:
        """The bond's legs, if there is one."""
        return self.bond.legs if self.bond else ()

    def certain(self) -> tuple[Leg, ...]:
        """The legs, where the recorded state tells by which one a frame leaves."""
        return () if self.bond is None or self.bond.mode in _UNCERTAIN else self.bond.legs


def uplink_of(model: Model, port: DevId, capable: Collection[Facility]) -> Uplink | None:
    """What is below ``port``; None for a plain device, or what the kernel cannot build."""
    vlans = []
    bottom = port
    while (vlan := model.vlans.by_id.get(bottom)) is not None:
        vlans.append(vlan)
        bottom = vlan.lower
    bond = model.bonds.get(bottom)
    device = model.network.devices.get(bottom)
    if bond is None and (bottom in model.network.bonds or (device and _kind(device))):
        return None
    own = {bottom, *(v.id for v in vlans)}
    others = tuple(v for v in model.vlans.by_id.values() if v.lower in own and v.id not in own)
    needed: set[Facility] = set()
    if vlans:
        needed.add("8021q")
    if bond is not None:
        needed.add("bonding")
    if not needed or not needed <= set(capable):
        return None
    if bond is not None and bond.question is not None:  # nobody recorded it: it is for us to say
        active = bottom._replace(name=bond.question.default)
        bond = replace(bond, active=active, question=None)
    return Uplink(tuple(vlans), bottom, bond, others if "8021q" in capable else ())


def _kind(device: Device) -> str:
    """The driver of a device that is no NIC."""
    return device.kind.value if device.kind else ""


def rebuilt(model: Model, uplinks: Collection[Uplink], apart: bool) -> Model:
    """The model of what is built: of all bonds and VLAN devices only these are left."""
    bonds = {u.bottom: _as_wired(u.bond, apart) for u in uplinks if u.bond}
    vlans = {vlan.id: vlan for u in uplinks for vlan in (*u.vlans, *u.others)}
    tags = {(v.lower, v.tag.tpid, v.tag.vid): v for v in vlans.values()}
    return replace(
        model,
        bonds=bonds,
        bond_of={leg.id: bond.id for bond in bonds.values() for leg in bond.legs},
        vlans=VlanDevices(vlans, tags),
    )


def unfiltered(state: BridgeState) -> BridgeState:
    """The bridge where no VLANs are filtered: one table for all of them."""
    ranked = sorted(state.fdb.items(), key=lambda item: item[0][1])
    table = {(mac, 0): entry for (mac, _), entry in ranked}
    return replace(state, vlan_filtering=False, fdb=table)


def _as_wired(bond: BondState, apart: bool) -> BondState:
    """The bond once it is cabled: to ports that are ``apart``, or to one LAG.

    Without a partner LACP uses a single leg (bond_3ad.c:ad_agg_selection_logic).
    """
    if bond.mode != LACP:
        return bond
    up = [leg.id for leg in bond.legs if leg.up]
    joined = up[:1] if apart else up
    legs = tuple(replace(leg, joined=leg.id in joined) for leg in bond.legs)
    return replace(bond, legs=legs)


def cable(index: int) -> str:
    """The far end of a bond's leg."""
    return f"leg{index}"


def uplink_steps(
    uplink: Uplink, host: str, space: str, far: str, macs: Mapping[DevId, Mac]
) -> Iterator[Step]:
    """What is below a port in ``host``; the far ends are in ``space``, a plain one's is ``far``."""
    bond = uplink.bond
    name = uplink.bottom.name
    address = _address(macs, uplink.bottom)
    if bond is None:
        line = f"link add name {far} netns {space} up type veth peer name {name}{address}"
        yield Step(host, "ip", line, "the device below")
    else:
        for index, leg in enumerate(bond.legs):
            line = f"link add name {cable(index)} netns {space} type veth peer name {leg.id.name}"
            yield Step(host, "ip", line, f"a leg of {name}")
        yield Step(
            host, "ip", f"link add name {name}{address} type bond {_options(bond)}", "as recorded"
        )
        for leg in bond.legs:
            yield Step(host, "ip", f"link set dev {leg.id.name} master {name}")
    yield Step(host, "ip", f"link set dev {name} up")
    for vlan in (*reversed(uplink.vlans), *uplink.others):
        yield Step(host, "ip", _vlan_line(vlan, _address(macs, vlan.id)), "as recorded")
        yield Step(host, "ip", f"link set dev {vlan.id.name} up")


def far_bond_steps(bond: BondState, space: str, far: str) -> Iterator[Step]:
    """The bond ``far`` that the switch makes of its ports.

    What faces a bond with one active leg are plain ports: they take by every leg, and answer by
    the active one.
    """
    if bond.mode in CHOSEN:
        options = "mode active-backup miimon 50 all_slaves_active 1"
    elif bond.mode == LACP:
        options = "mode 802.3ad miimon 50 lacp_rate fast"
    else:
        options = f"mode {bond.mode} miimon 50"
    yield Step(space, "ip", f"link add name {far} type bond {options}", "its ports, as one link")
    for index, leg in enumerate(bond.legs):
        yield Step(space, "ip", f"link set dev {cable(index)} master {far}")
        if not leg.up:
            yield Step(space, "ip", f"link set dev {cable(index)} down", "no link, as recorded")
    yield Step(space, "ip", f"link set dev {far} up")


def active_steps(bond: BondState, host: str, space: str, far: str | None) -> Iterator[Step]:
    """Make the recorded leg the active one, at both ends; to be done when the links are up."""
    if bond.mode not in CHOSEN or bond.active is None:
        return
    index = next(i for i, leg in enumerate(bond.legs) if leg.id == bond.active)
    lines = [(host, bond.id.name, bond.active.name)]
    if far is not None:
        lines.append((space, far, cable(index)))
    for where, name, leg in lines:
        line = f"link set dev {name} type bond active_slave {leg}"
        yield Step(where, "ip", line, "the active leg")


def awaited(bond: BondState, host: str) -> Bonded:
    """When the bond is as recorded."""
    legs = tuple(leg.id.name for leg in bond.legs if leg.up and leg.joined)
    return Bonded(host, bond.id.name, legs, lacp=bond.mode == LACP)


def _options(bond: BondState) -> str:
    words = [f"mode {bond.mode} miimon 50"]
    if bond.mode in _HASHED:
        words.append(f"xmit_hash_policy {bond.policy}")
    if bond.all_active:
        words.append("all_slaves_active 1")
    if bond.mode == LACP:
        words.append("lacp_rate fast")  # only how soon the legs agree, not on what
    return " ".join(words)


def _vlan_line(vlan: VlanDev, address: str) -> str:
    protocol = "802.1ad" if vlan.tag.tpid == DOT1AD else "802.1Q"
    where = f"link add link {vlan.lower.name} name {vlan.id.name}{address}"
    return f"{where} type vlan protocol {protocol} id {vlan.tag.vid}"


def _address(macs: Mapping[DevId, Mac], device: DevId) -> str:
    return f" address {format_mac(macs[device])}" if device in macs else ""
