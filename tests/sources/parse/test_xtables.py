"""The listings of iptables, ip6tables, arptables and ebtables."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import (
    Field,
    FilterChain,
    FilterRule,
    Mangle,
    Match,
    Nat,
    Notrack,
    Opaque,
    Span,
    Step,
    Unread,
    Unsure,
    Verdict,
)
from hopback.sources.parse import xtables
from hopback.sources.parse.base import Parsed
from tests.sources.parse.given import listing, pasted, recorded, rows

ACCEPT, DROP, RETURN = Verdict("accept"), Verdict("drop"), Verdict("return")
UDP, TCP = Match((Field("meta l4proto"),), ((17,),)), Match((Field("meta l4proto"),), ((6,),))


def is_(key: str, *values: int | str | Span, op: str = "==", mask: int | None = None) -> Match:
    return Match((Field(key, mask),), tuple((value,) for value in values), op)  # type: ignore[arg-type]


def steps(rule: str, tool: str = "iptables") -> tuple[Step, ...]:
    """The steps of a rule of the chain FORWARD."""
    (row,) = rows(xtables.parse(listing(f"-A FORWARD {rule}", f"{tool} -S")), FilterRule)
    return row.steps


def chains(parsed: Parsed) -> dict[tuple[str, str], FilterChain]:
    return {(row.table, row.name): row for row in rows(parsed, FilterChain)}


def ip(text: str) -> int:
    first, second, third, fourth = map(int, text.split("."))
    return first << 24 | second << 16 | third << 8 | fourth


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("", ()),
        (
            "-s 10.0.0.5/32 -d 10.0.0.0/8",
            (
                is_("ip saddr", ip("10.0.0.5")),
                is_("ip daddr", Span(ip("10.0.0.0"), ip("10.255.255.255"))),
            ),
        ),
        ("-s 0.0.0.0/0 -p all", ()),
        ("! -d 10.0.0.1/255.0.0.255", (is_("ip daddr", ip("10.0.0.1"), op="!=", mask=0xFF0000FF),)),
        ("-i tap+ ! -o br0", (is_("meta iifname", "tap*"), is_("meta oifname", "br0", op="!="))),
        ("-i +", ()),
        ("-i ! br0", (is_("meta iifname", "br0", op="!="),)),
        (
            "-p udp -m udp --sport 68 --dport 67:68",
            (UDP, is_("udp sport", 68), is_("udp dport", Span(67, 68))),
        ),
        ("-p tcp --dport 22", (TCP, is_("tcp dport", 22))),
        (
            "-p tcp -m multiport ! --dports 22,80:90",
            (TCP, is_("tcp dport", 22, Span(80, 90), op="!=")),
        ),
        ("-p 112 -m sctp --dport 5", (is_("meta l4proto", 112), is_("th dport", 5))),
        ("-p tcp -m tcp --tcp-flags SYN,RST RST", (TCP, is_("tcp flags", 4, mask=6))),
        ("-p tcp ! --syn", (TCP, is_("tcp flags", 2, op="!=", mask=0x17))),
        ("-p icmp -m icmp --icmp-type echo-request", (is_("meta l4proto", 1), is_("icmp type", 8))),
        (
            "-p icmp -m icmp ! --icmp-type 3/4",
            (
                is_("meta l4proto", 1),
                Match((Field("icmp type"), Field("icmp code")), ((3, 4),), "!="),
            ),
        ),
        ("-p icmp -m icmp --icmp-type any", (is_("meta l4proto", 1),)),
        ("-f", (is_("ip frag-off", 0, op="!=", mask=0x1FFF),)),
        ("-m conntrack --ctstate RELATED,DNAT", (is_("ct state", "related", "dnat", op="has"),)),
        ("-m conntrack ! --ctstate DNAT", (is_("ct state", "dnat", op="lacks"),)),
        (
            "-m conntrack --ctstatus ASSURED --ctdir REPLY",
            (is_("ct status", "assured", op="has"), is_("ct direction", "reply")),
        ),
        (
            "-m conntrack --ctorigdst 192.0.2.1 --ctproto 6",
            (is_("ct original ip daddr", ip("192.0.2.1")), is_("ct original protocol", 6)),
        ),
        ("-m mac ! --mac-source 02:00:00:00:00:31", (is_("ether saddr", 0x020000000031, op="!="),)),
        ("-m mark --mark 0x1/0xff", (is_("meta mark", 1, mask=0xFF),)),
        ("-m connmark ! --mark 5", (is_("ct mark", 5, op="!="),)),
        (
            "-m addrtype ! --src-type LOCAL --limit-iface-in",
            (is_("fib saddr . iif type", "local", op="!="),),
        ),
        (
            "-m physdev --physdev-in tap+ --physdev-is-bridged",
            (is_("physdev in", "tap*"), is_("physdev out", "", op="!=")),
        ),
        ("-m physdev ! --physdev-is-in", (is_("physdev in", ""),)),
        ("-m pkttype --pkt-type unicast", (is_("meta pkttype", "host"),)),
        (
            "-m set ! --match-set loops src,dst",
            (Match((Field("src"), Field("dst")), (), "!=", "loops"),),
        ),
        ("-m length --length 100:", (is_("ip length", Span(100, 0xFFFF)),)),
        (
            "-m iprange --dst-range 10.0.0.1-10.0.0.9",
            (is_("ip daddr", Span(ip("10.0.0.1"), ip("10.0.0.9"))),),
        ),
        ("-m ttl --ttl-lt 2", (is_("ip ttl", 2, op="<"),)),
        (
            "-m dscp --dscp 0x2e -m tos --tos 0x10/0x3f",
            (is_("ip dscp", 46), is_("ip tos", 16, mask=0x3F)),
        ),
        ('-m comment --comment "-j DROP"', ()),
        (
            "-m limit --limit 5/sec -s 10.0.0.1",
            (is_("ip saddr", ip("10.0.0.1")), Unsure("-m limit --limit 5/sec")),
        ),
        ("-m u32 --u32 1=1 -m mark --mark 1", (is_("meta mark", 1), Opaque("-m u32 --u32 1=1"))),
        ("-p tcp --tcp-option 5", (TCP, Opaque("--tcp-option 5"))),
        ("-s host.example", (Opaque("-s host.example"),)),
    ],
)
def test_a_match(rule: str, expected: tuple[Step, ...]) -> None:
    assert steps(f"{rule} -j DROP") == (*expected, DROP)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("-j ACCEPT", ACCEPT),
        ("-j REJECT --reject-with tcp-reset", Verdict("reject")),
        ("-j NFQUEUE --queue-num 3 --queue-bypass", Verdict("queue")),
        ("-j nova-inst", Verdict("jump", "nova-inst")),
        ("-g nova-inst", Verdict("goto", "nova-inst")),
        ("-j DNAT --to-destination 10.0.0.5:80-90", Nat("dnat", ip("10.0.0.5"), Span(80, 90))),
        ("-j DNAT --to-destination :80 --random", Nat("dnat", None, 80)),
        (
            "-j SNAT --to-source 10.0.0.1-10.0.0.9",
            Nat("snat", Span(ip("10.0.0.1"), ip("10.0.0.9"))),
        ),
        ("-j MASQUERADE", Nat("masquerade")),
        ("-j REDIRECT --to-ports 53", Nat("redirect", None, 53)),
        ("-j MARK --set-xmark 0x1/0xff", Mangle("meta mark", 1, 0xFFFFFF00)),
        ("-j MARK --or-mark 0x4", Mangle("meta mark", 4, 0xFFFFFFFB)),
        ("-j MARK --and-mark 0x4", Mangle("meta mark", 0, 4)),
        (
            "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf0",
            Mangle("ct mark", 0, 0xFFFFFF0F, "meta mark", 0xFF),
        ),
        ("-j CONNMARK --restore-mark", Mangle("meta mark", 0, 0, "ct mark", 0xFFFFFFFF)),
        ("-j CT --notrack", Notrack()),
        ("-j NOTRACK", Notrack()),
        ("-j TTL --ttl-set 64", Mangle("ip ttl", 64)),
        ("-j TOS --set-tos 0x10/0x3f", Mangle("ip tos", 16, 0xC0)),
        ("-j TTL --ttl-dec 1", Opaque("-j TTL --ttl-dec 1")),
        ("-j CT --zone 5", Opaque("-j CT --zone 5")),
        ("-j TEE --gateway 10.0.0.9", Opaque("-j TEE --gateway 10.0.0.9")),
        ("-j NETMAP --to 10.9.0.0/16", Opaque("-j NETMAP --to 10.9.0.0/16")),
        (
            "-j DNAT --to-destination 10.0.0.5:80-90/5000",
            Opaque("-j DNAT --to-destination 10.0.0.5:80-90/5000"),
        ),
        ("-j ACCEPT --what 1", Opaque("-j ACCEPT --what 1")),
        ("-j", Opaque("-j")),
    ],
)
def test_a_target(target: str, expected: Step) -> None:
    assert steps(target) == (expected,)


@pytest.mark.parametrize("target", ["LOG --log-prefix x", "CHECKSUM --checksum-fill", "TRACE"])
def test_what_changes_nothing_is_left_out_but_can_be_found(target: str) -> None:
    (row,) = rows(xtables.parse(listing(f"-A FORWARD -j {target}", "iptables -S")), FilterRule)
    assert row.steps == ()
    assert row.text == f"-A FORWARD -j {target}"


def test_a_target_before_its_matches_takes_none_of_them() -> None:
    assert steps("-j DROP -m tcp --dport 22 -p tcp") == (is_("th dport", 22), TCP, DROP)


def test_ipv6() -> None:
    rule = "-s fd00::/64 -p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -j DROP"
    assert steps(rule, "ip6tables") == (
        is_("ip6 saddr", Span(0xFD00 << 112, (0xFD00 << 112) + 2**64 - 1)),
        is_("meta l4proto", 58),
        is_("icmpv6 type", 135),
        is_("ip6 hoplimit", 255),
        DROP,
    )
    assert steps("-m length --length 100", "ip6tables") == (is_("ip6 length", 60),)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "-p IPv4 --ip-src 10.0.0.5 --ip-proto udp --ip-dport 67",
            (
                is_("ether type", 0x0800),
                is_("ip saddr", ip("10.0.0.5")),
                is_("ip protocol", 17),
                is_("udp dport", 67),
            ),
        ),
        ("-s 52:54:0:aa:bb:1", (is_("ether saddr", 0x525400AABB01),)),
        ("-d ! Broadcast", (is_("ether daddr", 0xFFFFFFFFFFFF, op="!="),)),
        (
            "-d Multicast -s Unicast",
            (is_("ether daddr", 1 << 40, mask=1 << 40), is_("ether saddr", 0, mask=1 << 40)),
        ),
        (
            "-d 33:33:0:0:0:0/ff:ff:0:0:0:0",
            (is_("ether daddr", 0x333300000000, mask=0xFFFF00000000),),
        ),
        ("-d BGA", (is_("ether daddr", 0x0180C2000000),)),
        (
            "-p 802_1Q --vlan-id 5 --vlan-encap 0800",
            (is_("ether type", 0x8100), is_("vlan id", 5), is_("vlan type", 0x0800)),
        ),
        ("-p Length", (is_("ether type", 0x0600, op="<"),)),
        ("--logical-in br0", (is_("meta ibrname", "br0"),)),
        (
            "-p ARP --arp-op Request --arp-mac-src 02:00:00:00:00:31 --arp-ip-dst ! 10.0.0.0/8",
            (
                is_("ether type", 0x0806),
                is_("arp operation", 1),
                is_("arp saddr ether", 0x020000000031),
                is_("arp daddr ip", Span(ip("10.0.0.0"), ip("10.255.255.255")), op="!="),
            ),
        ),
        (
            "-p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type ! 135:136/0",
            (
                is_("ether type", 0x86DD),
                is_("meta l4proto", 58),
                Match((Field("icmpv6 type"), Field("icmpv6 code")), ((Span(135, 136), 0),), "!="),
            ),
        ),
        ("--mark /0xff", (is_("meta mark", 0xFF, op="has"),)),
        ("--mark ! 0x5/0xff", (is_("meta mark", 5, op="!=", mask=0xFF),)),
        ("--pkttype-type ! otherhost", (is_("meta pkttype", "otherhost", op="!="),)),
        (
            "--among-src 2:0:0:0:0:1,2:0:0:0:0:2",
            (is_("ether saddr", 0x020000000001, 0x020000000002),),
        ),
        ("--among-src 2:0:0:0:0:1=10.0.0.1", (Opaque("--among-src 2:0:0:0:0:1=10.0.0.1"),)),
        (
            "-d BGA --stp-type config",
            (is_("ether daddr", 0x0180C2000000), Opaque("--stp-type config")),
        ),
        ("--limit 5/min --limit-burst 3", (Unsure("--limit 5/min --limit-burst 3"),)),
        ('--log-level notice --log-prefix "a b" --log-ip', ()),
    ],
)
def test_a_bridge_rule(rule: str, expected: tuple[Step, ...]) -> None:
    assert steps(f"{rule} -j DROP", "ebtables") == (*expected, DROP)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("-j CONTINUE", ()),
        ("-j O-tap0", (Verdict("jump", "O-tap0"),)),
        ("-j mark --mark-or 0x5 --mark-target CONTINUE", (Mangle("meta mark", 5, 0xFFFFFFFA),)),
        ("-j mark --mark-set 0x5", (Mangle("meta mark", 5), ACCEPT)),
        (
            "-j dnat --to-dst 02:00:00:00:00:0a --dnat-target RETURN",
            (Mangle("ether daddr", 0x02000000000A), RETURN),
        ),
        (
            "-j snat --to-src 02:00:00:00:00:0a --snat-arp --snat-target ACCEPT",
            (
                Mangle("ether saddr", 0x02000000000A),
                Mangle("arp saddr ether", 0x02000000000A),
                ACCEPT,
            ),
        ),
        ("-j redirect", (Opaque("-j redirect"),)),
        (
            "-j arpreply --arpreply-mac 02:00:00:00:00:0b",
            (Opaque("-j arpreply --arpreply-mac 02:00:00:00:00:0b"),),
        ),
    ],
)
def test_a_bridge_target(target: str, expected: tuple[Step, ...]) -> None:
    assert steps(target, "ebtables") == expected


def test_arp() -> None:
    parsed = xtables.parse(recorded("xtables/arptables-nft-save.txt"))
    assert [row.steps for row in rows(parsed, FilterRule)] == [
        (
            is_("meta iifname", "br0"),
            is_("arp saddr ip", ip("10.0.0.5")),
            is_("arp saddr ether", parse_mac("02:00:00:00:00:31"), op="!="),
            is_("arp operation", 1),
            DROP,
        ),
        (Mangle("arp saddr ip", ip("10.0.0.9")), ACCEPT),
    ]
    policies = [(row.name, row.policy) for row in rows(parsed, FilterChain)]
    assert policies == [("INPUT", "drop"), ("OUTPUT", "accept")]


def without_text(parsed: Parsed) -> list[tuple[object, ...]]:
    """What the rules do, whichever listing tells it."""
    return [
        (row.table, row.chain, row.place, tuple(map(kind, row.steps)))
        for row in rows(parsed, FilterRule)
    ]


def kind(step: Step) -> Step | type[Step]:
    return type(step) if isinstance(step, Unsure | Opaque) else step


def test_every_listing_of_iptables_tells_the_same() -> None:
    saved = xtables.parse(recorded("xtables/iptables-nft-save-c.txt"))
    expected = without_text(saved)
    legacy = xtables.parse(recorded("xtables/iptables-legacy-save.txt"))
    assert sorted(without_text(legacy), key=repr) == sorted(expected, key=repr)
    filtered = [rule for rule in expected if rule[0] == "filter"]
    for name in ("iptables-nft-S.txt", "iptables-nft-vnL.txt"):
        parsed = xtables.parse(recorded(f"xtables/{name}"))
        assert sorted(without_text(parsed), key=repr) == sorted(filtered, key=repr)
        assert not parsed.problems
    nat = xtables.parse(recorded("xtables/iptables-nft-t-nat-nvxL.txt"))
    from_nat = [rule for rule in expected if rule[0] == "nat"]
    assert sorted(without_text(nat), key=repr) == sorted(from_nat, key=repr)
    assert not any(
        isinstance(step, Opaque) for row in rows(saved, FilterRule) for step in row.steps
    )


def test_chains_of_iptables() -> None:
    found = chains(xtables.parse(recorded("xtables/iptables-nft-save-c.txt")))
    assert {(row.backend, row.family) for row in found.values()} == {("nft", "ip")}
    assert {key: (row.kind, row.hook, row.priority, row.policy) for key, row in found.items()} == {
        ("raw", "PREROUTING"): ("filter", "prerouting", -300, "accept"),
        ("raw", "OUTPUT"): ("filter", "output", -300, "accept"),
        ("mangle", "PREROUTING"): ("filter", "prerouting", -150, "accept"),
        ("mangle", "INPUT"): ("filter", "input", -150, "accept"),
        ("mangle", "FORWARD"): ("filter", "forward", -150, "accept"),
        ("mangle", "OUTPUT"): ("route", "output", -150, "accept"),
        ("mangle", "POSTROUTING"): ("filter", "postrouting", -150, "accept"),
        ("nat", "PREROUTING"): ("nat", "prerouting", -100, "accept"),
        ("nat", "INPUT"): ("nat", "input", 100, "accept"),
        ("nat", "OUTPUT"): ("nat", "output", -100, "accept"),
        ("nat", "POSTROUTING"): ("nat", "postrouting", 100, "accept"),
        ("nat", "float-snat"): ("filter", None, None, "return"),
        ("nat", "nova-PREROUTING"): ("filter", None, None, "return"),
        ("nat", "nova-snat"): ("filter", None, None, "return"),
        ("filter", "INPUT"): ("filter", "input", 0, "accept"),
        ("filter", "FORWARD"): ("filter", "forward", 0, "drop"),
        ("filter", "OUTPUT"): ("filter", "output", 0, "accept"),
        ("filter", "nova-fallback"): ("filter", None, None, "return"),
        ("filter", "nova-inst"): ("filter", None, None, "return"),
    }
    assert all(row.whole for row in found.values())


def test_a_listing_without_devices_leaves_every_rule_open() -> None:
    parsed = xtables.parse(recorded("xtables/iptables-legacy-L.txt"))
    assert rows(parsed, FilterRule)
    for row in rows(parsed, FilterRule):
        assert row.backend == "legacy"
        assert isinstance(row.steps[0], Unsure)


def test_old_ip6tables_leaves_a_column_blank() -> None:
    text = """
        Chain FORWARD (policy ACCEPT 5 packets, 300 bytes)
         pkts bytes target     prot opt in     out     source               destination
           12  1248 ACCEPT     all      tap0   *       fe80::/10            ::/0
            1    72            icmpv6    *      !br0    ::/0                !fd00::1              ipv6-icmptype 135
    """  # noqa: E501
    parsed = xtables.parse(listing(text, "ip6tables -vnL"))
    first, second = rows(parsed, FilterRule)
    assert first.packets == 12
    assert first.steps[1:] == (is_("meta iifname", "tap0"), ACCEPT)
    assert second.steps == (
        is_("ip6 daddr", (0xFD00 << 112) + 1, op="!="),
        is_("meta oifname", "br0", op="!="),
        is_("meta l4proto", 58),
        is_("icmpv6 type", 135),
    )
    assert not parsed.problems


def test_counters() -> None:
    saved = listing("*filter\n:FORWARD ACCEPT [0:0]\n[5:300] -A FORWARD -j DROP\nCOMMIT")
    inside = listing("-P FORWARD ACCEPT -c 0 0\n-A FORWARD -i a -c 5 300 -j DROP", "iptables -vS")
    for text in (saved, inside):
        (row,) = rows(xtables.parse(text), FilterRule)
        assert row.packets == 5
    rounded = listing(
        """
        Chain FORWARD (policy ACCEPT 5 packets, 300 bytes)
         pkts bytes target     prot opt in     out     source               destination
         12K  1248K ACCEPT     all  --  tap0   *       0.0.0.0/0            0.0.0.0/0
        """,
        "iptables -vnL",
    )
    (row,) = rows(xtables.parse(rounded), FilterRule)
    assert row.packets is None


BRIDGE_CHAINS = {
    "PREROUTING": ("prerouting", -300, "accept", True),
    "OUTPUT": ("output", 100, "accept", True),
    "POSTROUTING": ("postrouting", 300, "accept", True),
}


def test_bridge_policies_are_what_save_says() -> None:
    saved = chains(xtables.parse(recorded("xtables/ebtables-nft-save-c.txt")))
    nat = {name: row for (table, name), row in saved.items() if table == "nat"}
    assert {name: (row.hook, row.priority, row.policy, row.whole) for name, row in nat.items()} == {
        **BRIDGE_CHAINS,
        "I-tap0": (None, None, "drop", True),
        "I-tap0-mac": (None, None, "return", True),
        "O-tap0": (None, None, "accept", True),
    }
    assert saved["filter", "OUTPUT"].priority == -200


def test_a_bridge_listing_of_nft_hides_its_chains_policies() -> None:
    saved = xtables.parse(recorded("xtables/ebtables-nft-save-c.txt"))
    listed = xtables.parse(recorded("xtables/ebtables-nft-t-nat-L.txt", "ebtables -t nat -L"))
    assert {row.backend for row in listed.rows if isinstance(row, FilterChain)} == {"nft"}
    whole = {name: row.whole for (_, name), row in chains(listed).items()}
    assert whole == {
        **dict.fromkeys(BRIDGE_CHAINS, True),
        **dict.fromkeys(("I-tap0", "I-tap0-mac", "O-tap0"), False),
    }
    nat = [rule for rule in without_text(saved) if rule[0] == "nat"]
    assert without_text(listed) == nat


def test_a_legacy_bridge_listing() -> None:
    parsed = xtables.parse(recorded("vm61-ebtables-legacy/ebtables-legacy-t-nat-L.txt"))
    found = chains(parsed)
    assert {row.backend for row in found.values()} == {"legacy"}
    assert found["nat", "O-vnet0-mac"].policy == "accept"
    assert found["nat", "O-vnet0-mac"].whole
    last = rows(parsed, FilterRule)[-1]
    assert (last.steps, last.packets) == ((is_("ether saddr", 0x525400AABB01), DROP), 1)
    assert not parsed.problems


def test_legacy_save_is_not_believed() -> None:
    parsed = xtables.parse(recorded("vm61-ebtables-legacy/ebtables-legacy-save.txt"))
    assert len(rows(parsed, Unread)) == 1
    assert not any(row.whole for row in rows(parsed, FilterChain))
    assert not rows(parsed, FilterRule)


def test_fewer_rules_than_announced() -> None:
    text = "Bridge table: nat\n\nBridge chain: PREROUTING, entries: 2, policy: ACCEPT\n-i a -j DROP"
    (row,) = rows(xtables.parse(listing(text)), FilterChain)
    assert not row.whole


def test_recorded_hypervisor_twice() -> None:
    saved = xtables.parse(recorded("libvirt/ebtables-save.txt"))
    listed = xtables.parse(recorded("libvirt/ebtables-t-nat-L.txt"))
    assert without_text(saved) == without_text(listed)
    assert chains(saved)["nat", "O-vnet8-mac"].policy == "accept"
    keys = {(row.backend, row.family, row.table) for row in rows(saved, FilterRule)}
    assert keys == {("nft", "bridge", "nat")}


@pytest.mark.parametrize(
    ("text", "command", "whole"),
    [
        ("-A FORWARD -i tap0 -j DROP", "iptables -S", False),
        ("-P FORWARD ACCEPT\n-A FORWARD -i tap0 -j DROP", "iptables -S", True),
        ("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -i tap0 -j DROP", "iptables-save", False),
        ("*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -i tap0 -j DROP\nCOMMIT", "", True),
        ("-P FORWARD ACCEPT\n[...]\n-A FORWARD -i tap0 -j DROP", "iptables -S", False),
    ],
)
def test_whether_a_chain_was_shown_whole(text: str, command: str, whole: bool) -> None:
    (row,) = rows(xtables.parse(pasted(text, command)), FilterChain)
    assert (row.name, row.whole) == ("FORWARD", whole)


@pytest.mark.parametrize(
    ("text", "command", "backend", "family"),
    [
        ("# Generated by iptables-save v1.8.9 (nf_tables) on x\n*nat\n", "", "nft", "ip"),
        ("# Generated by iptables-nft-save v1.8.9 (nf_tables) on x\n*nat\n", "", "nft", "ip"),
        ("# Generated by ip6tables-save v1.8.9 on x\n*nat\n", "", "legacy", "ip6"),
        ("*nat\n", "ip6tables-nft-save", "nft", "ip6"),
        ("*nat\n", "sudo iptables-save", "legacy", "ip"),
        ("*nat\n", "", "legacy", "ip"),
        (
            "# Warning: iptables-legacy tables present, use iptables-legacy to see them\n",
            "",
            "nft",
            "ip",
        ),
        ("# Generated by ebtables-save v1.8.9 (nf_tables) on x\n*nat\n", "", "nft", "bridge"),
    ],
)
def test_whose_table_it_is(text: str, command: str, backend: str, family: str) -> None:
    parsed = xtables.parse(pasted(text + ":PREROUTING ACCEPT [0:0]", command))
    (row,) = rows(parsed, FilterChain)
    assert (row.backend, row.family, row.name) == (backend, family, "PREROUTING")


def test_a_bridge_dump_without_header_shows_by_its_words() -> None:
    parsed = xtables.parse(pasted("*nat\n:I-x ACCEPT\n-A I-x -p IPv4 --ip-src 10.0.0.1 -j DROP"))
    assert {row.family for row in rows(parsed, FilterChain)} == {"bridge"}


def test_legacy_tables_beside_those_of_nft_are_missed() -> None:
    warning = "# Warning: iptables-legacy tables present, use iptables-legacy to see them"
    (row,) = xtables.parse(pasted(warning, "iptables -S")).rows
    assert isinstance(row, Unread)
    assert "iptables-legacy" in row.what


@pytest.mark.parametrize(
    ("command", "table"),
    [
        ("ip6tables -t nat -S | grep br0", "nat"),
        ("iptables --table=mangle -S", "mangle"),
        ("iptables -traw -S", "raw"),
        ("iptables -S", "filter"),
    ],
)
def test_table_is_in_the_command(command: str, table: str) -> None:
    (row,) = rows(xtables.parse(pasted("-A POSTROUTING -o br0 -j ACCEPT", command)), FilterRule)
    assert row.table == table


def test_tables_listed_under_one_command_cannot_be_told_apart() -> None:
    chain = "Chain FORWARD (policy ACCEPT)\ntarget     prot opt source               destination\n"
    parsed = xtables.parse(listing(chain + "\n" + chain, "iptables -L"))
    assert [problem.line for problem in parsed.problems] == [4]


def test_inserted_rules_come_first() -> None:
    text = """
        -P FORWARD ACCEPT
        -A FORWARD -i a
        -I FORWARD -i b
        -I FORWARD 2 -i c
    """
    found = rows(xtables.parse(listing(text)), FilterRule)
    assert {row.place: row.text[-1] for row in found} == {1: "b", 2: "c", 3: "a"}


@pytest.mark.parametrize(
    "line",
    [
        "iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied",
        "iptables v1.8.9 (nf_tables): table `filter' is incompatible, use 'nft' tool.",
        "sudo: iptables: command not found",
        "The kernel doesn't support the ebtables 'filter' table. Operation not permitted",
    ],
)
def test_error_message_is_a_problem(line: str) -> None:
    parsed = xtables.parse(pasted(line, "iptables -S"))
    assert not parsed.rows
    assert len(parsed.problems) == 1


def test_recorded_without_content() -> None:
    assert not xtables.parse(recorded("libvirt/iptables-save.txt")).rows


def test_many_rules() -> None:
    rule = "-A FORWARD -s 10.{}.{}.0/24 -i tap{} -p tcp -m tcp --dport 22 -m mark --mark 1 -j X"
    lines = [rule.format(n >> 8 & 255, n & 255, n) for n in range(50_000)]
    text = "\n".join(["*filter", ":FORWARD DROP [0:0]", *lines, "COMMIT"])
    parsed = xtables.parse(listing(text, "iptables-save"))
    found = rows(parsed, FilterRule)
    assert len(found) == 50_000
    assert not any(isinstance(step, Opaque) for row in found for step in row.steps)
