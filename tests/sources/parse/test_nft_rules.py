"""What each statement of nft means as a step: in the words of new versions and of old ones."""

import pytest

from hopback.snapshot.rows import (
    Choice,
    Element,
    Field,
    Mangle,
    Mapped,
    Match,
    Nat,
    Notrack,
    Opaque,
    Operator,
    Span,
    Step,
    Unsure,
    Verdict,
)
from hopback.sources.parse.nftables.statements import statements
from hopback.sources.parse.nftables.steps import Statement, steps

V4, V6 = 0x0A000001, 0xFD00 << 112 | 1
MAC = 0x020000000001
FULL = 0xFFFFFFFF


def read(text: str) -> list[Step]:
    return [step for one in statements(text) for step in steps(one, {"pairs": 2})]


def match(
    key: str, *values: object, op: Operator = "==", mask: int | None = None, set: str = ""
) -> Match:
    elements: tuple[Element, ...] = tuple(
        value if isinstance(value, tuple) else (value,) for value in values
    )
    keys = key.split(" + ")
    return Match(tuple(Field(one, mask) for one in keys), elements, op, set)


MATCHES = [
    ('iifname "tap0"', match("meta iifname", "tap0")),
    ('meta iifname != "tap*"', match("meta iifname", "tap*", op="!=")),
    ('iif "lo"', match("meta iif", "lo")),
    ("iif 7", match("meta iif", 7)),
    ('meta ibrname "br0"', match("meta ibrname", "br0")),
    ('meta ibriport "br0"', match("meta ibrname", "br0")),
    ("ip saddr 10.0.0.1", match("ip saddr", V4)),
    ("ip saddr 10.0.0.0/8", match("ip saddr", Span(10 << 24, (11 << 24) - 1))),
    ("ip saddr 10.0.0.1-10.0.0.9", match("ip saddr", Span(V4, V4 + 8))),
    ("ip saddr { 10.0.0.1, 10.0.0.4/31 }", match("ip saddr", V4, Span(V4 + 3, V4 + 4))),
    ("ip saddr != @bad", match("ip saddr", op="!=", set="bad")),
    ("ip saddr & 0.0.0.255 < 0.0.0.9", match("ip saddr", 9, op="<", mask=255)),
    ("ip6 saddr fd00::1", match("ip6 saddr", V6)),
    ("ether saddr 02:00:00:00:00:01", match("ether saddr", MAC)),
    ("ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00",
     match("ether daddr", 1 << 40, mask=1 << 40)),
    ("ether type arp", match("ether type", 0x0806)),
    ("meta protocol { ip, 8021q }", match("meta protocol", 0x0800, 0x8100)),
    ("vlan id 1-5", match("vlan id", Span(1, 5))),
    ("arp operation request", match("arp operation", 1)),
    ("arp saddr ether != 02:00:00:00:00:01", match("arp saddr ether", MAC, op="!=")),
    ("arp daddr ip 10.0.0.1", match("arp daddr ip", V4)),
    ("tcp dport ssh", match("tcp dport", 22)),
    ("tcp dport http-alt", match("tcp dport", 8080)),
    ("tcp dport { ssh, 8000-8010 }", match("tcp dport", 22, Span(8000, 8010))),
    ("tcp dport ge 1024", match("tcp dport", 1024, op=">=")),
    ("udp dport bootps-bootpc", match("udp dport", Span(67, 68))),
    ("th dport 53", match("th dport", 53)),
    ("meta l4proto { tcp, 17 }", match("meta l4proto", 6, 17)),
    ("ip protocol ipv6-icmp", match("ip protocol", 58)),
    ("icmp type echo-request", match("icmp type", 8)),
    ("icmpv6 type { nd-neighbor-solicit, mld2-listener-report }", match("icmpv6 type", 135, 143)),
    ("ip dscp ef", match("ip dscp", 46)),
    ("tcp flags syn", match("tcp flags", 2, op="has")),
    ("tcp flags fin,rst", match("tcp flags", 5, op="has")),
    ("tcp flags ! fin,rst", match("tcp flags", 5, op="lacks")),
    ("tcp flags == syn", match("tcp flags", 2)),
    ("tcp flags syn / fin,syn,rst,ack", match("tcp flags", 2, mask=23)),
    ("tcp flags & (fin|syn|rst|ack) == syn", match("tcp flags", 2, mask=23)),
    ("tcp flags & (fin | syn) != 0x0", match("tcp flags", 0, op="!=", mask=3)),
    ("tcp flags { syn, syn | ack }", match("tcp flags", 2, 18)),
    ("ct state established,related", match("ct state", "established", "related")),
    ("ct state { established, related }", match("ct state", "established", "related")),
    ("ct state ! new", match("ct state", "new", op="!=")),
    ("ct state != invalid", match("ct state", "invalid", op="!=")),
    ("ct status dnat", match("ct status", "dnat", op="has")),
    ("ct status ! snat,dnat", match("ct status", "snat", "dnat", op="lacks")),
    ("ct mark & 0x0000ff00 == 0x00000100", match("ct mark", 0x100, mask=0xFF00)),
    ("ct original ip daddr 10.0.0.1", match("ct original ip daddr", V4)),
    ("ct original proto-dst 80", match("ct original proto-dst", 80)),
    ("ct direction reply", match("ct direction", "reply")),
    ("meta mark 0x00000010", match("meta mark", 16)),
    ("meta mark | 0x1 == 0x3", match("meta mark", 2, mask=FULL - 1)),
    ("meta mark ^ 0x1 == 0x3", match("meta mark", 2)),
    ("meta mark & 0xf0 ^ 0x10 == 0x30", match("meta mark", 0x20, mask=0xF0)),
    ("meta mark >> 8 == 0x3", match("meta mark", 0x300, mask=0xFFFFFF00)),
    ("meta mark rshift 4 & 0xf 1-2", match("meta mark", Span(0x10, 0x2F), mask=0xF0)),
    ("meta mark << 8 == 0x300", match("meta mark", 3, mask=0xFFFFFF)),
    ("meta pkttype { broadcast, other }", match("meta pkttype", "broadcast", "otherhost")),
    ("meta nfproto ipv6", match("meta nfproto", "ipv6")),
    ("meta iiftype loopback", match("meta iiftype", 772)),
    ('iifgroup "default"', match("meta iifgroup", 0)),
    ("meta priority 1:2", match("meta priority", 0x10002)),
    ("meta priority bcad:dada-bcad:dadc", match("meta priority", Span(0xBCADDADA, 0xBCADDADC))),
    ("tcp option mptcp subtype 1", match("tcp option mptcp subtype", 1)),
    ("sctp chunk init initial-tsn 5", match("sctp chunk init initial-tsn", 5)),
    ("gre ip saddr 10.0.0.1", match("gre ip saddr", V4)),
    ("vxlan vni 10", match("vxlan vni", 10)),
    ("vlan cfi 1", match("vlan dei", 1)),
    ("fib daddr type { local, broadcast }", match("fib daddr type", "local", "broadcast")),
    ("fib saddr . iif oif missing", match("fib saddr . iif oif", 0)),
    ("fib saddr . iif oif 0", match("fib saddr . iif oif", 0)),
    ('fib daddr oif "lo"', match("fib daddr oif", "lo")),
    ("exthdr frag exists", match("exthdr frag", 1)),
    ("frag more-fragments 1", match("frag more-fragments", 1)),
    ("tcp option sack-perm missing", match("tcp option sack-perm", 0)),
    ("tcp option maxseg size 1-500", match("tcp option maxseg size", Span(1, 500))),
    ("ip option rr exists", match("ip option rr", 1)),
    ("@nh,528,48 != 0xaabbaabbaacc", match("@nh,528,48", 0xAABBAABBAACC, op="!=")),
    ("ip saddr . tcp dport { 10.0.0.1 . 22-23 }",
     match("ip saddr + tcp dport", (V4, Span(22, 23)))),
    ('iifname . ether saddr @pairs', match("meta iifname + ether saddr", set="pairs")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), MATCHES, ids=[text for text, _ in MATCHES])
