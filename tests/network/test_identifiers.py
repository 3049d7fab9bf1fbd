"""What an address tells of its interface."""

import pytest

from hopback.frames.build import link_local
from hopback.frames.mac import parse_mac
from hopback.network.identifiers import canonical, halves, is_random, mac_in

MAC = parse_mac("fa:16:3e:20:48:ad")


def test_the_mac_in_it() -> None:
    assert mac_in("2001:db8::f816:3eff:fe20:48ad") == MAC
    assert mac_in(str(link_local(MAC))) == MAC
    assert mac_in("2001:db8:blabla:f816:3eff:fe20:48ad") == MAC
    for other in ("fe80::a816:aeff:be53:d00d", "192.0.2.1", "", None, "nonsense"):
        assert mac_in(other) is None


@pytest.mark.parametrize(
    ("address", "drawn"),
    [
        ("2001:db8::cdb:467c:e1e6:7532", True),
        ("2001:db8:blabla:58eb:c65e:25e:b3c7", True),
        ("2001:db8::1", False),
        ("fd00::2:2:0:0:fe02", False),
        ("2001:db8::192:168:10:11", False),
        ("2001:db8::f816:3eff:fe20:48ad", False),
        ("192.0.2.1", False),
    ],
)
def test_random(address: str, drawn: bool) -> None:
    assert is_random(address) is drawn


def test_a_blanked_prefix_still_tells_two_apart() -> None:
    one, other = halves("2001:xx:1:2:3:4"), halves("2001:yy:1:2:3:4")
    assert one
    assert other
    assert one.identifier == other.identifier
    assert one.prefix != other.prefix
    assert halves("2001:xx::3:4") is None


def test_two_spellings() -> None:
    assert canonical("2001:DB8:0::1%eth0") == canonical("2001:db8::1") == "2001:db8::1"
    assert canonical("2001:db8:XX:1") == "2001:db8:xx:1"
