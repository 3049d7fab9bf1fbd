"""ipvs-misrouted: each reason, and its nearest look-alike."""

import pytest

from hopback.findings import Finding
from tests.build import listing, of, report

SERVICE = "-t 192.0.2.100:80"


def save(*servers: str, service: str = SERVICE) -> str:
    lines = [f"-A {service} -s rr", *(f"-a {service} -r {server}" for server in servers)]
    return listing("ipvsadm -Sn", lines, "lvs")


def addresses(*lines: str, host: str = "lvs") -> str:
    own = ("2: eth0    inet 192.0.2.11/24 scope global eth0",) if host == "lvs" else ()
    return listing("ip -o addr show", [*own, *lines], host)


VIP = "2: eth0    inet 192.0.2.100/32 scope global eth0"
HOST = addresses(VIP)


def found(*parts: str) -> list[Finding]:
    return of(report("".join(parts)), "ipvs-misrouted")


def reason(*parts: str) -> str | None:
    findings = found(*parts)
    return str(findings[0].details["reason"]) if findings else None


def test_a_server_in_its_place() -> None:
    assert reason(HOST, save("192.0.2.21:80 -g -w 1")) is None


def test_dr_to_another_subnet() -> None:
    (finding,) = found(HOST, save("192.0.2.21:80 -g -w 1", "198.51.100.21:80 -g -w 1"))
    assert (finding.details["reason"], finding.confidence) == ("segment", "likely")
    assert finding.details["servers"] == ["198.51.100.21"]


def test_a_link_route_makes_a_segment() -> None:
    route = listing("ip route show", ["198.51.100.0/24 dev eth1 scope link"], "lvs")
    assert reason(HOST, route, save("198.51.100.21:80 -g -w 1")) is None
    by = listing("ip route show", ["198.51.100.0/24 via 192.0.2.1 dev eth0"], "lvs")
    assert reason(HOST, by, save("198.51.100.21:80 -g -w 1")) == "segment"


def test_a_tunnel_reaches_everywhere() -> None:
    assert reason(HOST, save("198.51.100.21:80 -i -w 1")) is None


def test_addresses_nobody_showed() -> None:
    (finding,) = found(save("198.51.100.21:80 -g -w 1"))
    assert (finding.details["reason"], finding.confidence) == ("segment", "possible")
    assert reason(save("192.0.77.21:80 -g -w 1")) is None


WEB = addresses("2: eth0    inet 198.51.100.21/24 scope global eth0", host="web")
LEG = addresses(VIP, "3: eth1    inet 198.51.100.11/24 scope global eth1")
NAT = save("198.51.100.21:80 -m -w 1")


@pytest.mark.parametrize(("via", "expected"), [("1", "return-path"), ("11", None)])
def test_where_a_masqueraded_server_answers(via: str, expected: str | None) -> None:
    route = listing("ip route show", [f"default via 198.51.100.{via} dev eth0"], "web")
    assert reason(LEG, NAT, WEB, route) == expected


def test_clients_beside_a_masqueraded_server() -> None:
    (finding,) = found(HOST, save("192.0.2.21:80 -m -w 1"))
    assert (finding.details["reason"], finding.confidence) == ("return-path", "possible")


def test_translated_sources_come_back() -> None:
    rule = listing(
        "iptables -t nat -S POSTROUTING",
        ["-P POSTROUTING ACCEPT", "-A POSTROUTING -d 192.0.2.21/32 -j MASQUERADE"],
        "lvs",
    )
    assert reason(HOST, rule, save("192.0.2.21:80 -m -w 1")) is None


def test_no_server_has_a_weight() -> None:
    both = "192.0.2.21:80 -g -w 0", "192.0.2.22:80 -g -w 0"
    assert reason(HOST, save(*both)) == "weight"
    assert reason(HOST, save(both[0], "192.0.2.22:80 -g -w 1")) is None
    assert reason(HOST, save()) is None  # nobody entered any


def connection(server: str, state: str = "ESTABLISHED", port: int = 40000) -> str:
    head = "pro expire state       source             virtual            destination"
    row = f"TCP 14:50  {state} 192.0.2.99:{port} 192.0.2.100:80 {server}:80"
    return listing("ipvsadm -Lnc", ["IPVS connection entries", head, row], "lvs")


SERVERS = save("192.0.2.21:80 -g -w 1")


def test_a_connection_outlives_its_server() -> None:
    assert reason(HOST, SERVERS, connection("192.0.2.22")) == "gone-server"
    assert reason(HOST, SERVERS, connection("192.0.2.22", "NONE", 0)) == "gone-server"
    assert reason(HOST, SERVERS, connection("192.0.2.21")) is None
    assert reason(HOST, SERVERS, connection("192.0.2.22", "TIME_WAIT")) is None
    anew = listing("sysctl -a", ["net.ipv4.vs.expire_nodest_conn = 1"], "lvs")
    assert reason(HOST, SERVERS, connection("192.0.2.22"), anew) is None


def test_dr_keeps_the_port() -> None:
    assert reason(HOST, save("192.0.2.21:8080 -g -w 1")) == "port"
    assert reason(LEG, save("198.51.100.21:8080 -m -w 1")) is None


def marking(mark: int) -> str:
    rule = f"-A PREROUTING -d 192.0.2.100/32 -p tcp -j MARK --set-xmark {mark:#x}/0xffffffff"
    return listing("iptables -t mangle -S PREROUTING", ["-P PREROUTING ACCEPT", rule], "lvs")


def test_a_mark_that_no_rule_sets() -> None:
    marked = save("192.0.2.21:0 -g -w 1", service="-f 1")
    assert reason(HOST, marked, marking(8)) == "mark"
    assert reason(HOST, marked, marking(1)) is None
    assert reason(HOST, marked) is None


def test_an_address_that_is_nobodys() -> None:
    (finding,) = found(addresses(), SERVERS)
    assert (finding.details["reason"], finding.severity) == ("not-local", "info")
    elsewhere = addresses("2: eth0    inet 192.0.2.100/32 scope global eth0", host="peer")
    assert reason(addresses(), SERVERS, elsewhere) is None
    routed = listing("ip route show table local", ["local 192.0.2.100 dev lo"], "lvs")
    assert reason(addresses(), SERVERS, routed) is None


def test_a_guess_settles_nothing() -> None:
    assert report(addresses() + SERVERS).verdict == "undecided"
