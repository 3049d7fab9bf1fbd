"""What nft prints as words where the packet has numbers (nft(8) ``describe``, src/proto.c)."""

from types import MappingProxyType

_PROTOCOLS = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "ipip": 4, "st": 5, "tcp": 6,
    "egp": 8, "igp": 9, "pup": 12, "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29,
    "dccp": 33, "xtp": 36, "ddp": 37, "idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43,
    "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "skip": 57,
    "ipv6-icmp": 58, "icmpv6": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81,
    "eigrp": 88, "ospf": 89, "ax.25": 93, "etherip": 97, "encap": 98, "pim": 103, "comp": 108,
    "ipcomp": 108, "vrrp": 112, "carp": 112, "l2tp": 115, "isis": 124, "sctp": 132, "fc": 133,
    "mobility-header": 135, "ipv6-mh": 135, "udplite": 136, "mpls-in-ip": 137, "manet": 138,
    "shim6": 139, "wesp": 141, "rohc": 142, "ethernet": 143, "ip": 0,
}  # fmt: skip

_SERVICES = {
    "tcpmux": 1, "echo": 7, "discard": 9, "systat": 11, "daytime": 13, "netstat": 15, "qotd": 17,
    "chargen": 19, "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "time": 37,
    "whois": 43, "tacacs": 49, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "gopher": 70,
    "finger": 79, "http": 80, "kerberos": 88, "iso-tsap": 102, "pop3": 110, "sunrpc": 111,
    "auth": 113, "nntp": 119, "ntp": 123, "epmap": 135, "netbios-ns": 137, "netbios-dgm": 138,
    "netbios-ssn": 139, "imap2": 143, "snmp": 161, "snmp-trap": 162, "xdmcp": 177, "bgp": 179,
    "irc": 194, "ldap": 389, "svrloc": 427, "https": 443, "snpp": 444, "microsoft-ds": 445,
    "kpasswd": 464, "submissions": 465, "saft": 487, "isakmp": 500, "shell": 514, "syslog": 514,
    "printer": 515, "route": 520, "rip": 520, "ripng": 521, "nntps": 563, "dhcpv6-client": 546,
    "dhcpv6-server": 547, "rtsp": 554, "submission": 587, "ipp": 631, "ldaps": 636, "ldp": 646,
    "kerberos-adm": 749, "domain-s": 853, "rsync": 873, "ftps-data": 989, "ftps": 990,
    "telnets": 992, "imaps": 993, "pop3s": 995, "socks": 1080, "proofd": 1093, "openvpn": 1194,
    "ms-sql-s": 1433, "ms-sql-m": 1434, "datametrics": 1645, "sa-msg-port": 1646, "l2f": 1701,
    "radius": 1812, "radius-acct": 1813, "nfs": 2049, "gnunet": 2086, "zabbix-agent": 10050,
    "zabbix-trapper": 10051, "iscsi-target": 3260, "mysql": 3306, "ms-wbt-server": 3389,
    "stun": 3478, "nut": 3493, "svn": 3690, "epmd": 4369, "ipsec-nat-t": 4500, "sip": 5060,
    "sip-tls": 5061, "xmpp-client": 5222, "xmpp-server": 5269, "mdns": 5353, "postgresql": 5432,
    "amqps": 5671, "amqp": 5672, "x11": 6000, "redis": 6379, "bacula-dir": 9101, "git": 9418,
    "http-alt": 8080, "puppet": 8140, "webmin": 10000, "amanda": 10080,
}  # fmt: skip

_CODEPOINTS = {f"cs{n}": n << 3 for n in range(8)} | {
    f"af{n}{drop}": n << 3 | drop << 1 for n in range(1, 5) for drop in range(1, 4)
}

SYMBOLS: MappingProxyType[str, dict[str, int]] = MappingProxyType({
    "inet_proto": _PROTOCOLS,
    "inet_service": _SERVICES,
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
