"""The listings of iptables, ip6tables, arptables and ebtables."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import (
    FilterChain,
    FilterRule,
    Mangle,
    Opaque,
    Step,
    Unread,
    Unsure,
)
from hopback.sources.parse import xtables
from hopback.sources.parse.base import Parsed
from tests.sources.parse.filter_rules import ACCEPT, DROP, ip, is_
from tests.sources.parse.given import listing, pasted, recorded, rows


def chains(parsed: Parsed) -> dict[tuple[str, str], FilterChain]:
    return {(row.table, row.name): row for row in rows(parsed, FilterChain)}


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