def test_matches(text: str, expected: Match) -> None:
    assert read(f"{text} drop") == [expected, Verdict("drop")]


NOTHING = (
    "counter", "counter packets 5 bytes 6", 'counter name "c"', "log", "last", "last used 5s",
    'log prefix "a, b" level debug flags tcp sequence,options flags ip options',
    "log group 2 snaplen 20 queue-threshold 5", 'ct helper set "ftp"', "meta nftrace set 1",
    'ct timeout set "x"', "ct label set 5", "ct event set new,related",
    "add @seen { ip saddr }", "update @seen { ip saddr . tcp dport timeout 5s counter }",
    "delete @seen { ip saddr }", "update @seen { ip saddr : meta mark }",
    "set add ip saddr timeout 10s @seen", 'comment "x"',
)  # fmt: skip


@pytest.mark.parametrize("text", NOTHING)
def test_what_changes_nothing_is_left_out(text: str) -> None:
    assert read(f"{text} accept") == [Verdict("accept")]


UNSURE = (
    "limit rate 10/second", "limit rate over 10 mbytes/second burst 5 mbytes",
    "limit rate 400/minute burst 7 packets", 'limit name "l"', "quota over 25 mbytes used 3 kbytes",
    'quota name "q"', "ct count over 20", "meta skuid 1000-2000", "meta skgid { 1, 2 }",
    "skuid 0", 'meta hour "10:00"-"12:00"', 'meta day { "Monday", "Friday" }', "meta cpu 1",
    "meta random < 5", "numgen inc mod 2 0", "numgen random mod 10 < 5",
    "jhash ip saddr . tcp dport mod 4 seed 0xab offset 1 1", "symhash mod 2 == 0",
    "socket transparent 1", 'socket cgroupv2 level 1 "user.slice"', 'osf ttl skip name "Linux"',
    "ipsec in reqid 1", "ipsec out ip daddr 10.0.0.1", "rt classid 10", "rt ip nexthop 10.0.0.1",
    "ct bytes > 100", 'ct helper "ftp"', "ct label 5", "ct expiration < 1h",
    "update @seen { ip saddr limit rate 10/second }", "add @seen { ip saddr ct count over 3 }",
    "meter m size 100 { ip saddr limit rate 10/second burst 5 packets }",
)  # fmt: skip


