"""Scripts that set a host up."""

import pytest

from hopback.snapshot.rows import Address, FilterChain, FilterRule, IpvsService, Sysctl
from hopback.sources.parse import shell_script, xtables
from tests.sources.parse.given import facts, listing, pasted, rows

GUARD = "-d 192.0.2.100/32 -p tcp -m mac ! --mac-source 02:00:00:00:00:12 -j MARK --set-mark 0x1"
SCRIPT = f"""
    #!/bin/sh
    VIP=192.0.2.100; # not an assignment alone
    VIP="192.0.2.100"   # the address
    echo 1 >/proc/sys/net/ipv4/conf/lo/arp_ignore
    sysctl -w net.ipv4.conf.all.arp_ignore=1
    /sbin/ifconfig lo:0 $VIP netmask 255.255.255.255 up
    ipvsadm -A -t ${{VIP}}:80 -s rr
    iptables -t mangle -I PREROUTING {GUARD}
    iptables -I PREROUTING -t mangle -s 192.0.2.1 -j ACCEPT
    ip6tables -w -A INPUT -p tcp -j DROP
    iptables -F
"""


def test_commands_that_set_something() -> None:
    parsed = shell_script.parse(listing(SCRIPT, "cat lvs.sh"))
    assert not parsed.problems
    assert [(s.key, s.value) for s in rows(parsed, Sysctl)] == [
        ("net.ipv4.conf.lo.arp_ignore", "1"),
        ("net.ipv4.conf.all.arp_ignore", "1"),
    ]
    (address,) = rows(parsed, Address)
    assert (address.dev, address.address, address.prefix_len) == ("lo", "192.0.2.100", 32)
    (service,) = rows(parsed, IpvsService)
    assert (service.address, service.cite.line) == ("192.0.2.100", 7)


def test_rules_are_those_of_a_listing() -> None:
    """In the order that ``-I`` gives them; of chains that may hold more."""
    parsed = shell_script.parse(listing(SCRIPT, "cat lvs.sh"))
    first, second, last = rows(parsed, FilterRule)
    assert (first.cite.line, second.cite.line, last.cite.line) == (9, 8, 10)
    assert (second.table, second.chain, last.family) == ("mangle", "PREROUTING", "ip6")
    shown = listing(f"-P PREROUTING ACCEPT\n-A PREROUTING {GUARD}", "iptables -t mangle -S")
    (listed,) = rows(xtables.parse(shown), FilterRule)
    assert second.steps == listed.steps
    assert not any(chain.whole for chain in rows(parsed, FilterChain))


def test_direct_rules_of_firewalld() -> None:
    text = f"ipv4 mangle PREROUTING 0 {GUARD}\nipv6 filter INPUT -5 -j DROP"
    parsed = shell_script.parse(pasted(text, "firewall-cmd --direct --get-all-rules"))
    first, second = rows(parsed, FilterRule)
    assert (first.family, first.table, first.chain) == ("ip", "mangle", "PREROUTING")
    assert (second.family, second.table, second.cite.line) == ("ip6", "filter", 2)


def test_what_the_script_does_not_set_stays_as_it_is() -> None:
    line = "iptables -t mangle -A PREROUTING -m mac ! --mac-source $MAC_B -j MARK --set-mark 3"
    (rule,) = rows(shell_script.parse(listing(line, "cat mark.sh")), FilterRule)
    assert "! --mac-source $MAC_B" in rule.text


@pytest.mark.parametrize(
    "branch", ['case "$1" in', "if true; then", "for i in 1 2", "start() {", "a && b", "a || b"]
)
def test_of_a_script_that_branches_nothing_is_read(branch: str) -> None:
    text = f"{branch}\necho 1 > /proc/sys/net/ipv4/ip_forward"
    assert not shell_script.parse(listing(text, "cat x.sh")).rows


def test_words_with_blanks_stay_together() -> None:
    line = "iptables -A INPUT -m comment --comment 'the \"other\" one' -j DROP"
    (rule,) = rows(shell_script.parse(listing(line, "cat x.sh")), FilterRule)
    assert facts(rule)["text"].endswith('--comment "the \\"other\\" one" -j DROP')
