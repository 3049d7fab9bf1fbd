"""Rules of iptables, ip6tables and ebtables as steps."""

import pytest

from hopback.snapshot.rows import (
    Field,
    FilterRule,
    Mangle,
    Match,
    Nat,
    Notrack,
    Opaque,
    Span,
    Step,
    Unsure,
    Verdict,
)
from hopback.sources.parse import xtables
from tests.sources.parse.filter_rules import ACCEPT, DROP, RETURN, TCP, UDP, ip, is_, steps
from tests.sources.parse.given import listing, rows


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
        ("-g nova-inst --what 1", Opaque("-g nova-inst --what 1")),
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
