"""ARP and neighbour discovery that a bridge answers, or keeps from some of its ports."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from ipaddress import ip_address
from random import Random

from hopback.datapath.bridge.state import (
    BridgeState,
    FdbEntry,
    FdbKey,
    HostState,
    NeighbourEntry,
)
from hopback.datapath.bridge.state import PortConfig as ModelPort
from hopback.datapath.effects import PacketType
from hopback.datapath.kernel import behaviour_of
from hopback.datapath.rules import RULES
from hopback.network.facts import DevId
from tests.fidelity.area import Prediction, Received, Result
from tests.fidelity.areas.suppress_cases import (
    PORTS_MAX,
    SuppressCase,
    random_case,
    smaller_case,
)
from tests.fidelity.mutants import Mutation
from tests.fidelity.playback import Playback
from tests.kernel.bridge_rig import BRIDGE, BRIDGE_MAC, PortConfig, port_mac
from tests.kernel.refusal import refusal
from tests.kernel.suppress_rig import OWN_ADDRESS, SuppressBridge, Suppression

_HOST = DevId("", "", BRIDGE)
_PORTS = tuple(DevId("", "", f"lp{index}") for index in range(PORTS_MAX))
_PACKET_TYPES: tuple[PacketType, ...] = ("host", "broadcast", "multicast", "otherhost")
_KERNEL = behaviour_of(os.uname().release)


class SuppressArea:
    """Taps on a bridge, one bridge for each number of ports."""

    name = "suppress"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "suppress")
    enumerated: Sequence[SuppressCase] = ()
    not_covered = (
        "suppression for each VLAN (neigh_vlan_suppress), and VLANs at all",
        "an IPv6 address of the host itself",
        "neighbour solicitations with padding, or whose options are cut",
    )

    def refusal(self) -> str | None:
        return refusal()

    def generate(self, chance: Random) -> SuppressCase:
        return random_case(chance)

    def smaller(self, case: SuppressCase) -> Iterator[SuppressCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[SuppressCase], Result]]:
        with ExitStack() as undo:

            @cache
            def bridge(count: int) -> SuppressBridge:
                made = SuppressBridge(count)
                undo.enter_context(made)
                return made

            def run(case: SuppressCase) -> Result:
                asked = bridge(len(case.ports))
                asked.suppress(case.ports, case.flags, case.entries, case.known)
                return _result(asked, case)

            yield run

    def model(self, case: SuppressCase, mutation: Mutation) -> Prediction:
        run = Playback(_state(case), mutation)
        for at, raw in case.frames:
            run.take(None if at is None else _PORTS[at], raw)
        return run.prediction()


AREA = SuppressArea()


def _result(bridge: SuppressBridge, case: SuppressCase) -> Result:
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


def _state(case: SuppressCase) -> BridgeState:
    fdb: dict[FdbKey, FdbEntry] = {(BRIDGE_MAC, 0): FdbEntry(None, local=True)}
    for index in range(len(case.ports)):
        fdb[port_mac(index), 0] = FdbEntry(_PORTS[index], local=True)
    for entry in case.entries:
        fdb[entry.mac, 0] = FdbEntry(_PORTS[entry.port], entry.local, entry.sticky)
    ports = zip(case.ports, case.flags, strict=True)
    return BridgeState(
        id=_HOST,
        ports={_PORTS[i]: _port(i, port, flags) for i, (port, flags) in enumerate(ports)},
        fdb=fdb,
        mac=BRIDGE_MAC,
        mcast_snooping=False,
        hosts={0: _host(case)},
        kernel=_KERNEL,
    )


def _host(case: SuppressCase) -> HostState:
    return HostState(
        {ip_address(OWN_ADDRESS): ()},
        {ip_address(k.address): NeighbourEntry(k.mac, k.router) for k in case.known},
    )


def _port(index: int, port: PortConfig, flags: Suppression) -> ModelPort:
    return ModelPort(
        _PORTS[index],
        port_mac(index),
        hairpin=port.hairpin,
        learning=port.learning,
        bcast_flood=port.bcast_flood,
        **flags._asdict(),
    )
