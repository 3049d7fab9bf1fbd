"""Multicast snooping: queriers, group members and router ports, told to the kernel beforehand."""

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
from hopback.datapath.groups import group_of
from hopback.datapath.rules import RULES
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.snooping_cases import (
    SnoopingCase,
    random_case,
    smaller_case,
)
from tests.fidelity.mutants import Mutation
from tests.fidelity.taps import HOST, KERNEL, PORTS, observed, predicted
from tests.kernel.bridge_rig import BRIDGE_MAC, PortConfig, port_mac
from tests.kernel.refusal import refusal
from tests.kernel.snooping_rig import SnoopingBridge

_FLAGS = ("hairpin", "learning", "mcast_flood", "isolated")
_FAMILIES: tuple[Family, ...] = (4, 6)
_PERMANENT = 2  # MDB_RTR_TYPE_PERM


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
                made = bridge(len(case.ports), case.queriers)
                made.snoop(case.ports, case.routers, case.host_router, case.members)
                return observed(made, case.frames)

            yield run

    def model(self, case: SnoopingCase, mutation: Mutation) -> Prediction:
        return predicted(_state(case), case.frames, mutation)


AREA = SnoopingArea()


def _state(case: SnoopingCase) -> BridgeState:
    fdb: dict[FdbKey, FdbEntry] = {(BRIDGE_MAC, 0): FdbEntry(None, local=True)}
    for index in range(len(case.ports)):
        fdb[port_mac(index), 0] = FdbEntry(PORTS[index], local=True)
    return BridgeState(
        id=HOST,
        ports={PORTS[index]: _port(index, port) for index, port in enumerate(case.ports)},
        fdb=fdb,
        mac=BRIDGE_MAC,
        snooping=_snooping(case),
        kernel=KERNEL,
    )


def _snooping(case: SnoopingCase) -> Snooping:
    groups: dict[GroupKey, tuple[Member, ...]] = {}
    for member in case.members:
        key = (group_of(member.group), 0)
        port = None if member.port is None else PORTS[member.port]
        groups[key] = (*groups.get(key, ()), Member(port))
    routers = {PORTS[i]: () for i, value in enumerate(case.routers) if value == _PERMANENT}
    return Snooping(
        queriers={f: (there, ()) for f, there in zip(_FAMILIES, case.queriers, strict=True)},
        groups=groups,
        routers=dict.fromkeys(_FAMILIES, routers),
        host_is_router=case.host_router == _PERMANENT,
    )


def _port(index: int, port: PortConfig) -> ModelPort:
    flags = {name: getattr(port, name) for name in _FLAGS}
    return ModelPort(PORTS[index], port_mac(index), **flags)
