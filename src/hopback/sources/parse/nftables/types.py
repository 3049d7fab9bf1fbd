"""Which data type a field has: it decides what the words of a value mean (nft(8), DATA TYPES)."""

from functools import lru_cache

_PORTS = ("sport", "dport")
_BY_KEY = {
    "ether type": "ether_type",
    "vlan type": "ether_type",
    "arp ptype": "ether_type",
    "arp operation": "arp_op",
    "gre protocol": "ether_type",
    "ip protocol": "inet_proto",
    "ip dscp": "dscp",
    "ip6 dscp": "dscp",
    "ip ecn": "ecn",
    "ip6 ecn": "ecn",
    "icmp type": "icmp_type",
    "icmp code": "icmp_code",
    "icmpv6 type": "icmpv6_type",
    "icmpv6 code": "icmpv6_code",
    "igmp type": "igmp_type",
    "igmp group": "ip_addr",
    "icmpv6 taddr": "ip_addr",
    "icmpv6 daddr": "ip_addr",
    "tcp flags": "tcp_flag",
    "dccp type": "dccp_pkttype",
    "meta protocol": "ether_type",
    "meta ibrvproto": "ether_type",
    "meta l4proto": "inet_proto",
    "meta nfproto": "nf_proto",
    "meta mark": "mark",
    "meta priority": "tc_handle",
    "meta iif": "ifindex",
    "meta oif": "ifindex",
    "meta sdif": "ifindex",
    "meta iifname": "ifname",
    "meta oifname": "ifname",
    "meta sdifname": "ifname",
    "meta ibrname": "ifname",
    "meta obrname": "ifname",
    "meta iifkind": "string",
    "meta oifkind": "string",
    "meta iiftype": "iface_type",
    "meta oiftype": "iface_type",
    "meta iifgroup": "devgroup",
    "meta oifgroup": "devgroup",
    "meta pkttype": "pkt_type",
    "meta ipsec": "boolean",
    "rt ipsec": "boolean",
    "ct mark": "mark",
    "socket mark": "mark",
    "mh type": "mh_type",
    "mh nexthdr": "inet_proto",
}
_TUNNELS = frozenset({"vxlan", "geneve", "gre", "gretap"})
_CT = {
    "state": "ct_state",
    "direction": "ct_dir",
    "status": "ct_status",
    "l3proto": "nf_proto",
    "protocol": "inet_proto",
    "saddr": "ip_addr",
    "daddr": "ip_addr",
    "ip saddr": "ip_addr",
    "ip daddr": "ip_addr",
    "ip6 saddr": "ip_addr",
    "ip6 daddr": "ip_addr",
    "proto-src": "inet_service",
    "proto-dst": "inet_service",
    "zone": "integer",
}
_DECLARED = {
    "ipv4_addr": "ip_addr",
    "ipv6_addr": "ip_addr",
    "iface_index": "ifindex",
    "classid": "tc_handle",
    "fib_addrtype": "fib_type",
}
FLAGS = frozenset({"tcp_flag", "ct_state", "ct_status"})
"""Types of bits: a value without operator asks whether any of its bits is set."""

_UNTOLD = frozenset({"numgen", "jhash", "symhash", "socket", "osf", "rt", "ipsec"})
"""First words of fields that the packet does not decide."""

_UNTOLD_META = frozenset(
    {"skuid", "skgid", "cpu", "cgroup", "random", "time", "hour", "day", "rtclassid", "nftrace"}
    | {"secmark", "ipsec"}
)
_TOLD_CT = frozenset({*_CT, "mark"})


@lru_cache(maxsize=1 << 10)
def type_of(key: str) -> str:
    """The data type of a field."""
    if known := _BY_KEY.get(key):
        return known
    first, _, rest = key.partition(" ")
    if first in _TUNNELS and " " in rest:
        return type_of(rest)
    if first == "ct":
        return _CT.get(rest.removeprefix("original ").removeprefix("reply "), "any")
    if first == "fib":
        result = rest.rpartition(" ")[2]
        return {"type": "fib_type", "oifname": "ifname"}.get(result, "ifindex")
    last = rest.rpartition(" ")[2]
    if last in _PORTS:
        return "inet_service"
    if last == "nexthdr":
        return "inet_proto"
    if first in ("ip", "ip6", "arp", "ipsec", "rt0", "rt") and last in ("saddr", "daddr", "ip"):
        return "ip_addr"
    if rest.startswith(("addr[", "sid[")) or last == "nexthop":
        return "ip_addr"
    if first in ("ether", "arp") and last in ("saddr", "daddr", "ether"):
        return "ether_addr"
    if first == "exthdr" or (first in ("tcp", "ip", "sctp", "dccp") and _is_presence(rest)):
        return "boolean"
    return "any"


def _is_presence(rest: str) -> bool:
    """``option NAME`` or ``chunk NAME`` without a field of it."""
    words = rest.split(" ")
    return len(words) == 2 and words[0] in ("option", "chunk")


def declared(name: str) -> str:
    """The type of a set's elements that is declared as ``name``."""
    return _DECLARED.get(name, name)


@lru_cache(maxsize=1 << 10)
def is_told(key: str) -> bool:
    """Whether the packet, its connection and the host's tables decide what the field holds."""
    first, _, rest = key.partition(" ")
    if first == "meta":
        return rest not in _UNTOLD_META
    if first == "ct":
        return rest.removeprefix("original ").removeprefix("reply ") in _TOLD_CT
    return first not in _UNTOLD
