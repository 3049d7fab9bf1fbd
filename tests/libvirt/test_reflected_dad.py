"""A QEMU guest of a real libvirt whose duplicate detection its own bridge port reflects."""

import os
from collections.abc import Iterator

import pytest

from tests.libvirt.host import MAC, Guest, LibvirtHost, absent, until

LINK_LOCAL = "fe80::5054:ff:fe77:21"

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif("HOPBACK_LIBVIRT" not in os.environ, reason="make test-libvirt runs it"),
]


@pytest.fixture
def host() -> Iterator[LibvirtHost]:
    assert absent() == []
    with LibvirtHost() as made:
        yield made


def reflected(host: LibvirtHost) -> Guest:
    """A guest whose address failed, because its port has hairpin on."""
    guest = host.start("vm1", lambda tap: ("bridge", "link", "set", "dev", tap, "hairpin", "on"))
    until(lambda: "dadfailed" in guest.run("ip -6 addr show dev eth0"), "the failure")
    return guest


def test_the_guest_hears_itself(host: LibvirtHost) -> None:
    guest = reflected(host)
    assert f"{LINK_LOCAL} used by {MAC} detected!" in guest.run("dmesg")
    told = host.hopback("check", "-j", "live")
    assert told.returncode == 1, told.stderr
