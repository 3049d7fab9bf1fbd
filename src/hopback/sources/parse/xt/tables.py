"""The tables of iptables, arptables and ebtables: where their chains are hooked in, and when."""

from types import MappingProxyType
from typing import Literal, NamedTuple

from hopback.snapshot.rows import FilterBackend, FilterFamily, Hook

FAMILIES: MappingProxyType[str, FilterFamily] = MappingProxyType(
    {"ip": "ip", "ip6": "ip6", "eb": "bridge", "arp": "arp"}
)
"""The family of a tool, by what stands before ``tables`` in its name."""

BASE_CHAINS: MappingProxyType[str, Hook] = MappingProxyType(
    {
        "PREROUTING": "prerouting",
        "INPUT": "input",
        "FORWARD": "forward",
        "OUTPUT": "output",
        "POSTROUTING": "postrouting",
        "BROUTING": "brouting",
    }
)
"""The chains that are hooked in; all others are only jumped to."""

# include/uapi/linux/netfilter_ipv4.h, enum nf_ip_hook_priorities; IPv6 has the same
_IP = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
_DNAT, _SNAT = -100, 100
_SNAT_HOOKS = ("INPUT", "POSTROUTING")

# include/uapi/linux/netfilter_bridge.h, enum nf_br_hook_priorities
_BRIDGE_NAT = {"PREROUTING": -300, "OUTPUT": 100, "POSTROUTING": 300}
_BRIDGE_FILTER = -200
_BRIDGE_FILTER_OTHER = 200
_FIRST = -(2**31)


class Base(NamedTuple):
    """How a base chain is hooked in; ``priority`` None where its table is not known."""

    hook: Hook
    priority: int | None
    kind: Literal["filter", "nat", "route"]


def base_of(backend: FilterBackend, family: FilterFamily, table: str, chain: str) -> Base | None:
    """Where a chain is hooked in; None for a chain that is only jumped to.

    x_tables: ``ebt_ops_filter`` and ``ebt_ops_nat`` (net/bridge/netfilter, 6.1),
    ``nf_nat_ipv4_ops`` (net/ipv4/netfilter/iptable_nat.c), ``xt_hook_ops_alloc``. ebtables-nft
    gives the chain OUTPUT of its table filter the priority of the others (iptables/nft.c,
    ``xtables_bridge``).
    """
    hook = BASE_CHAINS.get(chain)
    if hook is None:
        return None
    if family == "bridge":
        return Base(hook, _bridge_priority(backend, table, chain), "filter")
    if family == "arp":
        return Base(hook, 0, "filter")
    if table == "nat":
        return Base(hook, _SNAT if chain in _SNAT_HOOKS else _DNAT, "nat")
    rerouted = table == "mangle" and chain == "OUTPUT"
    return Base(hook, _IP.get(table), "route" if rerouted else "filter")


def _bridge_priority(backend: FilterBackend, table: str, chain: str) -> int | None:
    if table == "nat":
        return _BRIDGE_NAT.get(chain)
    if table == "broute":
        return _FIRST
    if table == "filter":
        other = backend == "legacy" and chain == "OUTPUT"
        return _BRIDGE_FILTER_OTHER if other else _BRIDGE_FILTER
    return None
