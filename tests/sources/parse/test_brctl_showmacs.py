"""``brctl showmacs``."""

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Fdb
from hopback.sources.parse import brctl_showmacs
from tests.sources.parse.given import listing, pasted, recorded, rows


def test_recorded() -> None:
    parsed = brctl_showmacs.parse(recorded("libvirt/brctl-showmacs.txt", "brctl showmacs vml-br"))
    found = rows(parsed, Fdb)
    assert [(row.port, row.local, row.age) for row in found] == [
        (1, False, 290_000_000),
        (2, False, 3_940_000_000),
        (3, False, 590_000_000),
        (1, True, 0),
        (2, True, 0),
        (3, True, 0),
    ]
    assert found[0].mac == parse_mac("52:54:00:77:00:21")
    assert {(row.bridge, row.dev) for row in found} == {("vml-br", None)}
    assert not parsed.problems


def test_bridge_is_in_the_name_of_the_file() -> None:
    parsed = brctl_showmacs.parse(recorded("vm61-iproute/brctl-showmacs-br0.txt"))
    assert {row.bridge for row in rows(parsed, Fdb)} == {"br0"}
    assert len(parsed.rows) == 29


def test_paste_with_prose() -> None:
    parsed = brctl_showmacs.parse(
        pasted("""
            port no\tmac addr\tis local? ageing timer
              6\tfe:00:00:56:ea:fa\tyes\t  0.00
              1\tfa:00:00:56:ea:fa\tno\t  1.35
            The key is that both are on the same port (6).
        """)
    )
    found = rows(parsed, Fdb)
    assert [(row.port, row.bridge, row.age) for row in found] == [
        (6, None, 0),
        (1, None, 1_350_000_000),
    ]
    assert not parsed.problems


def test_damage() -> None:
    parsed = brctl_showmacs.parse(
        listing("""
            port no\tmac addr\t\tis local?\tageing timer
              1\t02:00:00:00:00:01\tno\t\t   0.
              1\t02:00:00:00:00:02\tno
              1\t02:00:00:00:00:03
              2\t02:00:00:##:##:##\tno\t\t   0.10
              99999\t02:00:00:00:00:04\tno\t\t   0.10
            read of forward table failed: No such device
        """)
    )
    assert [(row.mac & 0xFF, row.age) for row in rows(parsed, Fdb)] == [(1, 0), (2, None)]
    assert [problem.line for problem in parsed.problems] == [4, 5, 6, 7]


def test_shape() -> None:
    assert brctl_showmacs.SHAPE is not None
    for line in recorded("libvirt/brctl-showmacs.txt").lines:
        assert brctl_showmacs.SHAPE.match(line)
    assert not brctl_showmacs.SHAPE.match("port no 1 is the uplink")
