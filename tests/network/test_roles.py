"""What a port leads to, from its driver or its name."""

import pytest

from hopback.network.roles import base_device, role_of


@pytest.mark.parametrize(
    ("name", "kind", "role"),
    [
        ("tap0b5f208b-76", None, "guest"),
        ("vnet7", None, "guest"),
        ("anything", "tun", "guest"),
        ("vethab12cd3", "veth", "guest"),
        ("docker1a2b3c4", None, "guest"),  # what Synology calls a container's veth
        ("docker0", None, "unknown"),
        ("bond0.2222", None, "uplink"),
        ("enp3s0f1", None, "uplink"),
        ("eth0", "", "uplink"),
        ("wan", None, "uplink"),
        ("vxlan42", "vxlan", "uplink"),
        ("trunk0", "", "uplink"),
        ("eth0", "veth", "link"),
        ("trunk0", "veth", "link"),
        ("trunk0", None, "unknown"),
    ],
)
def test_roles(name: str, kind: str | None, role: str) -> None:
    assert role_of(name, kind) == role


@pytest.mark.parametrize(
    ("name", "base"),
    [("bond0.2222", "bond0"), ("bond0", "bond0"), ("a.b", "a.b"), ("eth0.1.2", "eth0.1")],
)
def test_the_device_below_a_vlan(name: str, base: str) -> None:
    assert base_device(name) == base
