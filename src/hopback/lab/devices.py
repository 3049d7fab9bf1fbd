"""The steps that build a segment: the bridge, its ports as recorded, the guests, the table."""

from collections.abc import Iterator

from hopback.datapath.bridge.state import BridgeState, FdbEntry
from hopback.frames.mac import Mac, format_mac
from hopback.lab.segment import Segment, Wire
from hopback.lab.steps import Step
from hopback.network.members import PORT_FLAGS

HOST = "host"
GUEST = "guest"
GUEST_DEVICE = "eth0"
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


def bridge_steps(segment: Segment) -> Iterator[Step]:
    """The bridge, then its ports in their order: the order gives them their numbers."""
    yield Step(HOST, "ip", _bridge_line(segment), "the bridge with its recorded settings")
    for wire in segment.wires:
        space = far_space(wire, segment)
        yield Step(HOST, "ip", _pair_line(wire, space), _who(wire))
        yield Step(HOST, "ip", f"link set dev {wire.name} master {segment.name} up")
        flags = " ".join(_flags(wire))
        if flags:
            line = f"link set dev {wire.name} type bridge_slave {flags}"
            yield Step(HOST, "ip", line, "flags that a new port has not")


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
        (mac, entry, names[entry.port])
        for (mac, vid), entry in state.fdb.items()
        if not entry.local and vid == 0 and entry.port in names
    ]
    entries.sort(key=lambda e: e[0] != segment.station.mac)
    for mac, entry, port in entries[:ENTRIES_MAX]:
        yield Step(HOST, "bridge", entry_line(mac, port, entry), "as recorded")


def entry_line(mac: Mac, port: str, entry: FdbEntry | None = None) -> str:
    """Put ``mac`` on ``port``, wherever it was before."""
    kind = "static sticky" if entry and entry.sticky else "dynamic"
    return f"fdb replace {format_mac(mac)} dev {port} master {kind}"


def forget_steps(mac: Mac, port: str) -> Iterator[Step]:
    """No entry for ``mac``: only one that is there, and where it is, can be deleted."""
    yield Step(HOST, "bridge", entry_line(mac, port), "to be found there,")
    line = f"fdb del {format_mac(mac)} dev {port} master"
    yield Step(HOST, "bridge", line, "and forgotten")


def _bridge_line(segment: Segment) -> str:
    settings = segment.bridge.settings
    words = ["stp_state 0", "forward_delay 0", "vlan_default_pvid 0"]
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
