"""Packet filters: what nf_tables, connections and NAT make of packets, bridged and routed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from random import Random

from msgspec.structs import replace as changed

from hopback.datapath.bridge.state import BridgeState, FdbEntry, FdbKey, PortConfig
from hopback.datapath.model import Model
from hopback.datapath.netfilter.hooks import Netfilter
from hopback.datapath.netfilter.ruleset import Ruleset
from hopback.datapath.rules import RULES
from tests.build import dev, model
from tests.fidelity.area import Prediction, Result
from tests.fidelity.areas.ip import OWN, described
from tests.fidelity.areas.netfilter_calls import Calls
from tests.fidelity.areas.netfilter_cases import (
    ENUMERATED,
    PORTS_COUNT,
    NetfilterCase,
    listed_tables,
    random_case,
    smaller_case,
)
from tests.fidelity.areas.netfilter_frames import (
    MACS,
)
from tests.fidelity.areas.netfilter_script import answerable, through, walked
from tests.fidelity.areas.netfilter_text import (
    printed,
)
from tests.fidelity.mutants import Mutation, faithful
from tests.fidelity.taps import HOST, KERNEL, PORTS, observed, predicted
from tests.kernel.bridge_rig import BRIDGE_MAC, StaticEntry, port_mac
from tests.kernel.bridge_rig import PortConfig as RigPort
from tests.kernel.netfilter_rig import (
    FilteredBridge,
    FilteredRouter,
)
from tests.kernel.nftables import has_library
from tests.kernel.router_rig import router_refusal


class NetfilterArea:
    """Taps on a bridge, and taps between which a namespace routes."""

    name = "netfilter"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "netfilter") | {
        "filter-drop"
    }
    enumerated: Sequence[NetfilterCase] = ENUMERATED
    not_covered = (
        "addresses of the frame behind a match on its VLAN, which nft 1.0.6 lists wrongly",
        "frames with a VLAN tag that a program of the host has put there itself",
        "chains at the very priority of NAT: what was loaded before decides which is called first",
        "the windows of TCP, and connections that end or time out",
        "packets that the host itself sends (hook output of IP), and fragments with connections",
        "NAT where the source port is taken, and the kernel picks any other",
        "fields of one family in packets of the other, after `meta nfproto { ipv4, ipv6 }`",
        "reject with a TCP reset, queues, limits, helpers, zones, tproxy",
    )

    def refusal(self) -> str | None:
        return router_refusal() or (None if has_library() else "needs libnftables")

    def generate(self, chance: Random) -> NetfilterCase:
        case = random_case(chance)
        if not case.routed:
            return case
        return replace(case, routed=answerable(case.routed, self.model(case, faithful)))

    def smaller(self, case: NetfilterCase) -> Iterator[NetfilterCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[NetfilterCase], Result]]:
        with ExitStack() as undo:

            @cache
            def bridge() -> FilteredBridge:
                return undo.enter_context(FilteredBridge(PORTS_COUNT))

            @cache
            def router() -> FilteredRouter:
                return undo.enter_context(FilteredRouter())

            def run(case: NetfilterCase) -> Result:
                if case.routed:
                    router().load(printed(case.tables), case.setup)
                    return through(router(), case.routed)
                made = bridge()
                made.nft.load(printed(case.tables))
                made.configure([RigPort(hairpin=case.hairpin)] * PORTS_COUNT, ENTRIES)
                return observed(made, case.bridged)

            yield run

    def model(self, case: NetfilterCase, mutation: Mutation) -> Prediction:
        described = _described(case)
        filters = described.netfilter.get(OWN) or Netfilter(Ruleset(dev("")))
        calls = Calls(filters.rules, mutation)
        asking = changed(filters, ask=calls.outcome)
        if case.routed:
            return walked(case.routed, changed(described, netfilter={OWN: asking}), calls, mutation)
        found = predicted(bridge_state(hairpin=case.hairpin), case.bridged, mutation, asking)
        return Prediction(found.result, found.fired | calls.fired)


AREA = NetfilterArea()

ENTRIES = tuple(
    StaticEntry(mac, index % PORTS_COUNT, sticky=True) for index, mac in enumerate(MACS)
)


def bridge_state(*, hairpin: bool) -> BridgeState:
    """The model's side of a ``FilteredBridge`` with those entries."""
    fdb: dict[FdbKey, FdbEntry] = {(BRIDGE_MAC, 0): FdbEntry(None, local=True)}
    for index in range(PORTS_COUNT):
        fdb[port_mac(index), 0] = FdbEntry(PORTS[index], local=True)
    for entry in ENTRIES:
        fdb[entry.mac, 0] = FdbEntry(PORTS[entry.port], entry.local, entry.sticky)
    ports = {
        PORTS[index]: PortConfig(PORTS[index], port_mac(index), hairpin=hairpin)
        for index in range(PORTS_COUNT)
    }
    return BridgeState(
        id=HOST, ports=ports, fdb=fdb, mac=BRIDGE_MAC, mcast_snooping=False, kernel=KERNEL
    )


@lru_cache(maxsize=4)
def _described(case: NetfilterCase) -> Model:
    """The namespace as hopback reads it from its listings, nft's among them."""
    return model(described(case.setup) + listed_tables(case.tables))
