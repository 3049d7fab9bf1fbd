"""The steps that build a segment: the bridge, its ports as recorded, the guests, the table."""

from collections.abc import Iterator, Mapping

from hopback.datapath.bridge.state import BridgeState, FdbEntry, VlanGroup
from hopback.frames.mac import Mac, format_mac
from hopback.lab.segment import Segment, Wire
from hopback.lab.steps import Step
from hopback.lab.uplink import uplink_steps
from hopback.network.facts import DevId
from hopback.network.members import PORT_FLAGS

HOST = "host"
GUEST = "guest"
GUEST_DEVICE = "nic0"
"""Not eth0: a device is not made in another namespace under a name that this one has already."""

FAR = "wire"
"""What the far end of every other port is called, each in a namespace of its own."""

ENTRIES_MAX = 2000

_USER_HZ = 100
_NANOSECONDS = 1_000_000_000
_ON_BY_DEFAULT = frozenset({"learning", "flood", "mcast_flood", "bcast_flood"})  # br_if.c:new_nbp
_SPELLED = {"proxyarp": "proxy_arp", "proxyarp_wifi": "proxy_arp_wifi"}
_FORWARDING = 3
_STATES = {"disabled": 1, "listening": 1, "blocking": 1, "learning": 2}
"""BR_STATE_*: without spanning tree only these stick, and 1 stops what 0 and 4 stop."""


def far_space(wire: Wire, segment: Segment) -> str:
    """The namespace of a wire's far end."""
    return GUEST if wire.port.id == segment.station.port else f"at-{wire.name}"


def far_device(wire: Wire) -> str:
    """The device at a wire's far end."""
    return FAR if wire.end == "way out" else GUEST_DEVICE


def bridge_steps(segment: Segment, macs: Mapping[DevId, Mac]) -> Iterator[Step]:
    """The bridge, then its ports in their order: the order gives them their numbers.

    ``macs`` are the addresses of what is below the ports.
    """
    yield Step(HOST, "ip", _bridge_line(segment), "the bridge with its recorded settings")
    for wire in segment.wires:
        space = far_space(wire, segment)
        if wire.uplink is None:
            yield Step(HOST, "ip", _pair_line(wire, space), _who(wire))
        else:
            yield from uplink_steps(wire.uplink, HOST, space, FAR, macs)
        yield Step(HOST, "ip", f"link set dev {wire.name} master {segment.name} up")
        flags = " ".join(_flags(wire))
        if flags:
            line = f"link set dev {wire.name} type bridge_slave {flags}"
            yield Step(HOST, "ip", line, "flags that a new port has not")


def vlan_steps(segment: Segment, state: BridgeState) -> Iterator[Step]:
    """The VLANs of a bridge that filters them, none of which a new port has here."""
    if not segment.filters:
        return
    for wire in segment.wires:
        yield from _vlans(wire.name, state.ports[wire.port.id].vlans, "")
    yield from _vlans(segment.name, state.vlans, " self")


def _vlans(device: str, group: VlanGroup, suffix: str) -> Iterator[Step]:
    for vid in group.vlans:
        flags = " pvid" * (vid == group.pvid) + " untagged" * (vid in group.untagged)
        yield Step(HOST, "bridge", f"vlan add dev {device} vid {vid}{flags}{suffix}", "as recorded")


def state_steps(segment: Segment) -> Iterator[Step]:
    """The states of ports that do not forward; to be set once all links are up."""
    for wire, state in _halted(segment):
        line = f"link set dev {wire.name} state {_STATES[state]}"
        yield Step(HOST, "bridge", line, f"recorded as {state}")


def opening_steps(segment: Segment) -> Iterator[Step]:
    """Let every port forward: only such a port takes entries (br_fdb.c:fdb_add_entry)."""
    for wire, _ in _halted(segment):
        line = f"link set dev {wire.name} state {_FORWARDING}"
        yield Step(HOST, "bridge", line, "for a moment, as the table is set")


def _halted(segment: Segment) -> Iterator[tuple[Wire, str]]:
    for wire in segment.wires:
        state = wire.port.state.value if wire.port.state else "forwarding"
        if state in _STATES:
            yield wire, state


def table_steps(segment: Segment, state: BridgeState) -> Iterator[Step]:
    """The forwarding table, as the model has it; the bridge's own addresses it makes itself."""
    names = segment.names()
    entries = [
        (mac, vid, entry, names[entry.port])
        for (mac, vid), entry in state.fdb.items()
        if not entry.local and (vid != 0) == segment.filters and entry.port in names
    ]
    entries.sort(key=lambda e: e[0] != segment.station.mac)
    for mac, vid, entry, port in entries[:ENTRIES_MAX]:
        yield Step(HOST, "bridge", entry_line(mac, port, vid, entry), "as recorded")


def entry_line(mac: Mac, port: str, vid: int, entry: FdbEntry | None = None) -> str:
    """Put ``mac`` on ``port``, wherever it was before."""
    kind = "static sticky" if entry and entry.sticky else "dynamic"
    return f"fdb replace {_at(mac, port, vid)} {kind}"


def forget_steps(mac: Mac, port: str, vid: int) -> Iterator[Step]:
    """No entry for ``mac``: only one that is there, and where it is, can be deleted."""
    yield Step(HOST, "bridge", entry_line(mac, port, vid), "to be found there,")
    yield Step(HOST, "bridge", f"fdb del {_at(mac, port, vid)}", "and forgotten")


def _at(mac: Mac, port: str, vid: int) -> str:
    vlan = f" vlan {vid}" if vid else ""
    return f"{format_mac(mac)} dev {port} master{vlan}"


def _bridge_line(segment: Segment) -> str:
    settings = segment.bridge.settings
    words = ["stp_state 0", "forward_delay 0", "vlan_default_pvid 0"]
    if segment.filters:
        words.append("vlan_filtering 1")
    for name in ("group_fwd_mask", "mcast_snooping", "mcast_querier"):
        if name in settings:
            words.append(f"{name} {int(settings[name].value)}")
    if "ageing_time" in settings:
        words.append(f"ageing_time {settings['ageing_time'].value * _USER_HZ // _NANOSECONDS}")
    return f"link add name {segment.name}{_address(segment.mac)} up type bridge {' '.join(words)}"


def _pair_line(wire: Wire, space: str) -> str:
    # The far end stands first: only that one can be brought up as it is made.
    mac = wire.station.mac if wire.station else None
    far = f"{far_device(wire)}{_address(mac)} netns {space} up"
    return f"link add name {far} type veth peer name {wire.name}{_address(wire.mac)}"


def _who(wire: Wire) -> str:
    if wire.station is not None:
        return f"{wire.station.name} behind its own port"
    return "a way out" if wire.end == "way out" else "a port nobody is known behind"


def _flags(wire: Wire) -> Iterator[str]:
    for name in PORT_FLAGS:
        told = wire.port.flags.get(name)
        if told is not None and told.value != (name in _ON_BY_DEFAULT):
            yield f"{_SPELLED.get(name, name)} {'on' if told.value else 'off'}"
    mask = wire.port.group_fwd_mask
    if mask is not None and mask.value:
        yield f"group_fwd_mask {mask.value}"


def _address(mac: Mac | None) -> str:
    return "" if mac is None else f" address {format_mac(mac)}"
