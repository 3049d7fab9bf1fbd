"""Random bridges of taps and the frames they get."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

from hopback.frames.mac import BROADCAST, ZERO, Mac, mac_to_bytes, parse_mac
from tests.fidelity.shrink import changed_at, fewer, plainer
from tests.kernel.bridge_rig import (
    BRIDGE_MAC,
    DEFAULT,
    FORWARDING,
    TEST_ETHERTYPE,
    PortConfig,
    Settings,
    StaticEntry,
    port_mac,
)

FRAMES = 40
PORTS_MIN, PORTS_MAX = 2, 8
STATIONS = tuple(Mac(0x0200_0000_0100 + i) for i in range(5))
STRANGER = parse_mac("02:09:09:09:09:09")
GROUPS = tuple(
    parse_mac(text)
    for text in (
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "01:00:5e:7f:01:02",
        "33:33:00:00:00:01",
        "33:33:ff:00:00:11",
        "01:80:c2:00:00:10",
        "01:80:c2:00:00:21",
    )
)
LINK_LOCAL = tuple(Mac(0x0180_C200_0000 + last) for last in range(16))
PORT_MASK = 0xFFFD  # a port may not be told to forward pause frames [br_sysfs_if.c, br_setport]
BRIDGE_MASK = 0xFFF8  # BR_GROUPFWD_RESTRICTED

_OFTEN_ON = ("learning", "flood", "mcast_flood", "bcast_flood")
_RARELY_ON = ("hairpin", "isolated", "locked", "proxyarp")
_KINDS: tuple[dict[str, bool], ...] = ({}, {"sticky": True}, {"local": True}, {"extern": True})
_TAGS = tuple(bytes.fromhex(tag) for tag in ("81000000", "8100e000", "81000001", "81006fff"))
_SERVICE_TAG = bytes.fromhex("88a80064")
_ETHERTYPE = TEST_ETHERTYPE.to_bytes(2, "big")
_LENGTHS = (4, 46, 46, 46, 46, 300, 1490)


@dataclass(frozen=True)
class BridgeCase:
    """A bridge, and frames by the port they come in by (None: the host's own).

    ``inherits``: the bridge has no address but that of its first port.
    """

    ports: tuple[PortConfig, ...]
    inherits: bool = False
    entries: tuple[StaticEntry, ...] = ()
    settings: Settings = DEFAULT
    frames: tuple[tuple[int | None, bytes], ...] = ()


C = TypeVar("C", bound=BridgeCase)


def random_case(chance: Random, count: int | None = None) -> BridgeCase:
    """A bridge with any flags, entries and settings, and ``FRAMES`` frames of every class.

    ``count`` None: any number of ports.
    """
    count = count or chance.randint(PORTS_MIN, PORTS_MAX)
    return BridgeCase(
        random_ports(chance, count),
        chance.random() < 0.3,
        _entries(chance, count),
        random_settings(chance),
        tuple((_arrival(chance, count), _frame(chance, count, number)) for number in range(FRAMES)),
    )


def random_ports(chance: Random, count: int) -> tuple[PortConfig, ...]:
    """Ports with any flags and states, at least one of them forwarding."""
    ports = [_port(chance) for _ in range(count)]
    # Without a forwarding port the bridge loses its carrier, and gets it back only after a while.
    always = chance.randrange(count)
    ports[always] = replace(ports[always], state=FORWARDING)
    return tuple(ports)


def _port(chance: Random) -> PortConfig:
    flags: dict[str, Any] = {name: chance.random() < 0.85 for name in _OFTEN_ON}
    flags |= {name: chance.random() < 0.15 for name in _RARELY_ON}
    mask = chance.getrandbits(16) & PORT_MASK if chance.random() < 0.3 else 0
    return PortConfig(state=chance.choice((3,) * 8 + (0, 1, 2)), group_fwd_mask=mask, **flags)


def _entries(chance: Random, count: int) -> tuple[StaticEntry, ...]:
    return tuple(
        StaticEntry(mac, chance.randrange(count), **chance.choice(_KINDS))
        for mac in chance.sample(STATIONS, chance.randint(0, 3))
    )


def random_settings(chance: Random) -> Settings:
    """Settings of the bridge itself, mostly its defaults."""
    return Settings(
        group_fwd_mask=chance.getrandbits(16) & BRIDGE_MASK if chance.random() < 0.4 else 0,
        ageing_time=0 if chance.random() < 0.1 else DEFAULT.ageing_time,
        stp=chance.random() < 0.15,
    )


def _arrival(chance: Random, count: int) -> int | None:
    port = chance.randrange(count + 1)
    return None if port == count else port


def _frame(chance: Random, count: int, number: int) -> bytes:
    """A frame of any class; its number makes it unlike all others of the case."""
    source, target = addresses(chance, count, (0.9, 0.97), (0.45, 0.65, 0.8))
    body = number.to_bytes(4, "big").ljust(chance.choice(_LENGTHS), b"\0")
    header = mac_to_bytes(target) + mac_to_bytes(source)
    return header + _tags(chance, target) + _ETHERTYPE + body


def addresses(
    chance: Random,
    count: int,
    sources: tuple[float, float],
    targets: tuple[float, float, float],
) -> tuple[Mac, Mac]:
    """Source and destination on a bridge of ``count`` ports.

    Below which of the steps in [0, 1) chance falls: a source is a station, the bridge's own or
    none at all; a target a station, a group, a link-local group or anything else.
    """
    own = (*(port_mac(i) for i in range(count)), BRIDGE_MAC)
    kind = chance.random()
    if kind < sources[0]:
        source = chance.choice(STATIONS)
    elif kind < sources[1]:
        source = chance.choice(own)
    else:
        source = chance.choice((ZERO, BROADCAST, GROUPS[1]))
    kind = chance.random()
    if kind < targets[0]:
        return source, chance.choice(STATIONS)
    if kind < targets[1]:
        return source, chance.choice(GROUPS)
    if kind < targets[2]:
        return source, chance.choice(LINK_LOCAL)
    return source, chance.choice((*own, STRANGER, source))


def _tags(chance: Random, target: Mac) -> bytes:
    kind = chance.random()
    if kind < 0.85:
        return b""
    tag = chance.choice(_TAGS)
    # The kernel takes only the outer tag off, and then no observer by EtherType sees the frame.
    if kind < 0.97 or target in LINK_LOCAL:
        return tag
    return _SERVICE_TAG + tag


def smaller_case(case: C) -> Iterator[C]:
    """Fewer frames, entries and ports, then flags and settings at their defaults."""
    for frames in fewer(case.frames):
        yield replace(case, frames=frames)
    for entries in fewer(case.entries):
        yield replace(case, entries=entries)
    if len(case.ports) > PORTS_MIN:
        for index in range(len(case.ports)):
            yield _without_port(case, index)
    for index, port in enumerate(case.ports):
        for plain in plainer(port):
            yield replace(case, ports=changed_at(case.ports, index, plain))
    if case.inherits:
        yield replace(case, inherits=False)
    for settings in plainer(case.settings):
        yield replace(case, settings=settings)
    for index, entry in enumerate(case.entries):
        for simple in plainer(entry):
            yield replace(case, entries=changed_at(case.entries, index, simple))
    for index, (at, raw) in enumerate(case.frames):
        for short in _shorter(raw):
            yield replace(case, frames=changed_at(case.frames, index, (at, short)))


def _shorter(raw: bytes) -> Iterator[bytes]:
    """The frame without its tags, and with nothing but its number behind the EtherType."""
    at = raw.index(_ETHERTYPE, 12)
    if at > 12:
        yield raw[:12] + raw[at:]
    if len(raw) > at + 6:
        yield raw[: at + 6]


def _without_port(case: C, gone: int) -> C:
    def moved(port: int) -> int:
        return port - (port > gone)

    return replace(
        case,
        ports=case.ports[:gone] + case.ports[gone + 1 :],
        entries=tuple(replace(e, port=moved(e.port)) for e in case.entries if e.port != gone),
        frames=tuple(
            (None if at is None else moved(at), raw) for at, raw in case.frames if at != gone
        ),
    )
