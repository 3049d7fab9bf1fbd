"""What nft prints as words where the packet has numbers (nft(8) ``describe``, src/proto.c)."""

from types import MappingProxyType

from hopback.sources.parse.assigned import PORTS, PROTOCOLS

_CODEPOINTS = {f"cs{n}": n << 3 for n in range(8)} | {
    f"af{n}{drop}": n << 3 | drop << 1 for n in range(1, 5) for drop in range(1, 4)
}

SYMBOLS: MappingProxyType[str, dict[str, int]] = MappingProxyType({
    "inet_proto": PROTOCOLS,
    "inet_service": PORTS,
    "ether_type": {
        "ip": 0x0800, "arp": 0x0806, "ip6": 0x86DD, "8021q": 0x8100, "8021ad": 0x88A8,
        "vlan": 0x8100,
    },
    "tcp_flag": {
        "fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128,
    },
    "icmp_type": {
        "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5,
        "echo-request": 8, "router-advertisement": 9, "router-solicitation": 10,
        "time-exceeded": 11, "parameter-problem": 12, "timestamp-request": 13,
        "timestamp-reply": 14, "info-request": 15, "info-reply": 16, "address-mask-request": 17,
        "address-mask-reply": 18,
    },
    "icmp_code": {
        "net-unreachable": 0, "host-unreachable": 1, "prot-unreachable": 2, "port-unreachable": 3,
        "frag-needed": 4, "net-prohibited": 9, "host-prohibited": 10, "admin-prohibited": 13,
    },
    "icmpv6_type": {
        "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3,
        "parameter-problem": 4, "echo-request": 128, "echo-reply": 129, "mld-listener-query": 130,
        "mld-listener-report": 131, "mld-listener-done": 132, "mld-listener-reduction": 132,
        "nd-router-solicit": 133, "nd-router-advert": 134, "nd-neighbor-solicit": 135,
        "nd-neighbor-advert": 136, "nd-redirect": 137, "router-renumbering": 138,
        "ind-neighbor-solicit": 141, "ind-neighbor-advert": 142, "mld2-listener-report": 143,
    },
    "icmpv6_code": {
        "no-route": 0, "admin-prohibited": 1, "addr-unreachable": 3, "port-unreachable": 4,
        "policy-fail": 5, "reject-route": 6,
    },
    "igmp_type": {
        "membership-query": 0x11, "membership-report-v1": 0x12, "membership-report-v2": 0x16,
        "leave-group": 0x17, "membership-report-v3": 0x22,
    },
    "arp_op": {
        "request": 1, "reply": 2, "rrequest": 3, "rreply": 4, "inrequest": 8, "inreply": 9,
        "nak": 10,
    },
    "dccp_pkttype": {
        "request": 0, "response": 1, "data": 2, "ack": 3, "dataack": 4, "closereq": 5, "close": 6,
        "reset": 7, "sync": 8, "syncack": 9,
    },
    "dscp": _CODEPOINTS | {"df": 0, "be": 0, "lephb": 1, "va": 0x2C, "ef": 0x2E},
    "ecn": {"not-ect": 0, "ect1": 1, "ect0": 2, "ce": 3},
    "iface_type": {
        "ether": 1, "ppp": 512, "ipip": 768, "ipip6": 769, "loopback": 772, "sit": 776,
        "ipgre": 778,
    },
    "devgroup": {"default": 0},
    "boolean": {"exists": 1, "missing": 0, "true": 1, "false": 0},
    "tc_handle": {"none": 0, "root": 0xFFFFFFFF},
    "packet_type": {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3},
})  # fmt: skip
"""The words of each data type, for those whose values are numbers in a row."""

PACKET_TYPES = MappingProxyType({"unicast": "host", "other": "otherhost"})
"""Of ``meta pkttype``: the words that rows spell otherwise."""

HOOK_PRIORITIES = MappingProxyType(
    {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
)
BRIDGE_PRIORITIES = MappingProxyType({"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300})
"""Names of priorities (linux/netfilter_ipv4.h, netfilter_bridge.h)."""
