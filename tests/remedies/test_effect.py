"""Is what a command makes there already?"""

import pytest

from hopback.findings import FixFile
from hopback.remedies.effect import in_place
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, patch
from hopback.snapshot.rows import FilterChain
from hopback.snapshot.table import Cite
from tests.build import BRIDGE, GUEST0, TUN, TWIN0, fdb, link, links, listing, pasted

PIN = f"bridge fdb replace {GUEST0} dev vnet0 master static sticky"
HAIRPIN = "bridge link set dev vnet0 hairpin off"


def there(command: str, *entries: str, hairpin: str = "on", netns: str = "") -> bool | None:
    listed = links(
        link(3, "br0", "0c:c4:7a:00:00:01", BRIDGE),
        link(4, "vnet0", TWIN0, TUN, master="br0", port=f"hairpin {hairpin}"),
        netns=netns,
    )
    table = fdb(*entries)
    (snapshot,) = pasted(
        listed + (table.replace("# ", f"# ip netns exec {netns} ") if netns else table)
    )
    return in_place((command,), (), snapshot)


@pytest.mark.parametrize(
    ("command", "entry", "holds"),
    [
        (PIN, f"{GUEST0} dev vnet0 master br0 sticky static", True),
        (PIN, f"{GUEST0} dev vnet0 master br0 static", False),
        (PIN, f"{GUEST0} dev vnet0 master br0", False),
        (PIN, f"{GUEST0} dev vnet1 master br0 sticky static", False),
        (PIN, f"{GUEST0} dev vnet0 vlan 7 master br0 sticky static", False),
        (f"{PIN} vlan 7", f"{GUEST0} dev vnet0 vlan 7 master br0 sticky static", True),
        (
            f"bridge -n red fdb replace {GUEST0} dev vnet0 master",
            f"{GUEST0} dev vnet0 master br0",
            False,
        ),
    ],
)
def test_an_entry(command: str, entry: str, holds: bool) -> None:
    assert there(command, entry) is holds


def test_a_flag() -> None:
    assert there(HAIRPIN, hairpin="off")
    assert not there(HAIRPIN, hairpin="on")
    assert not there("bridge link set dev vnet0 colour off")


@pytest.mark.parametrize("how", ["bridge -n red link", "ip netns exec red bridge link"])
def test_in_a_namespace(how: str) -> None:
    command = f"{how} set dev vnet0 hairpin off"
    assert there(command, hairpin="off", netns="red")
    assert not there(command, hairpin="off")


def test_what_cannot_be_told_is_not_said() -> None:
    (snapshot,) = pasted(links(link(3, "br0", "0c:c4:7a:00:00:01", BRIDGE)))
    unknown = "sysctl -w net.ipv4.ip_forward=0"
    assert in_place((unknown,), (), snapshot) is None
    assert in_place((unknown, HAIRPIN), (), snapshot) is False
    assert in_place((), (), snapshot) is None


RULESET = "table bridge hopback {\n\tchain out {\n\t}\n}\n"


@pytest.mark.parametrize(
    ("table", "ruleset", "holds"),
    [
        ("hopback", RULESET, True),
        ("hopback", f"create table bridge hopback\n{RULESET}", True),
        ("other", RULESET, False),
        ("hopback", RULESET + "table inet more { }", False),
        ("hopback-vnet7.2", "delete table bridge x\ntable bridge hopback-vnet7.2 {\n}\n", True),
        ("hopback", "", None),
    ],
)
def test_a_table(table: str, ruleset: str, holds: bool | None) -> None:
    chain = FilterChain(cite=Cite(0, 1), family="bridge", table=table, name="out")
    snapshot = patch(Snapshot(), (Add(chain),))
    given = FixFile("/run/x.nft", ruleset)
    assert in_place(("nft -f /run/x.nft",), (given,), snapshot) is holds
    inside = in_place(("ip netns exec red nft -f /run/x.nft",), (given,), snapshot)
    assert inside is (None if holds is None else False)


ROUTES = ("blackhole 198.51.100.0/24", "198.51.101.0/24 via 203.0.113.7 dev eth1")


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        ("ip route add blackhole 198.51.100.0/24", True),
        ("ip route add blackhole 198.51.101.0/24", False),
        ("ip route add blackhole 198.51.100.0/24 table 7", False),
        ("ip route del 198.51.101.0/24 via 203.0.113.7 dev eth1", False),
        ("ip route del 198.51.101.0/24 via 203.0.113.9 dev eth1", True),
        ("ip -n red route add blackhole 198.51.100.0/24", False),
    ],
)
def test_a_route(command: str, holds: bool) -> None:
    (snapshot,) = pasted(listing("ip route show table all", ROUTES))
    assert in_place((command,), (), snapshot) is holds


@pytest.mark.parametrize("dev", ["eth0", "eth1"])
def test_a_policy_rule(dev: str) -> None:
    rule = f"32765:\tfrom all to 198.51.100.0/24 iif {dev} blackhole"
    (snapshot,) = pasted(listing("ip rule show", [rule]))
    command = "ip rule add pref 32765 iif eth0 to 198.51.100.0/24 blackhole"
    assert in_place((command,), (), snapshot) is (dev == "eth0")
