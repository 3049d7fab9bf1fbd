"""Directors made of the tables as they are listed."""

from ipaddress import ip_address

import pytest

from hopback.datapath.effects import Ask, Blind, Deliver
from hopback.datapath.ipvs.state import Director, Template
from hopback.datapath.model import Model
from hopback.datapath.skb import Tuple
from tests.build import listing, model
from tests.datapath.ipvs.given import OWN, OWN6, VIP, at, datagram, host, sent

SAVED = [f"-A -u {VIP}:5000 -s rr", f"-a -u {VIP}:5000 -r {OWN['b']}:5000 -g -w 1"]


def given(*listings: tuple[str, list[str]]) -> Model:
    return model(host() + "".join(listing(command, lines, "a") for command, lines in listings))


def director(found: Model) -> Director:
    return found.directors["a", ""]


def test_the_table_as_ipvsadm_prints_it() -> None:
    found = given(("ipvsadm -Sn", SAVED))
    assert director(found).complete
    assert sent(at(found, datagram())).why.rule == "ipvs-route"


def test_a_filtered_table_is_not_whole() -> None:
    assert not director(given(("ipvsadm -Sn | grep 5000", SAVED))).complete


def test_without_any_row_there_is_no_director() -> None:
    assert ("a", "") not in given(("ipvsadm -Sn", [])).directors


TABLE = [
    "IP Virtual Server version 1.2.1 (size=4096)",
    "Prot LocalAddress:Port Scheduler Flags",
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
    f"UDP  {VIP}:5000 rr persistent 300 mask 255.255.255.0",
    f"  -> {OWN['b']}:5000              Route   1      7          2",
]


CONFIGURED = [
    f"virtual_server {VIP} 5000 {{",
    "  lb_kind DR",
    "  protocol UDP",
    f"  sorry_server {OWN['a']} 5000",
    f"  real_server {OWN['b']} 5000 {{",
    "  }",
    "}",
]


def test_a_configuration_stands_in_and_its_sorry_server_is_for_worse_days() -> None:
    (service,) = director(given(("cat /etc/keepalived/keepalived.conf", CONFIGURED))).services
    assert [str(server.address) for server in service.servers] == [OWN["b"]]


def test_a_later_listing_adds_to_what_an_earlier_one_said() -> None:
    (service,) = director(given(("ipvsadm -Ln", TABLE), ("ipvsadm -Sn", SAVED))).services
    (server,) = service.servers
    assert (server.active, server.inactive, server.weight) == (7, 2, 1)
    assert len(server.refs) == 1


def test_persistence_and_its_netmask() -> None:
    (service,) = director(given(("ipvsadm -Ln", TABLE))).services
    assert service.client == 24
    assert str(service.of(ip_address("10.0.0.99"))) == "10.0.0.0/24"


CONNECTIONS = [
    "IPVS connection entries",
    "pro expire state       source             virtual            destination",
    f"UDP 04:51  UDP         10.0.0.99:7        {VIP}:5000    {OWN['b']}:5000",
    f"UDP 05:00  NONE        10.0.0.0:0         {VIP}:5000    {OWN['b']}:5000",
    f"IP  05:00  NONE        10.0.0.0:0         0.0.0.7:0          {OWN['b']}:0",
]


def test_connections_and_templates() -> None:
    found = director(given(("ipvsadm -Ln", TABLE), ("ipvsadm -Lnc", CONNECTIONS)))
    client, virtual, server = (ip_address(a) for a in ("10.0.0.99", VIP, OWN["b"]))
    begun = Tuple(17, client, virtual, 7, 5000)
    assert found.connections[begun].server == server
    assert found.answers[Tuple(17, server, client, 5000, 7)] == begun
    net = ip_address("10.0.0.0")
    assert set(found.templates) == {Template(17, net, VIP, 5000), Template(0, net, "0.0.0.7", 0)}
    assert found.followed


COUNTS = [
    "IP Virtual Server version 1.2.1 (size=4096)",
    "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes",
    "  -> RemoteAddress:Port",
    f"UDP  {VIP}:5000                      1       32        0     1376        0",
    f"  -> {OWN['b']}:5000                  1       32        0     1376        0",
]


def test_of_a_service_that_was_only_counted_nothing_is_pretended() -> None:
    found = given(("ipvsadm -Ln --stats", COUNTS))
    (effect,) = at(found, datagram())
    assert isinstance(effect, Blind)
    both = given(("ipvsadm -Ln --stats", COUNTS), ("ipvsadm -Ln", TABLE))
    assert sent(at(both, datagram())).why.rule == "ipvs-route"


def test_one_that_was_counted_by_a_name_leaves_the_table_whole() -> None:
    named = [line.replace(VIP, "web.example") for line in COUNTS]
    found = given(("ipvsadm -L --stats", named), ("ipvsadm -Ln", TABLE))
    assert (len(director(found).services), director(found).complete) == (1, True)


KEEPALIVED = [
    f"virtual_server {VIP} 5000 {{",
    "    lb_algo rr",
    "    lb_kind DR",
    "    protocol UDP",
    f"    real_server {OWN['b']} 5000 {{",
    "        weight 1",
    "    }",
    "}",
]


@pytest.mark.parametrize(("listed", "kept"), [(False, False), (True, True)])
def test_the_kernel_s_table_is_what_counts(listed: bool, kept: bool) -> None:
    configured = ("cat /etc/keepalived/keepalived.conf", KEEPALIVED)
    other = ("ipvsadm -Sn", [f"-A -u {VIP}:53 -s rr"])
    found = given(configured, other) if listed else given(configured)
    (effect,) = at(found, datagram())
    assert isinstance(effect, Deliver) == kept


@pytest.mark.parametrize(
    "words",
    [
        "-r web.example:53 -g",  # without -n
        "-r [fd00::12]:53 -m",
        "-r 10.0.0.12:53 -i --tun-type gue --tun-port 65536",
    ],
)
def test_of_a_server_that_ipvs_does_not_take_nothing_is_pretended(words: str) -> None:
    bad = [*SAVED, f"-A -u {VIP}:53 -s rr", f"-a -u {VIP}:53 {words} -w 1"]
    found = given(("ipvsadm -S", bad))
    first, second = director(found).services
    assert (len(first.servers), len(second.servers)) == (1, 0)
    assert (first.complete, second.complete) == (True, False)
    assert isinstance(at(found, datagram(port=53))[0], Blind)


@pytest.mark.parametrize(
    "line", ["-A -u web.example:53 -s rr", f"-A -u {VIP}:53 -s rr -p 300 -M 33"]
)
def test_a_service_that_is_not_understood_is_asked_for(line: str) -> None:
    found = given(("ipvsadm -S", [*SAVED, line]))
    assert len(director(found).services) == 1
    assert sent(at(found, datagram())).why.rule == "ipvs-route"
    assert isinstance(at(found, datagram(port=53))[0], Ask)


def test_a_server_of_the_other_family_is_behind_a_tunnel() -> None:
    lines = [SAVED[0], f"-a -u {VIP}:5000 -r [{OWN6['b']}]:5000 -i -w 1"]
    assert sent(at(given(("ipvsadm -Sn", lines)), datagram())).why.rule == "ipvs-tunnel"
