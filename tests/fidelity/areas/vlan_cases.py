"""Random bridges that filter VLANs, and the frames they get: untagged, and tagged in every way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from hopback.frames.ethernet import DOT1AD, DOT1Q
from hopback.frames.mac import mac_to_bytes
from tests.fidelity.areas.bridge_cases import (
    LINK_LOCAL,
    STATIONS,
    addresses,
    random_ports,
    random_settings,
)
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.bridge_rig import (
    DEFAULT,
    TEST_ETHERTYPE,
    PortConfig,
    Settings,
)
from tests.kernel.vlan_rig import PortVlan, VlanEntry

FRAMES = 40
PORTS_MIN, PORTS_MAX = 2, 6
VIDS = (1, 2, 10, 4094)
_STRANGE_VIDS = (5, 4095)

_KINDS: tuple[dict[str, bool], ...] = ({}, {"sticky": True}, {"local": True}, {"extern": True})
_ETHERTYPE = TEST_ETHERTYPE.to_bytes(2, "big")
_LENGTHS = (4, 46, 46, 46, 46, 300, 1490)


@dataclass(frozen=True)
class VlanCase:
    """``vlans`` are those of each port, ``own`` those of the bridge device; the rest as elsewhere.

    ``protocol`` is the TPID of the bridge's tags.
    """

    ports: tuple[PortConfig, ...]
    vlans: tuple[tuple[PortVlan, ...], ...]
    own: tuple[PortVlan, ...] = ()
    entries: tuple[VlanEntry, ...] = ()
    settings: Settings = DEFAULT
    frames: tuple[tuple[int | None, bytes], ...] = ()
    inherits: bool = False
    filtering: bool = True
    protocol: int = DOT1Q


def random_case(chance: Random) -> VlanCase:
    """A bridge with any VLANs, flags, entries and settings, and ``FRAMES`` frames."""
    count = chance.randint(PORTS_MIN, PORTS_MAX)
    vlans = tuple(_vlans(chance) for _ in range(count))
    protocol = DOT1AD if chance.random() < 0.2 else DOT1Q
    return VlanCase(
        random_ports(chance, count),
        vlans,
        _vlans(chance),
        _entries(chance, vlans),
        random_settings(chance),
        tuple(_sent(chance, count, protocol, number) for number in range(FRAMES)),
        inherits=chance.random() < 0.3,
        filtering=chance.random() < 0.95,
        protocol=protocol,
    )


def _vlans(chance: Random) -> tuple[PortVlan, ...]:
    """The VLANs of one port, in any order: one of them is the PVID, mostly."""
    vids = [vid for vid in VIDS if chance.random() < 0.65]
    chance.shuffle(vids)
    pvid = chance.choice(vids) if vids and chance.random() < 0.75 else None
    return tuple(
        PortVlan(
            vid,
            chance.random() < (0.7 if vid == pvid else 0.3),
            vid == pvid,
            chance.choice((3,) * 16 + (0, 1, 2, 4)),
        )
        for vid in vids
    )


def _entries(chance: Random, vlans: tuple[tuple[PortVlan, ...], ...]) -> tuple[VlanEntry, ...]:
    """Entries that the kernel takes: in a VLAN of the port, and none twice."""
    keys = [(mac, vid) for mac in STATIONS for vid in VIDS]
    made = []
    for mac, vid in chance.sample(keys, chance.randint(0, 6)):
        members = [i for i, of_port in enumerate(vlans) if vid in (v.vid for v in of_port)]
        if members:
            kind = chance.choice(_KINDS)
            made.append(VlanEntry(mac, chance.choice(members), **kind, vid=vid))
    return tuple(made)


def _sent(chance: Random, count: int, protocol: int, number: int) -> tuple[int | None, bytes]:
    """A frame of any class; its number makes it unlike all others of the case."""
    port = chance.randrange(count + 1)
    source, target = addresses(chance, count, (0.88, 0.96), (0.5, 0.68, 0.78))
    body = number.to_bytes(4, "big").ljust(chance.choice(_LENGTHS), b"\0")
    header = mac_to_bytes(target) + mac_to_bytes(source)
    raw = header + _tags(chance, protocol, target in LINK_LOCAL) + _ETHERTYPE + body
    return None if port == count else port, raw


def _tags(chance: Random, protocol: int, link_local: bool) -> bytes:
    """None; one of the bridge's protocol, perhaps for priority alone; a foreign one; two."""
    kind = chance.random()
    if kind < 0.35:
        return b""
    if kind < 0.75:
        return _tag(chance, protocol, chance.choice(VIDS))
    if kind < 0.83:
        return _tag(chance, protocol, 0)
    foreign = DOT1Q + DOT1AD - protocol
    # The kernel takes only the outer tag off, and then no observer by EtherType sees the frame.
    if kind < 0.9 or link_local:
        odd = (protocol, chance.choice(_STRANGE_VIDS)), (foreign, chance.choice((0, *VIDS)))
        return _tag(chance, *chance.choice(odd))
    outer = _tag(chance, chance.choice((protocol, foreign)), chance.choice((0, *VIDS)))
    return outer + _tag(chance, chance.choice((DOT1Q, DOT1AD)), chance.choice((0, *VIDS)))


