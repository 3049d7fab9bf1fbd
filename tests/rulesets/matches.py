"""Random matches: every field, every operator, sets of all kinds."""

from random import Random

from tests.rulesets.values import ORDERED, PREFIXED, VALUES, prefix, span

_ANYWHERE = {
    "iifname": "ifname",
    "oifname": "ifname",
    "iif": "iface_index",
    "meta mark": "mark",
    "meta pkttype": "pkt_type",
    "meta length": "u16",
    "meta protocol": "ether_type",
    "meta iiftype": "iface_type",
    "iifgroup": "devgroup",
    "meta l4proto": "inet_proto",
}
_IP = {
    "ip saddr": "ipv4_addr",
    "ip daddr": "ipv4_addr",
    "ip protocol": "inet_proto",
    "ip ttl": "u8",
    "ip dscp": "dscp",
    "ip ecn": "ecn",
    "ip length": "u16",
    "ip id": "u16",
    "ip frag-off": "u12",
    "icmp type": "icmp_type",
    "icmp code": "u8",
}
_IP6 = {
    "ip6 saddr": "ipv6_addr",
    "ip6 daddr": "ipv6_addr",
    "ip6 nexthdr": "inet_proto",
    "ip6 hoplimit": "u8",
    "icmpv6 type": "icmpv6_type",
    "icmpv6 code": "u8",
    "frag more-fragments": "bit",
}
_TRANSPORT = {
    "tcp sport": "inet_service",
    "tcp dport": "inet_service",
    "udp sport": "inet_service",
    "udp dport": "inet_service",
    "th dport": "inet_service",
    "sctp dport": "inet_service",
    "tcp flags": "tcp_flag",
    "tcp window": "u16",
    "udp length": "u16",
    "esp spi": "u16",
}
_CONNECTION = {
    "ct state": "ct_state",
    "ct status": "ct_status",
    "ct mark": "mark",
    "ct direction": "ct_dir",
    "ct zone": "u8",
    "ct original ip saddr": "ipv4_addr",
    "ct reply ip daddr": "ipv4_addr",
    "fib daddr type": "fib_type",
    "fib saddr . iif type": "fib_type",
}
_ETHER = {"ether saddr": "ether_addr", "ether daddr": "ether_addr", "ether type": "ether_type"}
_ARP = {
    "arp operation": "arp_op",
    "arp saddr ip": "ipv4_addr",
    "arp daddr ip": "ipv4_addr",
    "arp saddr ether": "ether_addr",
    "arp daddr ether": "ether_addr",
    "arp htype": "u8",
    "arp hlen": "u8",
    "arp ptype": "ether_type",
}
_VLAN = {"vlan id": "u12", "vlan pcp": "u3"}

FIELDS: dict[str, dict[str, str]] = {
    "ip": _ANYWHERE | _IP | _TRANSPORT | _CONNECTION,
    "ip6": _ANYWHERE | _IP6 | _TRANSPORT | {"ct state": "ct_state", "ct mark": "mark"},
    "inet": _ANYWHERE | _IP | _IP6 | _TRANSPORT | _CONNECTION | {"meta nfproto": "nf_proto"},
    "bridge": _ANYWHERE | _IP | _IP6 | _TRANSPORT | _ETHER | _ARP | _VLAN,
    "netdev": _ANYWHERE | _IP | _IP6 | _TRANSPORT | _ETHER | _ARP | _VLAN,
    "arp": {"iifname": "ifname", "meta mark": "mark"} | _ARP | _ETHER,
}
"""The fields of each family, with their types."""

SETS = ("ipv4_addr", "ipv6_addr", "ether_addr", "inet_service", "mark", "ifname", "inet_proto")
PAIRS = (("ipv4_addr", "inet_service"), ("ifname", "ether_addr"), ("ether_addr", "ipv4_addr"))

