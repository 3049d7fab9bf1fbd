"""ipvs-arp-leak: what a real server says and takes."""

import pytest

from hopback.findings import Report
from tests.build import checks, listing, only, report

TABLE = ("-A -t 192.0.2.100:80 -s rr", "-a -t 192.0.2.100:80 -r 192.0.2.21:80 {way} -w 1")
LO = "    inet 192.0.2.100/32 scope global lo"
SETTINGS = "net.ipv4.conf.all.{0} = {1}", "net.ipv4.conf.eth0.{0} = {2}"


def director(way: str = "-g") -> str:
    return listing("ipvsadm -Sn", [line.format(way=way) for line in TABLE], "lvs")


def server(*, on_lo: bool = True, on_eth: bool = False) -> str:
    lines = ["1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN"]
    lines += ["    inet 127.0.0.1/8 scope host lo", *([LO] if on_lo else [])]
    lines += ["2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP"]
    lines += ["    link/ether 00:00:5e:00:53:21 brd ff:ff:ff:ff:ff:ff"]
    lines += ["    inet 192.0.2.21/24 scope global eth0"]
    lines += ["    inet 192.0.2.100/32 scope global eth0"] if on_eth else []
    return listing("ip addr show", lines, "web")


ROUTES = listing("ip route show table all", ["192.0.2.0/24 dev eth0 scope link"], "web")


def settings(ignore: tuple[int, int] = (0, 0), announce: tuple[int, int] = (0, 0)) -> str:
    lines = [
        line.format(name, *values)
        for name, values in (("arp_ignore", ignore), ("arp_announce", announce))
        for line in SETTINGS
    ]
    return listing("sysctl -a", lines, "web")


def given(*parts: str) -> Report:
    return report("".join(parts))


def test_it_answers() -> None:
    found = only(given(director(), server(), settings()), "ipvs-arp-leak")
    assert (found.subject, found.host) == ("192.0.2.100", "web")
    assert (found.details["kind"], found.details["device"]) == ("answers", "eth0")
    assert (found.confidence, found.details["arp_ignore"]) == ("certain", 0)


def test_settings_of_lo_say_nothing() -> None:
    on_lo = listing("sysctl -a", ["net.ipv4.conf.lo.arp_ignore = 1"], "web")
    found = only(given(director(), server(), settings(), on_lo), "ipvs-arp-leak")
    assert found.details["kind"] == "answers"


def test_nobody_showed_the_settings() -> None:
    shown = given(director(), server())
    found = only(shown, "ipvs-arp-leak")
    assert (found.severity, found.confidence) == ("info", "possible")
    assert any("arp_ignore" in step.command and step.host == "web" for step in shown.next)


@pytest.mark.parametrize("where", [(1, 0), (0, 1), (2, 0)])
def test_it_is_silent(where: tuple[int, int]) -> None:
    quiet = settings(where, (2, 0))
    assert "ipvs-arp-leak" not in checks(given(director(), server(), quiet))


def test_it_asks_with_the_virtual_address() -> None:
    found = only(given(director(), server(), settings((1, 0), (0, 0))), "ipvs-arp-leak")
    assert (found.details["kind"], found.details["arp_announce"]) == ("announces", 0)


def test_on_the_device_itself_nothing_helps() -> None:
    loud = server(on_lo=False, on_eth=True)
    found = only(given(director(), loud, settings((1, 1), (2, 2))), "ipvs-arp-leak")
    assert found.details["kind"] == "answers"


def test_arptables_keeps_the_question_away() -> None:
    rules = listing(
        "arptables-save", ["*filter", ":INPUT ACCEPT", "-A INPUT -j DROP -d 192.0.2.100"], "web"
    )
    found = [
        f
        for f in given(director(), server(), settings((0, 0), (2, 2)), rules).findings
        if f.check == "ipvs-arp-leak"
    ]
    assert found == []


def test_the_address_is_missing() -> None:
    off = listing("sysctl net.ipv4.ip_forward", ["net.ipv4.ip_forward = 0"], "web")
    found = only(given(director(), server(on_lo=False), ROUTES, off), "ipvs-arp-leak")
    assert (found.details["kind"], found.details["rule"]) == ("not-accepted", "ip-forwarding-off")


def test_the_address_is_there() -> None:
    assert "ipvs-arp-leak" not in checks(
        given(director(), server(), ROUTES, settings((1, 1), (2, 2)))
    )


def test_masquerading_does_not_need_it() -> None:
    assert "ipvs-arp-leak" not in checks(given(director("-m"), server(on_lo=False), ROUTES))
    assert "ipvs-arp-leak" not in checks(given(director("-m"), server(), settings()))


@pytest.mark.parametrize("interface", ["eth0", "eth1"])
def test_the_master_has_to_answer(interface: str) -> None:
    """On the device that the configuration names for the address, be it not the instance's."""
    config = f"""vrrp_instance VI_1 {{
        interface {interface}
        virtual_router_id 51
        virtual_ipaddress {{
            192.0.2.100/32 dev eth0
        }}
    }}"""
    keepalived = listing("cat /etc/keepalived/keepalived.conf", config.splitlines(), "web")
    master = server(on_lo=False, on_eth=True)
    assert "ipvs-arp-leak" not in checks(given(director(), master, keepalived, settings()))
