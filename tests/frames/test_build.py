"""Frames as a station would send them."""

import pytest

from hopback.frames.build import link_local
from hopback.frames.mac import parse_mac


@pytest.mark.parametrize(
    ("mac", "address"),
    [
        ("52:54:00:77:00:21", "fe80::5054:ff:fe77:21"),
        ("fa:16:3e:56:ea:fa", "fe80::f816:3eff:fe56:eafa"),
    ],
)
def test_the_link_local_address_is_that_of_the_mac(mac: str, address: str) -> None:
    assert str(link_local(parse_mac(mac))) == address
