"""``brctl show``."""

from hopback.snapshot.rows import Bridge, BridgePort
from hopback.sources.parse import brctl_show
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def test_recorded() -> None:
    parsed = brctl_show.parse(recorded("vm61-iproute/brctl-show.txt"))
    assert [facts(row) for row in rows(parsed, Bridge)] == [
        {"name": "br0", "bridge_id": "8000.2a20c0274f08", "stp": False}
    ]
    assert [facts(row) for row in rows(parsed, BridgePort)] == [
        {"name": name, "bridge": "br0"} for name in ("bond0", "tap0", "v0", "vx")
    ]
    assert [row.cite.line for row in rows(parsed, BridgePort)] == [2, 3, 4, 5]
    assert not parsed.problems


def test_single_blanks_of_a_paste() -> None:
    parsed = brctl_show.parse(
        pasted("""
            bridge name\tbridge id\tSTP enabled\tinterfaces
            brq01234567-89 8000.020000000086\tno bond0
            \t\t\t\t\ttap01234567-89
            [...]
            br-empty 8000.000000000000\tyes

            Good.
        """)
    )
    assert [(row.name, row.stp) for row in rows(parsed, Bridge)] == [
        ("brq01234567-89", False),
        ("br-empty", True),
    ]
    assert [(row.name, row.bridge) for row in rows(parsed, BridgePort)] == [
        ("bond0", "brq01234567-89"),
        ("tap01234567-89", "brq01234567-89"),
    ]
    assert not parsed.problems


def test_two_bridges_with_blanks_for_tabs() -> None:
    parsed = brctl_show.parse(
        listing("""
            bridge name     bridge id               STP enabled     interfaces
            cloud0          8000.0200a9fe08c6       no              vnet24
                                                                    vnet27
            cloudbr0                8000.020056b4a6ca       yes             ens192
                                                                    vnet25
        """)
    )
    assert [(row.bridge, row.name) for row in rows(parsed, BridgePort)] == [
        ("cloud0", "vnet24"),
        ("cloud0", "vnet27"),
        ("cloudbr0", "ens192"),
        ("cloudbr0", "vnet25"),
    ]


def test_what_brctl_could_not_show() -> None:
    parsed = brctl_show.parse(
        listing("""
            bridge name\tbridge id\t\tSTP enabled\tinterfaces
            br7\t\tcan't get info No such device
            bridge br8 does not exist!
            br9\t\t8000.xxxxxxxxxxxx\tno\t\teth0
        """)
    )
    assert [problem.line for problem in parsed.problems] == [2, 3, 4]
    assert [facts(row) for row in parsed.rows] == [
        {"name": "br9", "stp": False},
        {"name": "eth0", "bridge": "br9"},
    ]


def test_shape() -> None:
    assert brctl_show.SHAPE is not None
    for line in recorded("libvirt/brctl-show.txt").lines[:2]:
        assert brctl_show.SHAPE.match(line)
    assert not brctl_show.SHAPE.match("bridge name and bridge id are shown")
