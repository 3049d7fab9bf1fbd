"""weak-host-arp: an interface answers for another's address. Tried on 6.18: probes too."""

import pytest

from hopback.findings import Report
from tests.build import checks, dmesg, listing, only, report

NAME = "weak-host-arp"
ON_B0, ON_D0, OTHER = "02:00:00:00:0b:01", "02:00:00:00:0d:01", "02:00:00:00:0e:01"
UP = "<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP"


def host(second: str = ON_D0) -> str:
    lines = [
        f"2: b0: {UP}",
        f"    link/ether {ON_B0} brd ff:ff:ff:ff:ff:ff",
        "    inet 10.0.0.1/24 scope global b0",
        f"3: d0: {UP}",
        f"    link/ether {second} brd ff:ff:ff:ff:ff:ff",
        "    inet 192.0.2.1/24 scope global d0",
    ]
    return listing("ip addr show", lines, "gw")


def asked(mac: str = ON_B0, address: str = "192.0.2.1") -> str:
    lines = [
        f"ARPING {address} from 192.0.2.9 eth0",
        f"Unicast reply from {address} [{mac}]  0.5ms",
    ]
    return listing(f"arping -I eth0 {address}", lines, "web1")


def arp_ignore(**values: int) -> str:
    lines = [f"net.ipv4.conf.{of}.arp_ignore = {value}" for of, value in values.items()]
    return listing("sysctl -a", lines, "gw")


def test_an_answer_from_the_other_interface() -> None:
    given = report(host() + asked())
    finding = only(given, NAME)
    assert finding.subject == "192.0.2.1"
    assert (finding.details["answered_by"], finding.details["holder"]) == ("b0", "d0")
    assert (finding.evidence, finding.confidence) == ("observed", "certain")
    assert any("arp_ignore" in step.command for step in given.next)


def test_a_neighbour_table_tells_it_too() -> None:
    table = listing("ip neigh", [f"192.0.2.1 dev eth0 lladdr {ON_B0} STALE"], "web1")
    assert only(report(host() + table), NAME).evidence == "reported"


def test_it_refuses_the_address_to_another() -> None:
    message = (
        f"NetworkManager[7]: <warn>  [1.0] device (eth0): IP address 192.0.2.1 cannot be configured"
        f" because it is already in use in the network by host {ON_B0}"
    )
    link = listing(
        "ip link", [f"2: eth0: {UP}", f"    link/ether {OTHER} brd ff:ff:ff:ff:ff:ff"], "web1"
    )
    given = report(host() + link + dmesg(message, host="web1"))
    assert checks(given) == {NAME}


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"all": 0, "b0": 0}, True),
        ({"d0": 1}, True),
        ({"all": 1}, False),
        ({"b0": 2}, False),
        ({"b0": 3}, True),
    ],
)
def test_the_setting_of_the_interface_that_answers_counts(
    told: dict[str, int], found: bool
) -> None:
    assert (NAME in checks(report(host() + asked() + arp_ignore(**told)))) is found


@pytest.mark.parametrize(
    "given",
    [
        report(host() + asked(ON_D0)),
        report(host() + asked(OTHER)),
        report(host(second=ON_B0) + asked()),
        report(host() + asked(address="10.0.0.1")),
        report(host()),
    ],
    ids=[
        "its own interface",
        "another host",
        "one MAC for both",
        "its own address",
        "nobody asked",
    ],
)
def test_nothing_strange(given: Report) -> None:
    assert NAME not in checks(given)
