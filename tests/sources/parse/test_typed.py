"""Typed commands as evidence of what they made."""

import pytest

from hopback.snapshot.rows import (
    Address,
    Bridge,
    BridgePort,
    IpvsServer,
    IpvsService,
    Link,
    Row,
    Sysctl,
    VlanDevice,
)
from hopback.snapshot.table import Cite
from hopback.sources.parse.commands import parse_commands
from hopback.sources.parse.typed import typed_rows

C = Cite(0, 1)


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        (
            "ip link add veth0 type veth peer name veth1",
            [
                Link(cite=C, name="veth0", kind="veth", lower="veth1"),
                Link(cite=C, name="veth1", kind="veth", lower="veth0"),
            ],
        ),
        (
            "ip link add name br0 type bridge stp_state 1",
            [Link(cite=C, name="br0", kind="bridge"), Bridge(cite=C, name="br0", stp=True)],
        ),
        (
            "ip link add link eth0 name eth0.10 type vlan id 10",
            [
                Link(cite=C, name="eth0.10", kind="vlan", lower="eth0"),
                VlanDevice(cite=C, name="eth0.10", vid=10, lower="eth0"),
            ],
        ),
        (
            "ip link set veth0 master br0 up",
            [
                Link(cite=C, name="veth0", up=True, master="br0"),
                BridgePort(cite=C, name="veth0", bridge="br0"),
            ],
        ),
        ("ip link set eth0 master bond0", [Link(cite=C, name="eth0", master="bond0")]),
        (
            "ip link set dev veth0 type bridge_slave hairpin on",
            [BridgePort(cite=C, name="veth0", hairpin=True)],
        ),
        (
            "bridge link set dev v0 hairpin off learning on",
            [BridgePort(cite=C, name="v0", hairpin=False, learning=True)],
        ),
        (
            "brctl addif br0 eth0 eth1",
            [
                BridgePort(cite=C, name="eth0", bridge="br0"),
                BridgePort(cite=C, name="eth1", bridge="br0"),
            ],
        ),
        ("brctl hairpin br0 v0 on", [BridgePort(cite=C, name="v0", bridge="br0", hairpin=True)]),
        ("brctl stp br0 off", [Bridge(cite=C, name="br0", stp=False)]),
        (
            "echo 1 > /sys/class/net/br0/brif/vnet0/hairpin_mode",
            [BridgePort(cite=C, name="vnet0", bridge="br0", hairpin=True)],
        ),
        (
            "echo 0 > /sys/class/net/vnet0/brport/hairpin_mode",
            [BridgePort(cite=C, name="vnet0", hairpin=False)],
        ),
        ("echo 1 > /proc/sys/net/a/b", [Sysctl(cite=C, key="net.a.b", value="1")]),
        ("sysctl -w net.a.b=1", [Sysctl(cite=C, key="net.a.b", value="1")]),
        (
            "ipvsadm -A -t 192.0.2.1:80 -s rr",
            [
                IpvsService(
                    cite=C,
                    protocol="tcp",
                    address="192.0.2.1",
                    port=80,
                    scheduler="rr",
                    persistent=0,
                )
            ],
        ),
        (
            "/sbin/ipvsadm -a -t 192.0.2.1:80 -r 192.0.2.2",
            [
                IpvsServer(
                    cite=C,
                    protocol="tcp",
                    address="192.0.2.1",
                    port=80,
                    server="192.0.2.2",
                    server_port=80,
                    method="route",
                    weight=1,
                )
            ],
        ),
        (
            "ip addr add 192.0.2.1/32 dev lo label lo:0",
            [Address(cite=C, dev="lo", address="192.0.2.1", prefix_len=32)],
        ),
        (
            "/sbin/ifconfig lo:0 192.0.2.1 broadcast 192.0.2.1 netmask 255.255.255.255 up",
            [Address(cite=C, dev="lo", address="192.0.2.1", prefix_len=32)],
        ),
        ("ifconfig eth0", []),
        ("ifconfig eth0 hw ether 02:00:00:00:00:01", []),
        ("ip addr add nowhere dev lo", []),
        ("ipvsadm -Ln -t 192.0.2.1:80", []),
        ("ipvsadm -D -t 192.0.2.1:80", []),
        ("ip link show", []),
        ("ip link add", []),
        ("ip link set", []),
        ("brctl addif br0", []),
        ("brctl hairpin br0 v0 maybe", []),
        ("ip link del br0", []),
    ],
)
def test_rows(line: str, rows: list[Row]) -> None:
    (command,) = parse_commands(line)
    assert list(typed_rows(command, C)) == rows


def test_namespace_goes_into_the_rows() -> None:
    (command,) = parse_commands("ip -n blue link set v0 master br0")
    assert {row.netns for row in typed_rows(command, C)} == {"blue"}
