"""ARP and neighbour discovery that a bridge answers, or keeps from some of its ports."""

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
from hopback.datapath.rules import RULES
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.suppress_cases import (
    SuppressCase,
    random_case,
    smaller_case,
)
from tests.fidelity.mutants import Mutation
from tests.fidelity.taps import HOST, KERNEL, PORTS, observed, predicted
from tests.kernel.bridge_rig import BRIDGE_MAC, PortConfig, port_mac
from tests.kernel.refusal import refusal
from tests.kernel.suppress_rig import OWN_ADDRESS, SuppressBridge, Suppression


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
                made = bridge(len(case.ports))
                made.suppress(case.ports, case.flags, case.entries, case.known)
                return observed(made, case.frames)

            yield run

    def model(self, case: SuppressCase, mutation: Mutation) -> Prediction:
        return predicted(_state(case), case.frames, mutation)


AREA = SuppressArea()


def _state(case: SuppressCase) -> BridgeState:
    fdb: dict[FdbKey, FdbEntry] = {(BRIDGE_MAC, 0): FdbEntry(None, local=True)}
    for index in range(len(case.ports)):
        fdb[port_mac(index), 0] = FdbEntry(PORTS[index], local=True)
    for entry in case.entries:
        fdb[entry.mac, 0] = FdbEntry(PORTS[entry.port], entry.local, entry.sticky)
    ports = zip(case.ports, case.flags, strict=True)
    return BridgeState(
        id=HOST,
        ports={PORTS[i]: _port(i, port, flags) for i, (port, flags) in enumerate(ports)},
        fdb=fdb,
        mac=BRIDGE_MAC,
        mcast_snooping=False,
        hosts={0: _host(case)},
        kernel=KERNEL,
    )


def _host(case: SuppressCase) -> HostState:
    return HostState(
        {ip_address(OWN_ADDRESS): ()},
        {ip_address(k.address): NeighbourEntry(k.mac, k.router) for k in case.known},
    )


def _port(index: int, port: PortConfig, flags: Suppression) -> ModelPort:
    return ModelPort(
        PORTS[index],
        port_mac(index),
        hairpin=port.hairpin,
        learning=port.learning,
        bcast_flood=port.bcast_flood,
        **flags._asdict(),
    )