@pytest.mark.parametrize("text", UNSURE)
def test_what_the_packet_does_not_decide(text: str) -> None:
    (found, end) = read(f"{text} drop")
    assert isinstance(found, Unsure)
    assert found.text.split() == text.replace('"-"', '" - "').split()
    assert end == Verdict("drop")


OPAQUE = (
    "xt match arp", "# xt_conntrack", 'xt target "LOG"', "flow add @ft", 'fwd to "eth0"',
    'dup to 10.0.0.1 device "eth0"', "tproxy to :50080",
    "synproxy mss 1460 wscale 7 timestamp sack-perm",
    "meta mark set tcp dport map { 22 : 0x1 }",
    "tcp dport nobody-knows", "ct status != dnat", 'iifname "we\\*"', "ct state != new | related",
    "dnat ip prefix to ip daddr map { 10.0.0.0/24 : 10.1.0.0/24 }",
    'counter name tcp dport map { 22 : "c" }', "ip saddr { 10.0.0.1 limit rate 5/second }",
    "ip saddr . tcp dport { 10.0.0.1 }", "ip saddr 10.0.0.9-10.0.0.1", "ip saddr 10.0.0.1/33",
    "update @seen { ip saddr log }",
)  # fmt: skip


@pytest.mark.parametrize("text", OPAQUE)
def test_what_is_not_understood_does_not_hide_the_rest(text: str) -> None:
    found = read(f"tcp dport 1 {text} accept")
    assert found[0] == match("tcp dport", 1)
    assert isinstance(found[1], Opaque)
    assert found[2:] == [Verdict("accept")]


@pytest.mark.parametrize(
    "text", ["frobnicate", "# recent: SET", "reset", "ip saddr", "tcp dport {", "(", "@"]
)
def test_what_is_no_statement_swallows_the_rest(text: str) -> None:
    assert read(f"tcp dport 1 {text} accept") == [
        match("tcp dport", 1),
        Opaque(f"{text} accept"),
    ]


VERDICTS = {
    "accept": Verdict("accept"),
    "continue": Verdict("continue"),
    "jump O-vnet8-mac": Verdict("jump", "O-vnet8-mac"),
    "goto a": Verdict("goto", "a"),
    "reject": Verdict("reject"),
    "reject with icmpx admin-prohibited": Verdict("reject"),
    "queue": Verdict("queue"),
    "queue num 1-3 fanout,bypass": Verdict("queue"),
    "queue flags bypass to 5": Verdict("queue"),
    "queue to numgen inc mod 4": Verdict("queue"),
    "notrack": Notrack(),
}


