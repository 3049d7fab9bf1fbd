"""Whether br_netfilter hands bridged packets to the filters of IP and ARP."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from hopback.datapath.effects import Ask, Question, World
from hopback.datapath.netfilter.packet import ChainFamily
from hopback.network.facts import DevId, Fact, Ref
from hopback.network.model import BridgeView
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import FilterChain

_CALLS: Mapping[ChainFamily, str] = MappingProxyType(
    {"ip": "iptables", "ip6": "ip6tables", "arp": "arptables"}
)
_PREFIX = "net.bridge.bridge-nf-"
_BROUGHT_BY = ("DOCKER", "KUBE-", "cali-", "CNI-", "neutron-", "nova-")
"""Chains of those who load br_netfilter and rely on it."""


class NfState(Struct, frozen=True):
    """The settings of br_netfilter for one bridge; a family that is not in ``calls`` is untold.

    ``likely``: what else was seen tells that br_netfilter is there.
    """

    bridge: DevId
    calls: Mapping[ChainFamily, Fact[bool]] = MappingProxyType({})
    vlan_tagged: bool = False
    pppoe: bool = False
    likely: bool = False

    def on(self, world: World, family: ChainFamily) -> Fact[bool] | Ask:
        """Whether packets of the family are handed over."""
        told = self.calls.get(family)
        if told is not None:
            return told
        text = f"does br_netfilter hand bridged packets to {_CALLS[family]}?"
        question = Question(self.bridge, text, ("no", "yes"), "yes" if self.likely else "no")
        if question not in world:
            return Ask(question)
        return Fact(world[question] == "yes", ())


def nf_state(snapshot: Snapshot, bridge: BridgeView) -> NfState:
    """The settings of the bridge's namespace, and the bridge's own, which can only turn it on."""
    told: dict[str, Fact[bool]] = {}
    for row in snapshot.sysctls.rows:
        if row.netns == bridge.id.netns and row.key.startswith(_PREFIX):
            name = row.key.removeprefix(_PREFIX)
            told[name] = Fact(row.value != "0", (Ref(snapshot.host, row.cite),))
    if not told and snapshot.sysctls.complete(bridge.id.netns):
        told = {f"call-{name}": Fact(False, ()) for name in _CALLS.values()}  # no such module
    calls = {f: told[f"call-{name}"] for f, name in _CALLS.items() if f"call-{name}" in told}
    own = bridge.settings.get("nf_call_iptables")
    if own is not None and own.value and ("ip" not in calls or not calls["ip"].value):
        calls["ip"] = Fact(True, own.refs)
    return NfState(
        bridge=bridge.id,
        calls=MappingProxyType(calls),
        vlan_tagged=_is_on(told, "filter-vlan-tagged"),
        pppoe=_is_on(told, "filter-pppoe-tagged"),
        likely=any(
            row.netns == bridge.id.netns and _relies(row) for row in snapshot.filter_chains.rows
        ),
    )


def _is_on(told: Mapping[str, Fact[bool]], name: str) -> bool:
    return name in told and told[name].value


def _relies(chain: FilterChain) -> bool:
    return chain.family != "bridge" and chain.name.startswith(_BROUGHT_BY)
