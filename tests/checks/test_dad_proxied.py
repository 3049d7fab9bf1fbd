"""dad-proxied: a neighbour proxy answered the probe. What is said of Linux was tried on 6.18."""

import pytest

from tests.build import checks, dmesg, listing, only, report

NAME = "dad-proxied"
STATION, ROUTER = "02:00:00:00:0a:01", "02:00:00:00:0b:01"
UP = "<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP"
FAILED = f"IPv6: eth0: IPv6 duplicate address 2001:db8::11 used by {ROUTER} detected!"
OLD = "IPv6: eth0: IPv6 duplicate address 2001:db8::11 detected!"


def device(host: str, name: str, mac: str) -> str:
    lines = [f"2: {name}: {UP} mode DEFAULT", f"    link/ether {mac} brd ff:ff:ff:ff:ff:ff"]
    return listing("ip link show", lines, host)


def proxy(address: str = "2001:db8::11", host: str = "gw") -> str:
    return listing("ip -6 neigh show proxy", [f"{address} dev lan0  proxy"], host)


def settings(**values: int) -> str:
    lines = [f"net.ipv6.conf.{of}.{k} = {v}" for k, v in values.items() for of in ("all", "lan0")]
    return listing("sysctl -a", lines, "gw")


LOG = device("web1", "eth0", STATION) + dmesg(FAILED, host="web1")
BOTH = LOG + device("gw", "lan0", ROUTER)


def test_the_proxy_s_mac_is_the_one_in_the_log() -> None:
    given = report(BOTH + proxy() + settings(proxy_ndp=1, forwarding=1))
    finding = only(given, NAME)
    assert (finding.confidence, finding.details["mac"]) == ("certain", ROUTER)
    assert finding.details["proxy"] == "lan0 of gw"
    assert checks(given) == {NAME}
    assert given.verdict == "clear"


def test_an_old_kernel_names_nobody_but_the_entry_is_there() -> None:
    text = dmesg(OLD, host="web1") + proxy()
    assert only(report(text), NAME).confidence == "likely"
    assert only(report(text + settings(proxy_ndp=1)), NAME).confidence == "certain"


@pytest.mark.parametrize(
    "text",
    [
        BOTH,
        BOTH + proxy("2001:db8::12"),
        BOTH + proxy() + settings(proxy_ndp=0),
        BOTH + proxy() + settings(proxy_ndp=1, forwarding=0),
        BOTH.replace(f"used by {ROUTER}", "used by 02:00:00:00:0c:01") + proxy(),
        LOG + proxy(host="web1"),
    ],
    ids=["none", "for another", "off", "no router", "another's MAC", "its own"],
)
def test_a_proxy_that_cannot_have_answered(text: str) -> None:
    assert NAME not in checks(report(text))