@pytest.mark.parametrize("text", VERDICTS)
def test_verdicts(text: str) -> None:
    assert read(f'{text} comment "why"') == [VERDICTS[text]]


@pytest.mark.parametrize(
    ("text", "key", "number"),
    [
        ("reject with icmp type port-unreachable", "ip version", 4),
        ("reject with icmpv6 no-route", "ip6 version", 6),
        ("reject with tcp reset", "meta l4proto", 6),
    ],
)
def test_an_answer_that_only_some_packets_can_get(text: str, key: str, number: int) -> None:
    assert read(text) == [match(key, number), Verdict("reject")]


def test_verdict_maps() -> None:
    assert read(
        "tcp dport vmap { 22 : accept, * : return, 80-90 counter packets 1 bytes 2 : jump a }"
    ) == [
        Choice(
            (Field("tcp dport"),),
            (
                ((22,), Verdict("accept")),
                ((Span(80, 90),), Verdict("jump", "a")),
                (("*",), Verdict("return")),
            ),
        )
    ]
    assert read('iifname . ip saddr vmap { "a" . 10.0.0.1 : drop, * : accept }') == [
        Choice(
            (Field("meta iifname"), Field("ip saddr")),
            ((("a", V4), Verdict("drop")), (("*", "*"), Verdict("accept"))),
        )
    ]
    assert read("iifname vmap @m") == [Choice((Field("meta iifname"),), map="m")]
    assert read("numgen inc mod 2 vmap { 0 : goto a, 1 : goto b }") == [
        Choice(
            (Field("numgen inc mod 2"),),
            (((0,), Verdict("goto", "a")), ((1,), Verdict("goto", "b"))),
        )
    ]


NATS = {
    "dnat to 10.0.0.1": Nat("dnat", V4),
    "dnat to 10.0.0.1:http": Nat("dnat", V4, 80),
    "dnat to 10.0.0.1-10.0.0.9:80-90 random,persistent": Nat(
        "dnat", Span(V4, V4 + 8), Span(80, 90)
    ),
    "dnat to [fd00::1]:80": Nat("dnat", V6, 80),
    "dnat to [fd00::1]-[fd00::9]:80": Nat("dnat", Span(V6, V6 + 8), 80),
    "dnat to fd00::1": Nat("dnat", V6),
    "dnat to fd00::1-fd00::9": Nat("dnat", Span(V6, V6 + 8)),
    "dnat to :80": Nat("dnat", None, 80),
    "snat to 10.0.0.0/31": Nat("snat", Span(V4 - 1, V4)),
    "snat to 10.0.0.1 fully-random": Nat("snat", V4),
    "masquerade": Nat("masquerade"),
    "masquerade to :1024-65535 random": Nat("masquerade", None, Span(1024, 65535)),
    "redirect": Nat("redirect"),
    "redirect to :22": Nat("redirect", None, 22),
    "redirect to :tcp dport map { 22 : 8022 }": Nat(
        "redirect", None, Mapped((Field("tcp dport"),), (((22,), (8022,)),))
    ),
    "dnat to ip saddr map @one": Nat("dnat", Mapped((Field("ip saddr"),), map="one")),
    "dnat to ip saddr map @one : 80": Nat("dnat", Mapped((Field("ip saddr"),), map="one"), 80),
    "dnat to ip saddr map @pairs": Nat("dnat", both=Mapped((Field("ip saddr"),), map="pairs")),
    "dnat addr . port to tcp dport map { 80 : 10.0.0.1 . 8080 }": Nat(
        "dnat", both=Mapped((Field("tcp dport"),), (((80,), (V4, 8080)),))
    ),
    "dnat to numgen inc mod 2 map { 0 : 10.0.0.1, * : 10.0.0.1-10.0.0.2 }": Nat(
        "dnat",
        Mapped((Field("numgen inc mod 2"),), (((0,), (V4,)), (("*",), (Span(V4, V4 + 1),)))),
    ),
}


@pytest.mark.parametrize("text", NATS)
def test_translations(text: str) -> None:
    assert read(text) == [NATS[text]]


def test_a_translation_for_one_family_ends_the_rule_for_the_other() -> None:
    """net/netfilter/nft_nat.c nft_nat_inet_eval."""
    assert read("dnat ip to 10.0.0.1") == [match("meta nfproto", "ipv4"), Nat("dnat", V4)]
    assert read("snat ip6 to fd00::1") == [match("meta nfproto", "ipv6"), Nat("snat", V6)]


