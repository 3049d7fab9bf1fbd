"""Numbers that listings print as names: protocols, ports, ICMP types, Ethernet types."""

from hopback.sources.parse import assigned

PROTOCOLS = assigned.PROTOCOLS | {"ipv6-crypt": 50, "ipv6-auth": 51, "icmp6": 58, "mh": 135}
"""Also by the names that iptables knows by itself."""

TRANSPORTS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}
"""Protocols with ports."""

PORTS = assigned.PORTS

ICMP = {
    "any": (255, None), "echo-reply": (0, None), "pong": (0, None),
    "destination-unreachable": (3, None), "network-unreachable": (3, 0),
    "host-unreachable": (3, 1), "protocol-unreachable": (3, 2), "port-unreachable": (3, 3),
    "fragmentation-needed": (3, 4), "source-route-failed": (3, 5), "network-unknown": (3, 6),
    "host-unknown": (3, 7), "network-prohibited": (3, 9), "host-prohibited": (3, 10),
    "TOS-network-unreachable": (3, 11), "TOS-host-unreachable": (3, 12),
    "communication-prohibited": (3, 13), "host-precedence-violation": (3, 14),
    "precedence-cutoff": (3, 15), "source-quench": (4, None), "redirect": (5, None),
    "network-redirect": (5, 0), "host-redirect": (5, 1), "TOS-network-redirect": (5, 2),
    "TOS-host-redirect": (5, 3), "echo-request": (8, None), "ping": (8, None),
    "router-advertisement": (9, None), "router-solicitation": (10, None),
    "time-exceeded": (11, None), "ttl-exceeded": (11, None),
    "ttl-zero-during-transit": (11, 0), "ttl-zero-during-reassembly": (11, 1),
    "parameter-problem": (12, None), "ip-header-bad": (12, 0), "required-option-missing": (12, 1),
    "timestamp-request": (13, None), "timestamp-reply": (14, None),
    "address-mask-request": (17, None), "address-mask-reply": (18, None),
}  # fmt: skip
"""Type and code; iptables extensions/libxt_icmp.h."""

ICMP6 = {
    "destination-unreachable": (1, None), "no-route": (1, 0), "communication-prohibited": (1, 1),
    "beyond-scope": (1, 2), "address-unreachable": (1, 3), "port-unreachable": (1, 4),
    "failed-policy": (1, 5), "reject-route": (1, 6), "packet-too-big": (2, None),
    "time-exceeded": (3, None), "ttl-exceeded": (3, None), "ttl-zero-during-transit": (3, 0),
    "ttl-zero-during-reassembly": (3, 1), "parameter-problem": (4, None), "bad-header": (4, 0),
    "unknown-header-type": (4, 1), "unknown-option": (4, 2), "echo-request": (128, None),
    "ping": (128, None), "echo-reply": (129, None), "pong": (129, None),
    "mld-listener-query": (130, None), "mld-listener-report": (131, None),
    "mld-listener-done": (132, None), "mld-listener-reduction": (132, None),
    "router-solicitation": (133, None), "router-advertisement": (134, None),
    "neighbour-solicitation": (135, None), "neighbor-solicitation": (135, None),
    "neighbour-advertisement": (136, None), "neighbor-advertisement": (136, None),
    "redirect": (137, None),
}  # fmt: skip

ETHER_TYPES = {
    "ipv4": 0x0800, "x25": 0x0805, "arp": 0x0806, "fr_arp": 0x0808, "bpq": 0x08FF,
    "trill": 0x22F3, "l2-is-is": 0x22F4, "teb": 0x6558, "raw_fr": 0x6559, "rarp": 0x8035,
    "atalk": 0x809B, "aarp": 0x80F3, "802_1q": 0x8100, "ipx": 0x8137, "netbeui": 0x8191,
    "ipv6": 0x86DD, "ppp": 0x880B, "mpls": 0x8847, "mpls_multi": 0x8848, "atmmpoa": 0x884C,
    "ppp_disc": 0x8863, "ppp_ses": 0x8864, "atmfate": 0x8884, "eapol": 0x888E, "s-tag": 0x88A8,
    "802_1ad": 0x88A8, "eap_preauth": 0x88C7, "lldp": 0x88CC, "macsec": 0x88E5, "pbb": 0x88E7,
    "mvrp": 0x88F5, "ptp": 0x88F7, "fcoe": 0x8906, "fip": 0x8914, "roce": 0x8915, "loop": 0x9000,
    "lowpan": 0xA0ED,
}  # fmt: skip
"""/etc/ethertypes, in small letters."""

ARP_OPERATIONS = {
    "request": 1, "reply": 2, "request_reverse": 3, "reply_reverse": 4, "drarp_request": 5,
    "drarp_reply": 6, "drarp_error": 7, "inarp_request": 8, "arp_nak": 9,
}  # fmt: skip

TCP_FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}
