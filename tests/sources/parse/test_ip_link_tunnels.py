"""VXLAN devices and macvlans in ``ip -d link``."""

import pytest

from hopback.snapshot.rows import Link, Vxlan
from hopback.sources.parse import ip_link
from hopback.sources.parse.base import Parsed
from tests.sources.parse.given import facts, pasted, recorded, rows

HEAD = "6: vx: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN\n"
MAC = "    link/ether 7e:11:b5:ae:a2:30 brd ff:ff:ff:ff:ff:ff promiscuity 0\n"


def said(details: str) -> Parsed:
    return ip_link.parse(pasted(HEAD + MAC + "    " + details))


def only(parsed: Parsed) -> dict[str, object]:
    (row,) = rows(parsed, Vxlan)
    return facts(row)


@pytest.mark.parametrize("name", ["ip-d-link.txt", "ip-d-j-link.json"])
def test_recorded(name: str) -> None:
    parsed = ip_link.parse(recorded(f"vm61-iproute/{name}"))
    assert only(parsed) == {
        "name": "vx",
        "vni": 7,
        "local": "10.0.0.1",
        "remote": "10.1.0.9",
        "group": "",
        "port": 4789,
        "learning": True,
        "proxy": False,
        "collect_metadata": False,
    }
    modes = {row.name: row.macvlan_mode for row in rows(parsed, Link)}
    assert {name: mode for name, mode in modes.items() if mode} == {"mv0": "vepa"}


def test_group_and_lower_device() -> None:
    told = only(said("vxlan id 8 group 239.1.1.1 dev d0 srcport 0 0 dstport 8472 nolearning ttl 5"))
    assert (told["vni"], told["port"], told["lower"]) == (8, 8472, "d0")
    assert (told["group"], told["remote"], told["local"]) == ("239.1.1.1", "", "")
    assert told["learning"] is False


def test_each_packet_brings_its_own_vni() -> None:
    told = only(said("vxlan external id 0 srcport 0 0 dstport 4790 nolearning ttl auto"))
    assert told["collect_metadata"] is True
    assert "vni" not in told


def test_proxy() -> None:
    told = only(said("vxlan id 9 remote 2001:db8::1 dstport 4789 proxy ttl auto ageing 300"))
    assert (told["remote"], told["proxy"], told["learning"]) == ("2001:db8::1", True, True)


def test_a_line_that_was_cut_does_not_tell_of_learning() -> None:
    assert "learning" not in only(said("vxlan id 9 remote 10.0.0.9 [...]"))


def test_addresses_of_ipv6_have_names_of_their_own_in_json() -> None:
    info = (
        '"linkinfo":{"info_kind":"vxlan","info_data":{"id":9,"remote6":"2001:db8::1",'
        '"local6":"2001:db8::2","link":"d0","port":4789,"learning":true,"proxy":true}}'
    )
    parsed = ip_link.parse(pasted(f'[{{"ifindex":7,"ifname":"vx","linkmode":"DEFAULT",{info}}}]'))
    told = only(parsed)
    assert (told["remote"], told["local"], told["lower"]) == ("2001:db8::1", "2001:db8::2", "d0")
    assert (told["port"], told["learning"], told["proxy"]) == (4789, True, True)


def test_mode_of_a_macvtap() -> None:
    parsed = ip_link.parse(
        pasted(
            "5: macvtap0@d0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP mode DEFAULT\n"
            + MAC
            + "    macvtap mode bridge bcqueuelen 1000 usedbcqueuelen 1000"
        )
    )
    (row,) = rows(parsed, Link)
    assert (row.kind, row.macvlan_mode, row.lower) == ("macvtap", "bridge", "d0")


def test_a_bond_has_a_mode_too() -> None:
    (row,) = rows(said("bond mode 802.3ad miimon 100"), Link)
    assert row.macvlan_mode is None
