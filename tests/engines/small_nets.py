"""Random small networks of bridges, as tables that were listed whole."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from hopback.datapath.model import Model, model_of
from hopback.frames.mac import Mac
from hopback.network.build import build
from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.rows import (
    Bridge,
    BridgePort,
    Fdb,
    Field,
    FilterChain,
    FilterRule,
    GuestNic,
    Hook,
    Link,
    Match,
    Mdb,
    Neighbour,
    Operator,
    PortStateName,
    PortVlan,
    Row,
    Span,
    Value,
    Verdict,
    VlanDevice,
)
from hopback.snapshot.table import Cite, Extent, Source

GUESTS = tuple(Mac(0x5254_0000_0100 + i) for i in range(4))
LEARNED = tuple(Mac(0x5254_0000_0200 + i) for i in range(2))
GROUPS = ("233.252.0.1", "ff0e::db8:1")
NEIGHBOURS = (("198.51.100.1", GUESTS[0]), ("2001:db8::1", GUESTS[1]))
VIDS = (1, 2)
KINDS = (Link, Bridge, BridgePort, Fdb, Mdb, GuestNic, PortVlan, Neighbour, VlanDevice, FilterChain)

_CITE = Cite(0, 1)
_STATES: tuple[PortStateName, ...] = ("forwarding",) * 6 + ("learning", "blocking")
_SECONDS = 1_000_000_000


class Taste(NamedTuple):
    """What the bridges of one network do besides forwarding."""

    snooping: bool
    vlans: bool
    suppressing: bool


def snapshot(rng: Random) -> Snapshot:
    """One to three bridges, two to five ports on each, some of them joined by veth pairs."""
    taste = Taste(*(rng.random() < 0.3 for _ in Taste._fields))
    names = [f"br{n}" for n in range(rng.randint(1, 3))]
    ports = {f"{b}p{n}": b for b in names for n in range(rng.randint(2, 5))}
    peers = _joined(rng, list(ports))
    loose = [port for port in ports if port not in peers]
    rows: list[Row] = []
    for number, name in enumerate(names):
        rows.append(_bridge(rng, taste, name))
        rows.append(_link(name, "bridge", 0x0200_0000_0A00 + number))
        rows += _neighbours(name) if taste.suppressing else ()
    tagged = rng.sample(loose, min(2, len(loose))) if rng.random() < 0.3 else []
    for number, (port, bridge) in enumerate(ports.items()):
        kind = "veth" if port in peers else "vlan" if port in tagged else "tun"
        mac = 0x0200_0000_0B00 + number
        rows.append(_link(port, kind, mac, bridge, peers.get(port)))
        rows.append(_port(rng, taste, port, bridge))
    if tagged:
        rows.append(_link("nic0", "", 0x0200_0000_0C00))
        vids = rng.sample((*VIDS, 3), 2)
        rows += [_vlan(port, vid) for port, vid in zip(tagged, vids, strict=False)]
    behind = [port for port in loose if port not in tagged]
    for guest in rng.sample(GUESTS, rng.randint(0, min(3, len(behind)))):
        rows.append(GuestNic(cite=_CITE, guest="web", target=rng.choice(behind), mac=guest))
    rows += (*_entries(rng, taste, ports), *_members(rng, taste, ports))
    if taste.vlans:
        rows += _port_vlans(rng, [*names, *ports])
    if rng.random() > 0.8:
        rows += _filters(rng, list(ports))
    builder = Builder("kvm1")
    builder.open(Source("ip -d link show"))
    builder.add(rows, fills=KINDS, extent=Extent(0))
    return builder.build()


def model(rng: Random) -> Model:
    return model_of(build([snapshot(rng)]))


def _filters(rng: Random, ports: list[str]) -> list[Row]:
    """Rules of the bridge family: each drops, or accepts ahead of those after it."""
    rows: list[Row] = []
    hooks: tuple[Hook, ...] = ("prerouting", "forward", "postrouting")
    for hook in rng.sample(hooks, 2):
        chain = FilterChain(
            cite=_CITE,
            family="bridge",
            table="t",
            name=hook,
            hook=hook,
            priority=0,
            policy="accept",
        )
        rows.append(chain)
        for place in range(1, rng.randint(2, 4)):
            steps = tuple(_matches(rng, ports, hook))
            verdict = Verdict(rng.choice(("drop", "drop", "accept")))
            rule = FilterRule(
                cite=_CITE,
                family="bridge",
                table="t",
                chain=hook,
                place=place,
                steps=(*steps, verdict),
            )
            rows.append(rule)
    return rows


def _matches(rng: Random, ports: list[str], hook: str) -> Iterator[Match]:
    device = "meta iifname" if hook != "postrouting" else "meta oifname"
    if rng.random() < 0.5:
        yield Match((Field(device),), tuple((port,) for port in rng.sample(ports, 2)))
    compared: tuple[tuple[Field, tuple[Value, ...]], ...] = (
        (Field("ether saddr"), GUESTS[:2]),
        (Field("ether daddr"), (GUESTS[2], 0xFFFF_FFFF_FFFF)),
        (Field("ether daddr", 1 << 40), (1 << 40,)),
        (Field("ether type"), (0x0806, 0x86DD)),
        (Field("arp operation"), (1,)),
        (Field("ip daddr"), (Span(0xE9FC_0000, 0xE9FC_0001), 0xC633_6401)),
        (Field("ip6 daddr"), (Span(0xFF02 << 112, (0xFF03 << 112) - 1),)),
        (Field("icmpv6 type"), (135,)),
        (Field("udp dport"), (9, 67)),
    )
    for field, values in rng.sample(compared, rng.choice((0, 1, 1, 2))):
        op: Operator = rng.choice(("==", "==", "!="))
        yield Match((field,), tuple((value,) for value in values), op)


def _bridge(rng: Random, taste: Taste, name: str) -> Bridge:
    return Bridge(
        cite=_CITE,
        name=name,
        stp=False,
        vlan_filtering=taste.vlans and rng.random() < 0.8,
        vlan_protocol=0x8100,
        ageing_time=rng.choice((300, 300, 300, 0)) * _SECONDS,
        group_fwd_mask=rng.choice((0, 0, 0x4008)),
        mcast_snooping=taste.snooping,
        mcast_querier=taste.snooping and rng.random() < 0.5,
        igmp_querier_heard=taste.snooping and rng.random() < 0.5,
        mld_querier_heard=taste.snooping and rng.random() < 0.5,
    )


def _link(name: str, kind: str, mac: int, master: str = "", peer: str | None = None) -> Link:
    return Link(cite=_CITE, name=name, kind=kind, mac=Mac(mac), up=True, master=master, lower=peer)


def _vlan(name: str, vid: int) -> VlanDevice:
    return VlanDevice(cite=_CITE, name=name, vid=vid, lower="nic0", protocol="802.1Q")


def _joined(rng: Random, ports: list[str]) -> dict[str, str]:
    """The other end of each port that a veth pair joins to another port."""
    shuffled = rng.sample(ports, len(ports))
    pairs = list(zip(shuffled[::2], shuffled[1::2], strict=False))[: rng.choice((0, 1, 1, 2, 2, 3))]
    return {a: b for one, other in pairs for a, b in ((one, other), (other, one))}


def _port(rng: Random, taste: Taste, name: str, bridge: str) -> BridgePort:
    def mostly(value: bool) -> bool:
        return value if rng.random() < 0.85 else not value

    return BridgePort(
        cite=_CITE,
        name=name,
        bridge=bridge,
        state=rng.choice(_STATES),
        hairpin=mostly(False),
        learning=mostly(True),
        flood=mostly(True),
        mcast_flood=mostly(True),
        bcast_flood=mostly(True),
        isolated=mostly(False),
        locked=rng.random() < 0.05,
        neigh_suppress=taste.suppressing and rng.random() < 0.3,
        proxyarp=taste.suppressing and rng.random() < 0.1,
    )


def _entries(rng: Random, taste: Taste, ports: dict[str, str]) -> list[Row]:
    return [
        Fdb(cite=_CITE, mac=mac, dev=port, bridge=bridge, vlan=vlan, sticky=rng.random() < 0.1)
        for mac in (*GUESTS, *LEARNED)
        for bridge in dict.fromkeys(ports.values())
        for vlan in ((0, *VIDS) if taste.vlans else (0,))
        if rng.random() < 0.5
        for port in [rng.choice([p for p, b in ports.items() if b == bridge])]
    ]


def _members(rng: Random, taste: Taste, ports: dict[str, str]) -> list[Row]:
    return [
        Mdb(cite=_CITE, bridge=bridge, dev=port, group=group, vlan=vlan)
        for group in GROUPS
        for port, bridge in ports.items()
        for vlan in ((0, *VIDS) if taste.vlans else (0,))
        if rng.random() < 0.2
    ]


def _port_vlans(rng: Random, devices: list[str]) -> list[Row]:
    return [
        PortVlan(cite=_CITE, dev=dev, vid=vid, pvid=vid == pvid, untagged=rng.random() < 0.5)
        for dev in devices
        for pvid in [rng.choice((0, *VIDS))]
        for vid in VIDS
        if rng.random() < 0.8
    ]


def _neighbours(bridge: str) -> list[Row]:
    return [
        Neighbour(cite=_CITE, dev=bridge, address=address, mac=mac, state="REACHABLE")
        for address, mac in NEIGHBOURS
    ]
