"""Where packet filters are hooked in, from every listing that shows them."""

import pytest

from hopback.snapshot.rows import PacketFilter
from hopback.sources.parse import packet_filter
from hopback.sources.parse.base import Parsed
from tests.sources.parse.given import listing, pasted, recorded, rows

Found = list[tuple[str, str, tuple[str, ...] | None]]


def found(parsed: Parsed) -> Found:
    return [(row.family, row.name, row.devices) for row in rows(parsed, PacketFilter)]


@pytest.mark.parametrize("name", ["nft-list-ruleset.txt", "nft-j-list-ruleset.json"])
def test_recorded_in_both_dialects(name: str) -> None:
    parsed = packet_filter.parse(recorded(f"libvirt/{name}"))
    assert sorted(found(parsed)) == [
        ("bridge", "nft bridge nat POSTROUTING", ("vnet8", "vnet9")),
        ("bridge", "nft bridge nat PREROUTING", ("vnet9",)),
    ]
    assert not parsed.problems


def test_recorded_without_content() -> None:
    assert not packet_filter.parse(recorded("libvirt/nft-list-ruleset.stderr")).rows


@pytest.mark.parametrize(
    "line",
    [
        "bash: nft: command not found",
        "netlink: Error: cache initialization failed: Operation not permitted",
    ],
)
def test_error_message_is_a_problem(line: str) -> None:
    parsed = packet_filter.parse(pasted(line, "nft list ruleset"))
    assert not parsed.rows
    assert len(parsed.problems) == 1


NFT = """
    table bridge guard {
    \tset taps {
    \t\ttype ifname
    \t\telements = { "tap1",
    \t\t\t     "tap2" }
    \t}
    \tchain forward {
    \t\ttype filter hook forward priority filter; policy accept;
    \t\t%s
    \t}
    \tchain quiet {
    \t\ttype filter hook input priority filter; policy accept;
    \t}
    }
"""


@pytest.mark.parametrize(
    ("rule", "devices"),
    [
        ('iifname "tap1" drop', ("tap1",)),
        ('meta oifname { "tap1", "tap2" } ether saddr 02:00:00:00:00:01 drop', ("tap1", "tap2")),
        ('iifname vmap { "tap1" : jump a, "tap2" : drop }', ("tap1", "tap2")),
        ('iifname { "tap1",\n\t\t\t"tap2" } drop', ("tap1", "tap2")),
        ('iifname != "tap1" drop', None),
        ('iifname "tap*" drop', None),
        ("iifname @taps drop", None),
        ("ether type arp drop", None),
    ],
)
def test_nft_rules(rule: str, devices: tuple[str, ...] | None) -> None:
    parsed = packet_filter.parse(listing(NFT % rule, "nft list ruleset"))
    assert found(parsed) == [("bridge", "nft bridge guard forward", devices)]
    assert parsed.rows[0].cite.line == 8
    assert not parsed.problems


def test_nft_netdev_chain_sees_only_its_device() -> None:
    text = """
        table netdev t {
            chain ingress {
                type filter hook ingress device "eth0" priority 0; policy drop;
                ether saddr 02:00:00:00:00:01 accept
            }
        }
    """
    assert found(packet_filter.parse(listing(text))) == [
        ("netdev", "nft netdev t ingress", ("eth0",))
    ]


def test_nft_chain_without_its_table() -> None:
    text = """
        chain fwd.eth0 {
                type filter hook forward priority filter; policy accept;
                iifname "vif0" ether saddr != 02:00:00:00:00:01 drop
                iifname "vif0" ip saddr 10.0.0.[...]
        }
    """
    assert found(packet_filter.parse(pasted(text, "nft list ruleset"))) == [
        ("bridge", "nft bridge fwd.eth0", ("vif0",))
    ]


def test_json_that_was_cut_is_one_problem() -> None:
    text = recorded("libvirt/nft-j-list-ruleset.json")
    parsed = packet_filter.parse(text._replace(lines=[text.lines[0][:500]]))
    assert not parsed.rows
    assert [problem.line for problem in parsed.problems] == [1]