MANGLES = {
    "meta mark set 0x00000005": Mangle("meta mark", 5),
    "meta mark set meta mark & 0x000001ff | 0x00000100": Mangle("meta mark", 0x100, 0xFF),
    "meta mark set meta mark or 0x100": Mangle("meta mark", 0x100, FULL - 0x100),
    "meta mark set meta mark & 0xfffffeff": Mangle("meta mark", 0, FULL - 0x100),
    "meta mark set meta mark ^ 0x3": Mangle("meta mark", 3, FULL),
    "meta mark set meta mark and 0xff xor 0x11": Mangle("meta mark", 0x11, 0xFF),
    "meta mark set ct mark": Mangle("meta mark", 0, 0, "ct mark", FULL),
    "meta mark set ct mark & 0xff": Mangle("meta mark", 0, 0, "ct mark", 0xFF),
    "ct mark set meta mark | 0x4": Mangle("ct mark", 4, 0, "meta mark", FULL - 4),
    "ct mark set ct mark & 0xff00 | meta mark & 0xff": Mangle(
        "ct mark", 0, 0xFF00, "meta mark", 0xFF
    ),
    "meta priority set 1:2": Mangle("meta priority", 0x10002),
    "meta pkttype set host": Mangle("meta pkttype", 0),
    "meta pkttype set other": Mangle("meta pkttype", 3),
    "ip ttl set 64": Mangle("ip ttl", 64),
    "ip dscp set cs1": Mangle("ip dscp", 8),
    "ip daddr set 10.0.0.1": Mangle("ip daddr", V4),
    "ether saddr set 02:00:00:00:00:01": Mangle("ether saddr", MAC),
    "ether type set ip": Mangle("ether type", 0x0800),
    "arp operation set reply": Mangle("arp operation", 2),
    "vlan id set 5": Mangle("vlan id", 5),
    "@th,0,16 set 5": Mangle("@th,0,16", 5),
    "tcp option maxseg size set rt mtu": Mangle("tcp option maxseg size", 0, 0, "rt mtu", FULL),
    "meta mark set numgen inc mod 4": Mangle("meta mark", 0, 0, "numgen inc mod 4", FULL),
    "ct zone set 5": Mangle("ct zone", 5),
}


@pytest.mark.parametrize("text", MANGLES)
def test_changes(text: str) -> None:
    assert read(f"{text} accept") == [MANGLES[text], Verdict("accept")]


NEWER_JSON: tuple[tuple[object, list[Step]], ...] = (
    (
        {"match": {"op": "==", "right": 1,
                   "left": {"&": [{"meta": {"key": "mark"}}, {"|": [1, 2, 4]}]}}},
        [match("meta mark", 1, mask=7)],
    ),
    (
        {"match": {"op": "==", "left": {"ct": {"key": "saddr", "family": "ip", "dir": "original"}},
                   "right": "10.0.0.1"}},
        [match("ct original ip saddr", V4)],
    ),
    (
        {"match": {"op": "==", "right": "local",
                   "left": {"fib": {"result": "type", "flags": "daddr"}}}},
        [match("fib daddr type", "local")],
    ),
    (
        {"match": {"op": "in", "left": {"ct": {"key": "mark"}}, "right": {"set": ["0x32", 7]}}},
        [match("ct mark", 0x32, 7)],
    ),
    (
        {"match": {"op": "==", "right": 10,
                   "left": {"payload": {"tunnel": "vxlan", "protocol": "vxlan", "field": "vni"}}}},
        [match("vxlan vni", 10)],
    ),
    ({"map": {"op": "add", "elem": {}, "data": {}, "map": "@m"}}, []),
    ({"tunnel": "t"}, [Opaque('{"tunnel":"t"}')]),
    ({"xt": None}, [Opaque('{"xt":null}')]),
    ({}, [Opaque("{}")]),
    (None, [Opaque("null")]),
    ({"match": {}}, [Opaque('{"match":{}}')]),
)  # fmt: skip


@pytest.mark.parametrize(("tree", "expected"), NEWER_JSON)
def test_json_of_other_versions(tree: object, expected: list[Step]) -> None:
    """libnftables-json(5) 1.1 has several operands in one object."""
    assert list(steps(Statement(tree), {})) == expected
