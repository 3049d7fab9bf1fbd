"""Random rules for iptables, ip6tables and ebtables, as their restore programs read them."""

import random
from collections.abc import Callable, Sequence

Draw = random.Random

_COMMON = """
-i v1 | -i tap+ | ! -i v2
-o v1 | ! -o tap+
-m mark --mark 0x1 | -m mark ! --mark 0x2/0xff
-m connmark --mark 0x1/0xf0
-m conntrack --ctstate RELATED,ESTABLISHED | -m conntrack ! --ctstate INVALID
-m conntrack --ctstate NEW,DNAT | -m conntrack --ctdir ORIGINAL | -m state ! --state NEW
-m conntrack --ctstatus ASSURED,SEEN_REPLY
-m mac --mac-source 02:00:00:00:00:01 | -m mac ! --mac-source 02:00:00:00:00:02
-m addrtype --dst-type LOCAL | -m addrtype --dst-type MULTICAST --limit-iface-in
-m addrtype ! --src-type UNICAST,LOCAL
-m physdev --physdev-in v1 | -m physdev --physdev-is-in
-m physdev ! --physdev-out v+ --physdev-is-bridged
-m pkttype --pkt-type broadcast | -m pkttype ! --pkt-type unicast
-m length --length 100:200 | -m length ! --length 40
-m dscp --dscp 0x10 | -m dscp ! --dscp 0x2e
-m comment --comment "a, b" | -m comment --comment x
-m limit --limit 5/min --limit-burst 3 | -m statistic --mode random --probability 0.5
-m u32 --u32 0x0&0xff=0x5
"""
_V4 = """
-s 10.0.0.1 | ! -s 10.0.0.0/8 | -s 10.0.0.0/255.0.255.0 | -s 0.0.0.0/1
-d 192.0.2.1 | -d 192.0.2.0/24 | ! -d 198.51.100.7
-m ttl --ttl-lt 5 | -m ttl ! --ttl-eq 1
-m iprange --src-range 10.0.0.1-10.0.0.9 | -m iprange ! --dst-range 10.0.0.1-10.0.0.2
-m conntrack --ctorigdst 192.0.2.1 | -m conntrack ! --ctreplsrc 10.0.0.1
-m tos --tos 0x10/0x3f
-f | ! -f
"""
_V6 = """
-s fd00::1 | ! -s fd00::/64 | -s fe80::/10
-d 2001:db8::/32 | ! -d 2001:db8::7
-m hl --hl-gt 5 | -m hl ! --hl-eq 255
-m iprange --dst-range fd00::1-fd00::9
"""
_PORTS = ("", "--sport 5", "! --dport 22", "--dport 80:90", "--sport 1024: --dport 53")
_TCP = (*_PORTS, "--syn", "! --tcp-flags SYN,RST RST", "--tcp-flags ALL NONE")
_MULTIPORT = ("-m multiport --dports 22,80:90", "-m multiport ! --sports 53")
_TARGETS = ("ACCEPT", "DROP", "RETURN", "REJECT", "U", 'LOG --log-prefix "a: "', "NFLOG", "")
_MARKS = (
    "MARK --set-mark 0x5", "MARK --set-xmark 0x5/0xff", "MARK --and-mark 0x4",
    "CONNMARK --save-mark", "CONNMARK --restore-mark --nfmask 0xff --ctmask 0xf0",
    "DSCP --set-dscp 16", "CONNMARK --set-xmark 0x1/0xff", "TEE --gateway {address}", "ACCEPT", "U",
)  # fmt: skip
_NAT = {
    "PREROUTING": "DNAT --to-destination {address} | DNAT --to-destination {bracketed}:80-90"
    " | REDIRECT --to-ports 53 | NETMAP --to {address} | RETURN",
    "POSTROUTING": "SNAT --to-source {address} | SNAT --to-source {range} | MASQUERADE"
    " | MASQUERADE --to-ports 80-90 | NETMAP --to {address}",
}


def _groups(text: str) -> list[list[str]]:
    """Of the choices on a line a rule has one at most."""
    return [line.split(" | ") for line in text.strip().splitlines()]