def _tag(chance: Random, protocol: int, vid: int) -> bytes:
    """A tag with any priority, and sometimes eligible to be dropped."""
    priority = chance.choice((0, 0, 5, 7)) << 13 | (chance.random() < 0.2) << 12
    return protocol.to_bytes(2, "big") + (priority | vid).to_bytes(2, "big")


def smaller_case(case: VlanCase) -> Iterator[VlanCase]:
    """Fewer frames, entries, VLANs and ports, then everything at its default."""
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for entries in fewer(case.entries):
        yield replace(case, entries=entries)
    if len(case.ports) > PORTS_MIN:
        for index in range(len(case.ports)):
            yield _without_port(case, index)
    for index, vlans in enumerate(case.vlans):
        for fewer_vlans in _plainer_vlans(vlans):
            yield _kept(replace(case, vlans=changed_at(case.vlans, index, fewer_vlans)))
    for own in _plainer_vlans(case.own):
        yield replace(case, own=own)
    for index, port in enumerate(case.ports):
        for plain in plainer(port):
            yield replace(case, ports=changed_at(case.ports, index, plain))
    for settings in plainer(case.settings):
        yield replace(case, settings=settings)
    for name, default in _DEFAULTS.items():
        if getattr(case, name) != default:
            yield replace(case, **{name: default})
    for index, entry in enumerate(case.entries):
        static = VlanEntry(entry.mac, entry.port, vid=entry.vid)
        if entry != static:
            yield replace(case, entries=changed_at(case.entries, index, static))


_DEFAULTS: dict[str, Any] = {"inherits": False, "filtering": True, "protocol": DOT1Q}


def _plainer_vlans(vlans: tuple[PortVlan, ...]) -> Iterator[tuple[PortVlan, ...]]:
    yield from fewer(vlans)
    for index, vlan in enumerate(vlans):
        for plain in plainer(vlan):
            yield changed_at(vlans, index, plain)


def _kept(case: VlanCase) -> VlanCase:
    """The case without the entries whose VLAN their port no longer has."""
    there = {(i, vlan.vid) for i, vlans in enumerate(case.vlans) for vlan in vlans}
    return replace(case, entries=tuple(e for e in case.entries if (e.port, e.vid) in there))


def _without_port(case: VlanCase, gone: int) -> VlanCase:
    def moved(port: int) -> int:
        return port - (port > gone)

    return replace(
        case,
        ports=case.ports[:gone] + case.ports[gone + 1 :],
        vlans=case.vlans[:gone] + case.vlans[gone + 1 :],
        entries=tuple(replace(e, port=moved(e.port)) for e in case.entries if e.port != gone),
        frames=tuple(
            (None if at is None else moved(at), raw) for at, raw in case.frames if at != gone
        ),
    )
