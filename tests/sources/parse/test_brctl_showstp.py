"""``brctl showstp``."""

from hopback.snapshot.rows import Bridge, BridgePort
from hopback.sources.parse import brctl_showstp
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def test_recorded() -> None:
    parsed = brctl_showstp.parse(recorded("libvirt/brctl-showstp.txt"))
    assert [facts(row) for row in rows(parsed, Bridge)] == [
        {
            "name": "vml-br",
            "bridge_id": "8000.fe5400770021",
            "forward_delay": 0,
            "ageing_time": 300_000_000_000,
            "topology_change": False,
        }
    ]
    ports = rows(parsed, BridgePort)
    assert [(port.name, port.number, port.hairpin) for port in ports] == [
        ("vnet7", 1, True),
        ("vnet8", 2, True),
        ("vnet9", 3, False),
    ]
    assert facts(ports[0]) == {
        "name": "vnet7",
        "bridge": "vml-br",
        "number": 1,
        "state": "forwarding",
        "hairpin": True,
        "cost": 2,
        "priority": 32,
    }
    assert not parsed.problems


def test_same_numbers_as_the_kernel_tells_elsewhere() -> None:
    ports = rows(brctl_showstp.parse(recorded("vm61-iproute/brctl-showstp-br0.txt")), BridgePort)
    assert {port.name: (port.number, port.state) for port in ports} == {
        "bond0": (4, "forwarding"),
        "tap0": (3, "disabled"),
        "v0": (1, "forwarding"),
        "vx": (2, "disabled"),
    }


def test_hairpin_nobody_speaks_of_is_unknown() -> None:
    parsed = brctl_showstp.parse(listing("eth0 (1)\n port id\t\t8001\t\t\tstate\t\t   blocking"))
    (port,) = rows(parsed, BridgePort)
    assert (port.state, port.hairpin, port.bridge) == ("blocking", None, None)


def test_paste_that_begins_below_the_name() -> None:
    parsed = brctl_showstp.parse(
        pasted(
            " bridge id\t\t8000.020000000021\n flags\t\t\tTOPOLOGY_CHANGE\n\neth0 (1)\n"
            " port id\t\t8001\t\t\tstate\t\t   learning\nthe state of things is bad\n",
            "brctl showstp br0",
        )
    )
    (bridge,) = rows(parsed, Bridge)
    assert (bridge.name, bridge.topology_change) == ("br0", True)
    (port,) = rows(parsed, BridgePort)
    assert (port.bridge, port.state) == ("br0", "learning")
    assert not parsed.problems


def test_stray_line() -> None:
    parsed = brctl_showstp.parse(listing("bridge br0 does not exist!"))
    assert [problem.line for problem in parsed.problems] == [1]


def test_shape() -> None:
    assert brctl_showstp.SHAPE is not None
    assert any(map(brctl_showstp.SHAPE.match, recorded("libvirt/brctl-showstp.txt").lines))
    for line in ("bridge id and so on", *recorded("libvirt/brctl-show.txt").lines):
        assert not brctl_showstp.SHAPE.match(line), line
