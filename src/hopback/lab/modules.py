"""Which kernel modules the steps of a lab make the kernel use, told from their lines.

To use one that is absent makes the kernel load it, for the whole host: it is told before.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple


class Module(NamedTuple):
    """``symbol`` is its option in the kernel's configuration, ``sign`` what lines that use it have.

    A line is preceded by its tool.
    """

    name: str
    symbol: str
    sign: str


_MODULES = (
    Module("bridge", "CONFIG_BRIDGE", r"ip .* type bridge "),
    Module("veth", "CONFIG_VETH", r"ip .* type veth"),
    Module("sch_tbf", "CONFIG_NET_SCH_TBF", r"tc .* tbf "),
    Module("bonding", "CONFIG_BONDING", r"ip .* type bond "),
    Module("8021q", "CONFIG_VLAN_8021Q", r"ip .* type vlan "),
    Module("br_netfilter", "CONFIG_BRIDGE_NETFILTER", r"sysctl net/bridge/"),
    Module("nf_tables", "CONFIG_NF_TABLES", r"nft "),
    Module("ip_vs", "CONFIG_IP_VS", r"ipvsadm "),
    Module("iptable_mangle", "CONFIG_IP_NF_MANGLE", r"iptables -t mangle "),
    Module("xt_HL", "CONFIG_NETFILTER_XT_TARGET_HL", r"iptables .* -j TTL "),
    Module("nft_ct", "CONFIG_NFT_CT", r"nft add rule .* (ct|notrack)\b"),
    Module("nf_conntrack_bridge", "CONFIG_NF_CONNTRACK_BRIDGE", r"nft add rule bridge .* ct "),
    Module("nft_meta_bridge", "CONFIG_NFT_BRIDGE_META", r"nft add rule .* meta [io]brname "),
    Module("nft_chain_nat", "CONFIG_NFT_NAT", r"nft add chain .* type nat "),
    Module("nft_nat", "CONFIG_NFT_NAT", r"nft add rule .* [sd]nat "),
    Module("nft_masq", "CONFIG_NFT_MASQ", r"nft add rule .* masquerade\b"),
    Module("nft_redir", "CONFIG_NFT_REDIR", r"nft add rule .* redirect\b"),
    Module("nft_reject_bridge", "CONFIG_NFT_BRIDGE_REJECT", r"nft add rule bridge .*reject\b"),
    Module("nft_reject_inet", "CONFIG_NFT_REJECT_INET", r"nft add rule inet .*reject\b"),
    Module("nft_reject_ipv4", "CONFIG_NFT_REJECT_IPV4", r"nft add rule ip .*reject\b"),
    Module("nft_reject_ipv6", "CONFIG_NFT_REJECT_IPV6", r"nft add rule ip6 .*reject\b"),
    Module("nft_reject_netdev", "CONFIG_NFT_REJECT_NETDEV", r"nft add rule netdev .*reject\b"),
    Module("nft_fib_inet", "CONFIG_NFT_FIB_INET", r"nft add rule inet .*fib "),
    Module("nft_fib_ipv4", "CONFIG_NFT_FIB_IPV4", r"nft add rule ip .*fib "),
    Module("nft_fib_ipv6", "CONFIG_NFT_FIB_IPV6", r"nft add rule ip6 .*fib "),
    Module("nft_fib_netdev", "CONFIG_NFT_FIB_NETDEV", r"nft add rule netdev .*fib "),
    Module("nft_hash", "CONFIG_NFT_HASH", r"nft add rule .*(jhash|symhash) "),
    Module("nft_numgen", "CONFIG_NFT_NUMGEN", r"nft add rule .*numgen "),
)
_OTHERS = (Module("ipv6", "CONFIG_IPV6", ""),)

SYMBOLS = {module.name: module.symbol for module in (*_MODULES, *_OTHERS)}
"""The option of each module in the kernel's configuration."""


def needed(lines: Iterable[str]) -> tuple[str, ...]:
    """The modules that the lines use, each with its tool in front."""
    every = list(lines)
    return tuple(m.name for m in _MODULES if any(re.match(m.sign, line) for line in every))
