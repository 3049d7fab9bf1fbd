"""VLAN filtering: ports and the bridge device in random VLANs, frames tagged in every way."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from random import Random

from hopback.datapath.bridge.state import BridgeState, FdbEntry, FdbKey, VlanGroup
from hopback.datapath.bridge.state import PortConfig as ModelPort
from hopback.datapath.rules import RULES
from hopback.frames.mac import Mac
from hopback.snapshot.rows import PORT_STATES
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.vlan_cases import VlanCase, random_case, smaller_case
from tests.fidelity.mutants import Mutation
from tests.fidelity.taps import HOST, KERNEL, PORTS, observed, predicted
from tests.kernel.bridge_rig import BRIDGE_MAC, PortConfig, port_mac
from tests.kernel.refusal import device_refusal
from tests.kernel.vlan_rig import PortVlan, VlanBridge

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


class VlanArea:
    """Taps on a bridge; one bridge for each number of ports is set up anew for every case."""

    name = "vlan"
    rules = frozenset(name for name, rule in RULES.items() if rule.area in ("bridge", "vlan"))
    enumerated: Sequence[VlanCase] = ()
    not_covered = (
        "VLAN devices above the bridge or below it",
        "VLAN tunnels (vlan_tunnel), and multicast snooping",
        "the spanning tree's own states for VLANs (MSTP), which need Linux 5.18 and mst_enable",
        "entries without a VLAN in the table of a bridge that filters",
        "what the plain bridge does not cover either",
    )

    def refusal(self) -> str | None:
        return device_refusal("bridge", "vlan_filtering", "1")

    def generate(self, chance: Random) -> VlanCase:
        return random_case(chance)

    def smaller(self, case: VlanCase) -> Iterator[VlanCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[VlanCase], Result]]:
        with ExitStack() as undo:

            @cache
            def bridge(count: int, mac: Mac | None) -> VlanBridge:
                made = VlanBridge(count, mac=mac)
                undo.enter_context(made)
                return made

            def run(case: VlanCase) -> Result:
                made = bridge(len(case.ports), None if case.inherits else BRIDGE_MAC)
                made.filter(
                    case.ports,
                    case.vlans,
                    case.own,
                    case.entries,
                    case.settings,
                    filtering=case.filtering,
                    protocol=case.protocol,
                )
                return observed(made, case.frames)

            yield run

    def model(self, case: VlanCase, mutation: Mutation) -> Prediction:
        return predicted(_state(case), case.frames, mutation)


AREA = VlanArea()


def _state(case: VlanCase) -> BridgeState:
    mac = port_mac(0) if case.inherits else BRIDGE_MAC
    ports = zip(case.ports, case.vlans, strict=True)
    return BridgeState(
        id=HOST,
        ports={PORTS[i]: _port(i, port, vlans) for i, (port, vlans) in enumerate(ports)},
        fdb=_table(case, mac),
        mac=mac,
        stp=case.settings.stp,
        learns=case.settings.ageing_time != 0,
        group_fwd_mask=case.settings.group_fwd_mask,
        mcast_snooping=False,
        vlan_filtering=case.filtering,
        vlan_protocol=case.protocol,
        vlans=_group(case.own),
        kernel=KERNEL,
    )


def _table(case: VlanCase, mac: Mac) -> dict[FdbKey, FdbEntry]:
    """Own addresses in no VLAN and in each of theirs, and what was added."""
    table: dict[FdbKey, FdbEntry] = {}
    for index, vlans in enumerate(case.vlans):
        for vid in (0, *(vlan.vid for vlan in vlans)):
            table[port_mac(index), vid] = FdbEntry(PORTS[index], local=True)
    for vid in (0, *(vlan.vid for vlan in case.own)):
        table.setdefault((mac, vid), FdbEntry(None, local=True))
    for entry in case.entries:
        key = (entry.mac, entry.vid)
        table[key] = FdbEntry(PORTS[entry.port], entry.local, entry.sticky)
    return table


def _port(index: int, port: PortConfig, vlans: Sequence[PortVlan]) -> ModelPort:
    flags = {name: getattr(port, name) for name in _FLAGS}
    state = PORT_STATES[port.state]
    return ModelPort(PORTS[index], port_mac(index), state, vlans=_group(vlans), **flags)


def _group(vlans: Sequence[PortVlan]) -> VlanGroup:
    return VlanGroup(
        {vlan.vid: PORT_STATES[vlan.state] for vlan in vlans},
        frozenset(vlan.vid for vlan in vlans if vlan.untagged),
        next((vlan.vid for vlan in vlans if vlan.pvid), 0),
    )
