"""How much of a table a command shows."""

import pytest

from hopback.snapshot.rows import (
    Address,
    Bond,
    Bridge,
    BridgePort,
    Connection,
    Fdb,
    FilterRule,
    Link,
    PacketFilter,
    Route,
    Row,
    Sysctl,
    Tunnel,
    WireguardPeer,
)
from hopback.sources.parse.commands import parse_commands
from hopback.sources.parse.scope import ALL, PART, Scope, scope_of


@pytest.mark.parametrize(
    ("line", "kind", "scope"),
    [
        ("brctl showmacs br0", Fdb, Scope("br0")),
        ("brctl showmacs br0 | grep x", Fdb, Scope("br0", complete=False)),
        ("brctl show", BridgePort, ALL),
        ("brctl show br0", BridgePort, Scope("br0")),
        ("bridge fdb", Fdb, ALL),
        ("bridge -d fdb show", Fdb, ALL),
        ("bridge fdb show br br0", Fdb, Scope("br0")),
        ("bridge fdb show dev tap0", Fdb, PART),
        ("bridge fdb show brport tap0", Fdb, PART),
        ("bridge fdb show br br0 brport tap0", Fdb, PART),
        ("bridge -d link show", BridgePort, ALL),
        ("bridge link show dev tap0", BridgePort, PART),
        ("bridge -d link show master br0", BridgePort, Scope("br0")),
        ("ip -d link", Link, ALL),
        ("ip link show eth0", Link, Scope("eth0")),
        ("ip link show dev eth0", Link, Scope("eth0")),
        ("ip link show master br0", Link, PART),
        ("ip link show up", Link, PART),
        ("ip -d link show type bridge", Bridge, ALL),
        ("ip -d link show type bridge", Link, PART),
        ("ip tunnel show", Tunnel, PART),
        ("wg show", WireguardPeer, ALL),
        ("wg show all dump", WireguardPeer, ALL),
        ("wg show wg0 dump", WireguardPeer, Scope("wg0")),
        ("wg show wg0 peers", WireguardPeer, PART),
        ("wg show", Tunnel, PART),
        ("wg showconf wg0", WireguardPeer, PART),
        ("ip addr", Address, ALL),
        ("ip -6 addr", Address, PART),
        ("ip route", Route, PART),
        ("ip route show table all", Route, ALL),
        ("cat /proc/net/bonding/*", Bond, ALL),
        ("cat /proc/net/bonding/bond0", Bond, Scope("bond0")),
        ("nft list ruleset", PacketFilter, ALL),
        ("conntrack -L", Connection, PART),
        ("cat /proc/net/nf_conntrack", Connection, ALL),
        ("nft -j list ruleset", FilterRule, ALL),
        ("nft list ruleset | grep tap0", FilterRule, PART),
        ("nft list table bridge nat", FilterRule, PART),
        ("iptables-save", PacketFilter, PART),
        ("sysctl -a", Sysctl, ALL),
        ("sysctl net.ipv4.ip_forward", Sysctl, PART),
    ],
)
def test_scope(line: str, kind: type[Row], scope: Scope) -> None:
    assert scope_of(parse_commands(line)[0], kind) == scope
