"""The plain bridge: no VLAN filtering, no multicast snooping, tables that do not age meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from random import Random

from hopback.datapath.bridge.state import BridgeState, FdbEntry, FdbKey
from hopback.datapath.bridge.state import PortConfig as ModelPort
from hopback.datapath.rules import RULES
from hopback.frames.mac import Mac
from hopback.snapshot.rows import PORT_STATES
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.bridge_cases import BridgeCase, random_case, smaller_case
from tests.fidelity.mutants import Mutation
from tests.fidelity.taps import HOST, KERNEL, PORTS, observed, predicted
from tests.kernel.bridge_rig import BRIDGE_MAC, KernelBridge, PortConfig, port_mac
from tests.kernel.refusal import refusal

_FLAGS = (
    "hairpin",
    "learning",
    "flood",
    "mcast_flood",
    "bcast_flood",
    "isolated",
    "locked",
    "proxyarp",
    "group_fwd_mask",
)


class BridgeArea:
    """Taps on a bridge; one bridge for each number of ports is set up anew for every case."""

    name = "bridge"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "bridge")
    enumerated: Sequence[BridgeCase] = ()
    not_covered = (
        "ageing within a case, and the timers of the spanning tree",
        "port state blocking, which only the spanning tree itself can set",
        "a bridge without a forwarding port, which has no carrier",
        "ARP and ND answered by the bridge; only that proxyarp ports are not flooded",
        "the kernel's log",
        "frames above the MTU, and offloads",
    )

    def refusal(self) -> str | None:
        return refusal()

    def generate(self, chance: Random) -> BridgeCase:
        return random_case(chance)

    def smaller(self, case: BridgeCase) -> Iterator[BridgeCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[BridgeCase], Result]]:
        with ExitStack() as undo:

            @cache
            def bridge(count: int, mac: Mac | None) -> KernelBridge:
                return undo.enter_context(KernelBridge([PortConfig()] * count, mac=mac))

            def run(case: BridgeCase) -> Result:
                made = bridge(len(case.ports), None if case.inherits else BRIDGE_MAC)
                made.configure(case.ports, case.entries, case.settings)
                return observed(made, case.frames)

            yield run

    def model(self, case: BridgeCase, mutation: Mutation) -> Prediction:
        return predicted(state_of(case), case.frames, mutation)


AREA = BridgeArea()


def state_of(case: BridgeCase) -> BridgeState:
    """The model's bridge before the first frame."""
    fdb: dict[FdbKey, FdbEntry] = {}
    if not case.inherits:
        fdb[BRIDGE_MAC, 0] = FdbEntry(None, local=True)
    for index in range(len(case.ports)):
        fdb[port_mac(index), 0] = FdbEntry(PORTS[index], local=True)
    for entry in case.entries:
        fdb[entry.mac, 0] = FdbEntry(PORTS[entry.port], entry.local, entry.sticky)
    return BridgeState(
        id=HOST,
        ports={PORTS[index]: _port(index, port) for index, port in enumerate(case.ports)},
        fdb=fdb,
        mac=port_mac(0) if case.inherits else BRIDGE_MAC,
        stp=case.settings.stp,
        learns=case.settings.ageing_time != 0,
        group_fwd_mask=case.settings.group_fwd_mask,
        mcast_snooping=False,
        kernel=KERNEL,
    )


def _port(index: int, port: PortConfig) -> ModelPort:
    flags = {name: getattr(port, name) for name in _FLAGS}
    return ModelPort(PORTS[index], port_mac(index), PORT_STATES[port.state], **flags)
