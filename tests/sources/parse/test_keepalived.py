"""What keepalived is configured to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopback.snapshot.rows import IpvsServer, IpvsService, VrrpInstance
from hopback.sources.parse import keepalived
from hopback.sources.parse.base import Parsed
from tests.sources.parse.given import listing, pasted, recorded, rows


@pytest.fixture(scope="module")
def parsed() -> Parsed:
    return keepalived.parse(recorded("keepalived/keepalived.conf"))


def test_instances(parsed: Parsed) -> None:
    assert not parsed.problems
    first, second = rows(parsed, VrrpInstance)
    assert (first.name, first.dev, first.router_id, first.priority) == ("VI_1", "eth0", 51, 150)
    assert (first.state, second.state) == ("master", "backup")
    assert first.addresses == ("192.0.2.100", "192.0.2.101", "2001:db8::100")
    assert second.addresses == ("192.0.2.200",)
    assert (first.group, second.group) == ("G1", "G1")
    assert first.notify == ("/bin/true master", "/bin/true backup")
    assert [row.cite.line for row in (first, second)] == [23, 47]


def test_servers_of_a_service(parsed: Parsed) -> None:
    first, second, sorry = [row for row in rows(parsed, IpvsServer) if row.protocol == "udp"]
    assert (first.server, first.weight, first.method) == ("192.0.2.11", 0, "route")
    assert (second.method, second.tunnel, second.tunnel_port) == ("tunnel", "gue", 6080)
    assert (sorry.server, sorry.sorry, first.sorry) == ("192.0.2.13", True, False)
    assert all(row.configured for row in rows(parsed, IpvsServer))


def test_services(parsed: Parsed) -> None:
    services = rows(parsed, IpvsService)
    assert all(row.configured for row in services)
    assert [(s.protocol, s.address, s.port, s.mark) for s in services] == [
        ("udp", "192.0.2.100", 53, 0),
        ("tcp", "192.0.2.100", 80, 0),
        ("tcp", "192.0.2.101", 443, 0),
        ("tcp", "192.0.2.102", 443, 0),
        ("tcp", "192.0.2.103", 443, 0),
        ("fwmark", "", 0, 7),
        ("fwmark", "", 0, 9),
    ]
    assert services[0].flags == ("ops", "sh-port")
    assert (services[0].scheduler, services[1].scheduler) == ("sh", "wrr")
    assert (services[1].persistent, services[1].netmask) == (50, "255.255.255.0")
    assert [row.family for row in services[-2:]] == [4, 6]


def test_fills_no_table_of_the_kernel(parsed: Parsed) -> None:
    assert (VrrpInstance,) == keepalived.FILLS
    assert parsed.fills is None


def test_recorded() -> None:
    parsed = keepalived.parse(recorded("directors/split/b/keepalived.conf"))
    (instance,), (service,) = rows(parsed, VrrpInstance), rows(parsed, IpvsService)
    (server,) = rows(parsed, IpvsServer)
    assert (instance.priority, instance.addresses) == (90, ("192.0.2.100",))
    assert (service.protocol, service.port, service.scheduler) == ("udp", 5000, "rr")
    assert (server.server, server.method, server.cite.line) == ("192.0.2.11", "route", 21)


def test_several_statements_on_one_line() -> None:
    parsed = keepalived.parse(
        pasted(
            """
            vrrp_instance web { state MASTER interface eth0 virtual_router_id 1 priority 150 \
virtual_ipaddress { 192.0.2.100 } }
            virtual_server fwmark 4 { delay_loop 10  lb_algo rr  lb_kind DR  protocol TCP
              real_server 192.0.2.11 3306 { weight 1 MISC_CHECK {...} }
              real_server 192.0.2.12 3306 real_server 192.0.2.13 3306 }
            """,
            "cat keepalived.conf",
        )
    )
    (instance,) = rows(parsed, VrrpInstance)
    assert (instance.router_id, instance.addresses) == (1, ("192.0.2.100",))
    servers = rows(parsed, IpvsServer)
    assert [row.server for row in servers] == ["192.0.2.11", "192.0.2.12", "192.0.2.13"]
    assert {(row.mark, row.method) for row in servers} == {(4, "route")}


def test_nat_is_the_default() -> None:
    text = "virtual_server 192.0.2.1 80 {\n real_server 192.0.2.2 80 {\n }\n}"
    (server,) = rows(keepalived.parse(listing(text)), IpvsServer)
    assert (server.method, server.weight) == ("masq", 1)


def test_namespace_and_usual_interface() -> None:
    text = """
        global_defs {
            net_namespace blue
            default_interface eth9
        }
        vrrp_instance VI_1 {
            virtual_router_id 7
        }
    """
    (instance,) = rows(keepalived.parse(listing(text)), VrrpInstance)
    assert (instance.netns, instance.dev) == ("blue", "eth9")


def test_what_was_not_followed() -> None:
    text = """
        include /etc/keepalived/conf.d/*.conf
        vrrp_instance VI_1 {
            virtual_router_id 7
        @high  priority 170
        }
        vrrp_instance VI_2 {
            interface eth0
        }
        virtual_server frob 80 {
        }
        virtual_server 192.0.2.1 80 {
            real_server nowhere 80 {
    """
    parsed = keepalived.parse(listing(text, "cat /etc/keepalived/keepalived.conf"))
    assert [row.name for row in rows(parsed, VrrpInstance)] == ["VI_1"]
    assert [problem.line for problem in parsed.problems] == [1, 4, 11, 6, 9, 12]
    assert "conf.d" in parsed.problems[0].message


def test_nothing_shown() -> None:
    line = "cat: /etc/keepalived/keepalived.conf: No such file or directory"
    parsed = keepalived.parse(listing(line, "cat /etc/keepalived/keepalived.conf"))
    assert not parsed.rows
    assert len(parsed.problems) == 1


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("! Configuration File for keepalived", True),
        ("virtual_server fwmark 4 { delay_loop 10", True),
        ("virtual_server 192.0.2.1 80 {", True),
        ("    vrrp_instance VI_1 {", True),
        ("virtual_server blocks are what keepalived enters", False),
        ("vrrp_instance is the name of a block", False),
    ],
)
def test_shape(line: str, shape: bool) -> None:
    assert keepalived.SHAPE is not None
    assert bool(keepalived.SHAPE.match(line)) is shape


@given(comment=st.text(alphabet='ab "!#{}', max_size=20))
def test_comments_say_nothing(comment: str) -> None:
    text = f"vrrp_instance V {{\n virtual_router_id 7 # {comment}\n! {comment}\n priority 9\n}}"
    (instance,) = rows(keepalived.parse(listing(text)), VrrpInstance)
    assert (instance.router_id, instance.priority) == (7, 9)


@pytest.mark.parametrize("what", ['"', "$A", "{ ", "a#", "\\", "@x", "$A=$A$A$A\n$B=$A$A$A\n"])
def test_stays_linear(what: str) -> None:
    text = what * 20_000
    parsed = keepalived.parse(listing(text, "cat keepalived.conf"))
    assert not parsed.rows