def ip_tables(draw: Draw, six: bool, rules: int = 12) -> str:
    """A dump for iptables-restore: the tables filter, mangle and nat."""
    lines = ["*filter", ":FORWARD DROP [0:0]", ":U - [0:0]"]
    lines += (
        f"-A FORWARD {_matches(draw, six)} {_target(draw, six, _TARGETS)}" for _ in range(rules)
    )
    lines += ["-A U -j RETURN", "COMMIT", "*mangle", ":U - [0:0]"]
    lines += (
        f"-A POSTROUTING {_matches(draw, six, output=True)} {_target(draw, six, _MARKS)}"
        for _ in range(rules // 2)
    )
    lines += ["COMMIT", "*nat"]
    for chain, targets in _NAT.items():
        lines += (
            f"-A {chain} -p tcp {_target(draw, six, targets.split(' | '))}"
            for _ in range(rules // 4)
        )
    return "\n".join([*lines, "COMMIT", ""])


def _matches(draw: Draw, six: bool, output: bool = False) -> str:
    pool = _groups(_COMMON) + _groups(_V6 if six else _V4)
    if output:  # no device that the packet came in by
        pool = [group for group in pool if not group[0].startswith(("-i", "-m mac", "-m addrtype"))]
    chosen = [draw.choice(group) for group in draw.sample(pool, draw.randint(0, 3))]
    return " ".join((_protocol(draw, six), *sorted(chosen, key=lambda one: one.startswith("-m"))))


def _protocol(draw: Draw, six: bool) -> str:
    icmp = "-p icmpv6 --icmpv6-type" if six else "-p icmp --icmp-type"
    kinds: Sequence[Callable[[], str]] = (
        lambda: "",
        lambda: f"-p tcp -m tcp {draw.choice(_TCP)}",
        lambda: f"-p udp -m udp {draw.choice(_PORTS)}",
        lambda: f"-p sctp -m sctp {draw.choice(_PORTS)}",
        lambda: f"-p {draw.choice(('tcp', 'udp'))} {draw.choice(_MULTIPORT)}",
        lambda: f"{icmp} {draw.choice(('128', '135', '1/4') if six else ('8', '3/4', '11'))}",
        lambda: draw.choice(("-p gre", "! -p tcp", "-p 112")),
    )
    return draw.choice(kinds)()


def _target(draw: Draw, six: bool, targets: Sequence[str]) -> str:
    target = draw.choice(targets)
    if not target:
        return ""
    if target == "U" and draw.random() < 0.3:
        return "-g U"
    return "-j " + target.format(
        address="fd00::5" if six else "10.0.0.5",
        bracketed="[fd00::5]" if six else "10.0.0.5",
        range="fd00::1-fd00::9" if six else "10.0.0.1-10.0.0.9",
    )


_BRIDGE = """
-i v1 | -i ! tap+
-s 02:00:00:00:00:01 | -s ! 02:00:00:00:00:00/ff:00:00:00:00:00 | -s Unicast
-d Broadcast | -d Multicast | -d ! BGA | -d 33:33:00:00:00:00/ff:ff:00:00:00:00
--mark 0x5 | --mark ! 0x5/0xff | --mark /0xff
--pkttype-type broadcast | --pkttype-type ! otherhost
--among-src 02:00:00:00:00:01,02:00:00:00:00:02
--limit 5/min --limit-burst 3
"""
_BRIDGED = (
    "", "", "-p 0x88b5", "-p ! IPv4", "-p Length", "-p 802_1Q --vlan-id 5",
    "-p IPv4 --ip-src 10.0.0.1 --ip-dst ! 10.0.0.0/8", "-p IPv4 --ip-proto udp --ip-dport 67:68",
    "-p IPv4 --ip-proto tcp --ip-sport ! 80", "-p IPv4 --ip-tos 0x10",
    "-p IPv4 --ip-proto icmp --ip-icmp-type echo-request",
    "-p IPv6 --ip6-src fd00::/64 --ip6-proto tcp --ip6-dport 22",
    "-p IPv6 --ip6-proto ipv6-icmp --ip6-icmp-type neighbour-solicitation",
    "-p ARP --arp-op Request --arp-ip-src 10.0.0.1", "-p ARP --arp-mac-src ! 02:00:00:00:00:01",
    "-p ARP --arp-op Reply --arp-ip-dst ! 10.0.0.0/8", "-p RARP", "-p ARP --arp-gratuitous",
)  # fmt: skip
_BRIDGE_TARGETS = (
    "ACCEPT", "DROP", "CONTINUE", "RETURN", "U", "V", "mark --mark-or 0x5 --mark-target CONTINUE",
    "mark --mark-set 0x7",
)  # fmt: skip


def bridge_commands(draw: Draw, rules: int = 16) -> list[str]:
    """Options for ebtables, one rule each, with chains of every policy."""
    made = ["-N U", "-N V -P RETURN", "-N W -P DROP"]
    for _ in range(rules):
        chosen = [draw.choice(group) for group in draw.sample(_groups(_BRIDGE), draw.randint(0, 2))]
        target = draw.choice(_BRIDGE_TARGETS)
        chain = "U" if target not in ("U", "V") and draw.random() < 0.3 else "FORWARD"
        target = "DROP" if target == "RETURN" and chain == "FORWARD" else target
        made.append(" ".join((f"-A {chain}", draw.choice(_BRIDGED), *chosen, f"-j {target}")))
    return made
