"""Multicast snooping: queriers, group members and router ports, told to the kernel beforehand."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from random import Random

from hopback.datapath.bridge.state import (
    BridgeState,
    Family,
    FdbEntry,
    FdbKey,
    GroupKey,
    Member,
    Snooping,
)
from hopback.datapath.bridge.state import PortConfig as ModelPort
from hopback.datapath.effects import PacketType
from hopback.datapath.groups import group_of
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.rules import RULES
from hopback.network.facts import DevId
from tests.fidelity.area import Prediction, Received, Result
from tests.fidelity.areas.snooping_cases import (
    PORTS_MAX,
    SnoopingCase,
    random_case,
    smaller_case,
)
from tests.fidelity.mutants import Mutation
from tests.fidelity.playback import Playback
from tests.kernel.bridge_rig import BRIDGE, BRIDGE_MAC, PortConfig, port_mac
from tests.kernel.refusal import refusal
from tests.kernel.snooping_rig import SnoopingBridge

_HOST = DevId("", "", BRIDGE)
_PORTS = tuple(DevId("", "", f"lp{index}") for index in range(PORTS_MAX))
_FLAGS = ("hairpin", "learning", "mcast_flood", "isolated")
_FAMILIES: tuple[Family, ...] = (4, 6)
_PACKET_TYPES: tuple[PacketType, ...] = ("host", "broadcast", "multicast", "otherhost")
_PERMANENT = 2  # MDB_RTR_TYPE_PERM
_KERNEL = behaviour_of(os.uname().release)


class SnoopingArea:
    """Taps on a bridge, one bridge for each number of ports and choice of queriers."""

    name = "snooping"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "snooping")
    enumerated: Sequence[SnoopingCase] = ()
    not_covered = (
        "what reports, leaves and queries teach the bridge",
        "source-specific entries, which need IGMPv3 or MLDv2 to be set",
        "mcast_to_unicast, and snooping for each VLAN",
        "the order in which members get their copies: that of addresses in memory",
        "tagged frames that the host sends",
    )

    def refusal(self) -> str | None:
        return refusal()

    def generate(self, chance: Random) -> SnoopingCase:
        return random_case(chance)

    def smaller(self, case: SnoopingCase) -> Iterator[SnoopingCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[SnoopingCase], Result]]:
        with ExitStack() as undo:

            @cache
            def bridge(count: int, queriers: tuple[bool, bool]) -> SnoopingBridge:
                made = SnoopingBridge(count, queriers)
                undo.enter_context(made)
                return made

            def run(case: SnoopingCase) -> Result:
                asked = bridge(len(case.ports), case.queriers)
                asked.snoop(case.ports, case.routers, case.host_router, case.members)
                return _result(asked, case)

            yield run

    def model(self, case: SnoopingCase, mutation: Mutation) -> Prediction:
        run = Playback(_state(case), mutation)
        for at, raw in case.frames:
            run.take(None if at is None else _PORTS[at], raw)
        return run.prediction()


AREA = SnoopingArea()


def _result(bridge: SnoopingBridge, case: SnoopingCase) -> Result:
    seen = bridge.play(case.frames)
    received = tuple(Received(_PACKET_TYPES[type_], frame) for type_, frame in seen.local)
    return Result(
        {_PORTS[port].name: frames for port, frames in seen.egress.items()},
        {BRIDGE: received} if received else {},
        {
            (mac, 0): (None if e.port is None else _PORTS[e.port], e.local, e.sticky)
            for mac, e in bridge.fdb().items()
        },
    )


def _state(case: SnoopingCase) -> BridgeState:
    fdb: dict[FdbKey, FdbEntry] = {(BRIDGE_MAC, 0): FdbEntry(None, local=True)}
    for index in range(len(case.ports)):
        fdb[port_mac(index), 0] = FdbEntry(_PORTS[index], local=True)
    return BridgeState(
        id=_HOST,
        ports={_PORTS[index]: _port(index, port) for index, port in enumerate(case.ports)},
        fdb=fdb,
        mac=BRIDGE_MAC,
        snooping=_snooping(case),
        kernel=_KERNEL,
    )


def _snooping(case: SnoopingCase) -> Snooping:
    groups: dict[GroupKey, tuple[Member, ...]] = {}
    for member in case.members:
        key = (group_of(member.group), 0)
        port = None if member.port is None else _PORTS[member.port]
        groups[key] = (*groups.get(key, ()), Member(port))
    routers = {_PORTS[i]: () for i, value in enumerate(case.routers) if value == _PERMANENT}
    return Snooping(
        queriers={f: (there, ()) for f, there in zip(_FAMILIES, case.queriers, strict=True)},
        groups=groups,
        routers=dict.fromkeys(_FAMILIES, routers),
        host_is_router=case.host_router == _PERMANENT,
    )


def _port(index: int, port: PortConfig) -> ModelPort:
    flags = {name: getattr(port, name) for name in _FLAGS}
    return ModelPort(_PORTS[index], port_mac(index), **flags)
