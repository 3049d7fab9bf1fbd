"""Policy rules read from the words of ``ip rule``, and what they fit."""

from ipaddress import ip_address, ip_network

import pytest

from hopback.datapath.ip.key import Key
from hopback.datapath.ip.policy import L3MDEV, Policy, fits, policy_of
from hopback.network.facts import Ref
from hopback.snapshot.rows import Rule
from hopback.snapshot.table import Cite

AT = Cite(0, 1)
KEY = Key(ip_address("192.0.2.1"), ip_address("198.51.100.7"), protocol=6, source_port=80)


def rule(selector: str, action: str = "lookup main", priority: int = 5) -> Policy:
    row = Rule(cite=AT, priority=priority, family=4, selector=selector, action=action)
    return policy_of(row, Ref("kvm1", AT))


def test_every_selector_is_read() -> None:
    words = "not from 10.0.0.0/8 to 192.0.2.1 tos 0x10 fwmark 0x1/0xff iif eth0 [detached] oif eth1"
    found = rule(f"{words} uidrange 0-99 ipproto tcp sport 80 dport 5000-5010")
    assert not found.unread
    assert found.inverted
    assert found.source == ip_network("10.0.0.0/8")
    assert found.target == ip_network("192.0.2.1/32")
    assert (found.tos, found.mark, found.mask, found.iif, found.oif) == (16, 1, 255, "eth0", "eth1")
    assert (found.uids, found.protocol) == ((0, 99), 6)
    assert (found.source_ports, found.target_ports) == ((80, 80), (5000, 5010))


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("lookup 100 suppress_prefixlength 0", ("lookup", "100", None, 0)),
        ("goto 32766 [unresolved]", ("goto", "", 32766, -1)),
        ("nop", ("nop", "", None, -1)),
        ("blackhole", ("blackhole", "", None, -1)),
        ("prohibit", ("prohibit", "", None, -1)),
        ("unreachable", ("unreachable", "", None, -1)),
    ],
)
def test_every_action_is_read(action: str, wanted: tuple[object, ...]) -> None:
    found = rule("from all", action)
    assert not found.unread
    assert (found.action, found.table, found.goto, found.longer) == wanted


@pytest.mark.parametrize("selector", ["from all tun_id 5", "from all tos lowdelay", "from all tos"])
def test_what_is_not_understood_decides_nothing(selector: str) -> None:
    assert rule(selector).unread
    assert fits(rule(selector), KEY) is None
    assert fits(rule(f"{selector} to 203.0.113.9".replace("tos to", "tos 0x10 to")), KEY) is False


@pytest.mark.parametrize(
    ("selector", "fitting"),
    [
        ("from all", True),
        ("from 198.51.100.0/24", True),
        ("from 198.51.101.0/24", False),
        ("not from 198.51.101.0/24", True),
        ("not from all", False),
        ("from all to 192.0.2.0/24 ipproto tcp sport 80-90", True),
        ("from all ipproto udp", False),
        ("from all dport 1-9", False),
        ("from all fwmark 0/0x1", True),
        ("from all fwmark 0x1", False),
        ("from all iif lo", True),
        ("from all iif eth0", False),
        ("from all uidrange 1-5", False),
    ],
)
def test_what_rules_fit(selector: str, fitting: bool) -> None:
    assert fits(rule(selector), KEY) is fitting


def test_nobody_knows_the_user_of_a_program() -> None:
    unknown = Key(KEY.target, KEY.source, uid=None)
    assert fits(rule("from all uidrange 0-0"), unknown) is None
    assert fits(rule("from all"), unknown) is True


def test_a_packet_in_no_vrf_is_in_no_vrfs_table() -> None:
    found = rule("from all", f"lookup {L3MDEV}")
    assert fits(found, KEY) is False
    assert fits(found, KEY, in_vrf=True) is True
