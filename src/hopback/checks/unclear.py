"""Packet filters that act on bridged frames, and that the model cannot evaluate."""

from collections.abc import Iterator

from hopback.datapath.bridge.nf_state import NfState, nf_state
from hopback.datapath.effects import Ask
from hopback.datapath.netfilter.packet import ChainFamily
from hopback.datapath.netfilter.ruleset import Ruleset, rulesets_of
from hopback.datapath.netfilter.unclear import Unclear, unclear
from hopback.network.facts import DevId, Ref
from hopback.network.model import Network
from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import GuestNic

_HANDED_OVER: tuple[ChainFamily, ...] = ("ip", "ip6", "arp")


def unclear_filters(network: Network) -> tuple[tuple[DevId, Unclear], ...]:
    """Every filter that cannot be evaluated and may meet a bridged frame, with its namespace."""
    return tuple(
        found for snapshot in network.snapshots.values() for found in unclear_of(network, snapshot)
    )


def unclear_of(network: Network, snapshot: Snapshot) -> Iterator[tuple[DevId, Unclear]]:
    """Those of one host."""
    rulesets = rulesets_of(snapshot)
    for nic in snapshot.guest_nics.rows:
        if nic.filter and not _is_installed(rulesets.get(nic.netns), nic):
            what = f"libvirt filter {nic.filter} on {nic.target or nic.mac}"
            devices = frozenset({nic.target}) if nic.target else frozenset[str]()
            ref = Ref(snapshot.host, nic.cite)
            yield DevId(snapshot.host, nic.netns, ""), Unclear(what, "bridge", devices, ref)
    for netns, rules in rulesets.items():
        families = _families(network, snapshot, netns)
        for found in unclear(rules):
            if found.family in families:
                yield rules.where, found


def _is_installed(rules: Ruleset | None, nic: GuestNic) -> bool:
    """Whether the chains that libvirt makes of a filter were listed, whatever they hold.

    nwfilter_ebiptables_driver.c: libvirt-I-TAP for what the guest sends, libvirt-O-TAP for what
    it gets.
    """
    names = {f"libvirt-{way}-{nic.target}" for way in "IO"}
    chains = rules.chains if rules is not None else ()
    return any(key.family == "bridge" and key.name in names for key in chains)


def _families(network: Network, snapshot: Snapshot, netns: str) -> frozenset[str]:
    """The families whose filters bridged frames meet there: more where br_netfilter is likely."""
    states = [
        nf_state(snapshot, bridge)
        for bridge in network.bridges.values()
        if bridge.id[:2] == (snapshot.host, netns)
    ]
    handed = {family for family in _HANDED_OVER for state in states if _is_on(state, family)}
    inet = {"inet"} if handed & {"ip", "ip6"} else set[str]()
    return frozenset({"bridge", "netdev", *handed, *inet})


def _is_on(state: NfState, family: ChainFamily) -> bool:
    on = state.on({}, family)
    return on.question.default == "yes" if isinstance(on, Ask) else on.value
