"""Switches' words for a MAC on two ports."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import MacFlap
from hopback.sources.parse import mac_flap
from tests.sources.parse.given import listing, rows

LINES = (
    "Nov 20 10:11:12: %SW_MATM-4-MACFLAP_NOTIF: Host fa16.3e56.eafa in vlan 10 is flapping between"
    " port Gi1/0/1 and port Po2",
    "2026 Nov 20 10:11:12 sw %L2FM-4-L2FM_MAC_MOVE: Mac fa16.3e56.eafa in vlan 10 has moved from"
    " Gi1/0/1 to Po2",
    "Nov 20 10:11:12 leaf1 Ebra: %ETH-4-HOST_FLAPPING: Host fa:16:3e:56:ea:fa in VLAN 10 is"
    " flapping between interface Gi1/0/1 and interface Po2 (message repeated 5 times in 62 secs)",
    "2026 Nov 20 10:11:12 sw %L2FM-4-L2FM_MAC_MOVE2: Mac fa16.3e56.eafa in vlan 10 has moved"
    " between Gi1/0/1 to Po2",
    "%%01L2IFPPI/4/MFLPVLANALARM(l)[3]:OID 1.3.6.1 MAC move detected, VlanId = 10, MacAddress ="
    " fa16-3e56-eafa, Original-Port = Gi1/0/1, Flapping port = Po2. Please check the network.",
    "bridge0: mac address fa:16:3e:56:ea:fa vlan 10 moved from Gi1/0/1 to Po2",
)


@pytest.mark.parametrize("line", LINES)
def test_each_dialect(line: str) -> None:
    (row,) = rows(mac_flap.parse(listing(line)), MacFlap)
    assert (row.mac, row.vlan) == (parse_mac("fa:16:3e:56:ea:fa"), 10)
    assert (row.before, row.after) == ("Gi1/0/1", "Po2")
    assert row.flapping == ("moved from" not in line)
    assert mac_flap.SHAPE is not None
    assert mac_flap.SHAPE.match(line)


def test_other_lines_are_no_moves_and_no_problems() -> None:
    parsed = mac_flap.parse(listing("%LINK-3-UPDOWN: Interface Gi1/0/1, changed state to up"))
    assert (list(parsed.rows), list(parsed.problems)) == ([], [])
