"""Assigned numbers that listings print as names, as the files in /etc have them."""

PROTOCOLS = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "ipv4": 4, "st": 5, "tcp": 6,
    "egp": 8, "igp": 9, "pup": 12, "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29,
    "dccp": 33, "xtp": 36, "ddp": 37, "idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43,
    "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "skip": 57,
    "ipv6-icmp": 58, "icmpv6": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81,
    "eigrp": 88, "ospf": 89, "ax.25": 93, "etherip": 97, "ipip": 94, "encap": 98, "pim": 103,
    "comp": 108, "ipcomp": 108, "vrrp": 112, "carp": 112, "l2tp": 115, "isis": 124, "sctp": 132,
    "fc": 133, "mobility-header": 135, "ipv6-mh": 135, "udplite": 136, "mpls-in-ip": 137,
    "manet": 138, "hip": 139, "shim6": 140, "wesp": 141, "rohc": 142, "ethernet": 143, "ip": 0,
}  # fmt: skip
"""/etc/protocols."""

PORTS = {
    "tcpmux": 1, "echo": 7, "discard": 9, "systat": 11, "daytime": 13, "netstat": 15, "qotd": 17,
    "chargen": 19, "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "time": 37,
    "whois": 43, "tacacs": 49, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "gopher": 70,
    "finger": 79, "http": 80, "kerberos": 88, "iso-tsap": 102, "pop3": 110, "sunrpc": 111,
    "auth": 113, "nntp": 119, "ntp": 123, "epmap": 135, "netbios-ns": 137, "netbios-dgm": 138,
    "netbios-ssn": 139, "imap2": 143, "snmp": 161, "snmp-trap": 162, "xdmcp": 177, "bgp": 179,
    "irc": 194, "ldap": 389, "svrloc": 427, "https": 443, "snpp": 444, "microsoft-ds": 445,
    "kpasswd": 464, "submissions": 465, "saft": 487, "isakmp": 500, "shell": 514, "syslog": 514,
    "printer": 515, "route": 520, "nntps": 563, "dhcpv6-client": 546,
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
"""/etc/services as far as it matters here; a name that is not known leaves its match open."""
