"""The bridge model against the running kernel, frame for frame.

Random bridges, random frames: the ports a frame leaves by, its bytes, the host's own copy with its
packet type, and the forwarding table afterwards have to be the kernel's. A failure prints the seed
and the frames that led to it.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from hopback.datapath.bridge.ingress import receive, transmit
from hopback.datapath.bridge.learn import applied
from hopback.datapath.bridge.state import BridgeState, FdbEntry
from hopback.datapath.bridge.state import PortConfig as ModelPort
from hopback.datapath.effects import Deliver, Drop, Effect, Learn, Log, Send
from hopback.datapath.rules import RULES
from hopback.frames.codec import decode, encode
from hopback.frames.mac import Mac, is_group, mac_to_bytes, parse_mac
from hopback.network.facts import DevId
from hopback.snapshot.rows import PORT_STATES
from tests.kernel.bridge_rig import (
    BRIDGE,
    BRIDGE_MAC,
    KernelBridge,
    Observation,
    PortConfig,
    StaticEntry,
    port_mac,
)

pytestmark = pytest.mark.kernel

CASES = 60
FRAMES = 40
SIZES = (2, 3, 5)
MASK = 0x4000  # LLDP may pass
HOST = DevId("", "", BRIDGE)

STATIONS = [Mac(0x0200_0000_0100 + i) for i in range(5)]
STRANGER = parse_mac("02:09:09:09:09:09")
GROUPS = [
    parse_mac(text)
    for text in (
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "01:00:5e:7f:01:02",
        "33:33:00:00:00:01",
        "33:33:ff:00:00:11",
        *(f"01:80:c2:00:00:{last:02x}" for last in (0, 1, 2, 3, 0x0E, 0x0F, 0x10, 0x21)),
    )
]
OFTEN_ON = ("learning", "flood", "mcast_flood", "bcast_flood")
RARELY_ON = ("hairpin", "isolated", "locked")

_PACKET_TYPES = MappingProxyType({0: "host", 1: "broadcast", 2: "multicast", 3: "otherhost"})


def dev(index: int) -> DevId:
    return DevId("", "", f"lp{index}")


def random_ports(chance: random.Random, count: int) -> list[PortConfig]:
    return [random_port(chance) for _ in range(count)]


def random_port(chance: random.Random) -> PortConfig:
    flags: dict[str, Any] = {name: chance.random() < 0.85 for name in OFTEN_ON}
    flags |= {name: chance.random() < 0.2 for name in RARELY_ON}
    return PortConfig(
        state=chance.choice([3] * 8 + [0, 1, 2]),
        group_fwd_mask=chance.choice([0, 0, 0, 0x0008, 0x0004]),
        **flags,
    )


def random_entries(chance: random.Random, count: int) -> list[StaticEntry]:
    entries = []
    for mac in chance.sample(STATIONS, chance.randint(0, 3)):
        kind = chance.choice(("static", "sticky", "local"))
        port = chance.randrange(count)
        entries.append(StaticEntry(mac, port, sticky=kind == "sticky", local=kind == "local"))
    return entries


def random_frame(chance: random.Random, count: int, number: int) -> bytes:
    own = [*(port_mac(i) for i in range(count)), BRIDGE_MAC]
    source = chance.choice(STATIONS * 4 + own + [GROUPS[0], Mac(0)])
    target = chance.choice(STATIONS * 4 + GROUPS + own + [STRANGER])
    body = number.to_bytes(4, "big").ljust(46, b"\0")
    return mac_to_bytes(target) + mac_to_bytes(source) + b"\x88\xb5" + body


def model_of(ports: Sequence[PortConfig], entries: Sequence[StaticEntry]) -> BridgeState:
    flags = (*OFTEN_ON, *RARELY_ON, "group_fwd_mask")
    model_ports = {
        dev(i): ModelPort(
            id=dev(i),
            mac=port_mac(i),
            state=PORT_STATES[port.state],
            **{name: getattr(port, name) for name in flags},
        )
        for i, port in enumerate(ports)
    }
    fdb = {(port_mac(i), 0): FdbEntry(dev(i), local=True) for i in range(len(ports))}
    fdb[BRIDGE_MAC, 0] = FdbEntry(None, local=True)
    for entry in entries:
        fdb[entry.mac, 0] = FdbEntry(dev(entry.port), local=entry.local, sticky=entry.sticky)
    return BridgeState(
        id=HOST,
        ports=model_ports,
        fdb=fdb,
        mac=BRIDGE_MAC,
        group_fwd_mask=MASK,
        mcast_snooping=False,
    )


def predicted(effects: Sequence[Effect]) -> tuple[dict[int, tuple[bytes, ...]], list[tuple]]:  # type: ignore[type-arg]
    egress: dict[int, tuple[bytes, ...]] = {}
    local = []
    for effect in effects:
        if isinstance(effect, Send):
            port = int(effect.dev.name.removeprefix("lp"))
            egress[port] = (*egress.get(port, ()), encode(effect.frame))
        elif isinstance(effect, Deliver) and effect.dev == HOST:
            local.append((effect.packet_type, encode(effect.frame)))
    return egress, local


def observed(seen: Observation) -> tuple[Mapping[int, tuple[bytes, ...]], list[tuple]]:  # type: ignore[type-arg]
    return seen.egress, [(_PACKET_TYPES[s.type], s.frame) for s in seen.local]


def rules_of(effects: Sequence[Effect]) -> Iterator[str]:
    for effect in effects:
        if isinstance(effect, Send | Deliver | Drop | Learn | Log):
            yield effect.why.rule


def table_of(state: BridgeState) -> dict[Mac, tuple[int | None, bool, bool]]:
    return {
        mac: (
            None if e.port is None else int(e.port.name.removeprefix("lp")),
            e.local,
            e.sticky,
        )
        for (mac, _), e in state.fdb.items()
    }


def kernel_table(bridge: KernelBridge) -> dict[Mac, tuple[int | None, bool, bool]]:
    return {
        mac: (e.port, e.local, e.sticky) for mac, e in bridge.fdb().items() if not is_group(mac)
    }


def run_case(bridge: KernelBridge, count: int, seed: int) -> set[str]:
    """One random bridge and its frames; the rules that fired."""
    chance = random.Random(seed)
    ports, entries = random_ports(chance, count), random_entries(chance, count)
    bridge.configure(ports, entries)
    state = model_of(ports, entries)
    fired: set[str] = set()
    story = [f"seed {seed}: {ports} {entries}"]
    for number in range(FRAMES):
        raw = random_frame(chance, count, number)
        at = chance.randrange(count + 1)
        if at == count:
            effects, seen = transmit(state, {}, decode(raw)), bridge.transmit(raw)
        else:
            effects, seen = receive(state, {}, dev(at), decode(raw)), bridge.inject(at, raw)
        story.append(f"{number} at {at}: {raw[:14].hex(':')} {effects}")
        assert predicted(effects) == observed(seen), "\n".join(story)
        fired.update(rules_of(effects))
        for effect in effects:
            if isinstance(effect, Learn):
                state = applied(state, effect)
    assert table_of(state) == kernel_table(bridge), "\n".join(story)
    return fired


def test_random_bridges_agree_and_reach_every_rule() -> None:
    fired: set[str] = set()
    for count in SIZES:
        with KernelBridge([PortConfig()] * count, group_fwd_mask=MASK) as bridge:
            for case in range(CASES):
                fired |= run_case(bridge, count, seed=1000 * count + case)
    wanted = {name for name, rule in RULES.items() if rule.area == "bridge"}
    assert wanted - fired == set()


def test_a_wrong_model_is_noticed() -> None:
    """The comparison can fail: a model whose hairpin is the other way round does not pass."""
    with KernelBridge([PortConfig(hairpin=True), PortConfig()], group_fwd_mask=MASK) as bridge:
        state = model_of([PortConfig(hairpin=True), PortConfig()], ())
        turned = {k: msgspec.structs.replace(p, hairpin=False) for k, p in state.ports.items()}
        wrong = msgspec.structs.replace(state, ports=turned)
        raw = mac_to_bytes(GROUPS[0]) + mac_to_bytes(STATIONS[0]) + b"\x88\xb5" + bytes(46)
        seen = observed(bridge.inject(0, raw))
        assert predicted(receive(state, {}, dev(0), decode(raw))) == seen
        assert predicted(receive(wrong, {}, dev(0), decode(raw))) != seen