_WHOLE = (
    "fib daddr . mark type {{ local, unicast }}",
    "fib saddr . iif oif missing",
    "fib saddr . iif oif exists",
    "exthdr frag exists",
    "tcp option maxseg size 1-{u8}",
    "tcp option sack-perm missing",
    "tcp flags & (fin | syn | rst | ack) == syn",
    "tcp flags & (syn | ack) != syn",
    "tcp flags {{ syn, syn | ack }}",
    "tcp flags ! fin,rst",
    "ct state ! invalid,new",
    "ct state established,related",
    "ct status dnat,snat",
    "ip saddr & 0.0.0.255 == 0.0.0.{u8}",
    "ip saddr & 0.0.0.255 < 0.0.0.{u8}",
    "ip frag-off & 0x1fff != 0",
    "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00",
    "ether daddr & ff:ff:ff:00:00:00 == 33:33:00:00:00:00",
    "meta mark & 0xff00 == {u8}",
    "meta mark | 0x1 == {u8}",
    "meta mark ^ 0x1 == {u8}",
    "meta mark & 0xf0 < {u8}",
    "meta mark and 0xf xor 0x3 != {u8}",
    "@nh,8,8 & 0xf == {u3}",
    "@th,32,16 {u16}",
    "@ll,0,48 0x{u8}",
    "meta skuid {u8}",
    "meta cpu < {u3}",
    'meta hour "08:00"-"17:00"',
    'meta day {{ "Monday", "Friday" }}',
    "meta priority 1:{u3}",
    "limit rate {u8}/second",
    "limit rate over {u8} kbytes/minute burst {u8} kbytes",
    "quota over {u8} mbytes",
    "numgen random mod 10 < 5",
    "jhash ip saddr . tcp dport mod 4 2",
    "ct count over {u8}",
    "rt classid 5",
    'osf name "Linux"',
    "udp dport 67 udp sport 68",
    "icmpv6 type nd-neighbor-advert @nh,528,48 != 0xaabbaabbaacc",
)


_NEVER_JOINED = frozenset({"tcp_flag", "bit", "dscp", "ecn", "u3"})
"""Of less than a byte: nft 1.0.6 aborts when it lists them."""


def match(rng: Random, family: str) -> str:
    """One match; nft may refuse it, in what goes before and for itself."""
    fields = FIELDS[family]
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(_WHOLE).format(**{n: VALUES[n](rng) for n in ("u3", "u8", "u16")})
    if kind < 0.25:
        return concatenation(rng, family)
    field = rng.choice(sorted(fields))
    return compared(rng, field, fields[field])


def compared(rng: Random, field: str, kind: str) -> str:
    """A field and what it is compared with."""
    make = VALUES[kind]
    unequal = rng.choice(("", "", "!= "))
    forms = [f"{field} {unequal}{make(rng)}"] * 2
    if kind != "tcp_flag":
        forms.append(f"{field} {unequal}{anonymous(rng, kind)}")
    if kind in ORDERED:
        order = rng.choice(("<", "<=", ">", ">="))
        forms += [f"{field} {order} {make(rng)}", f"{field} {unequal}{span(kind, rng)}"]
    if kind in PREFIXED:
        forms.append(f"{field} {unequal}{prefix(kind, rng)}")
    if kind in SETS:
        forms += [f"{field} {unequal}@{rng.choice(('plain', 'ranges'))}_{kind}"]
    return rng.choice(forms)


def anonymous(rng: Random, kind: str) -> str:
    """A set in braces."""
    found = [VALUES[kind](rng) for _ in range(rng.randint(1, 4))]
    if kind in ORDERED and rng.random() < 0.4:
        found.append(span(kind, rng) if kind.endswith("addr") else "30000-30010")
    if kind in PREFIXED and rng.random() < 0.4:
        found.append(prefix(kind, rng))
    return "{ " + ", ".join(dict.fromkeys(found)) + " }"


def several(rng: Random, family: str) -> list[str]:
    """Fields that can be joined."""
    fields = FIELDS[family]
    usable = sorted(name for name, kind in fields.items() if kind not in _NEVER_JOINED)
    return rng.sample(usable, min(rng.randint(2, 3), len(usable)))


def concatenation(rng: Random, family: str) -> str:
    """Several fields joined, and a set of what they may be together."""
    names = several(rng, family)
    kinds = [FIELDS[family][name] for name in names]
    rows = {" . ".join(_member(rng, kind) for kind in kinds) for _ in range(rng.randint(1, 3))}
    return f"{' . '.join(names)} {rng.choice(('', '!= '))}{{ {', '.join(sorted(rows))} }}"


def _member(rng: Random, kind: str) -> str:
    if kind in PREFIXED and kind != "ether_addr" and rng.random() < 0.2:
        return prefix(kind, rng)
    return VALUES[kind](rng).replace("*", "0")
