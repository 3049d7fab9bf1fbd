"""IPVS tables: what ipvsadm prints, and the kernel's own files."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopback.snapshot.rows import (
    IpvsConnection,
    IpvsCount,
    IpvsDaemon,
    IpvsServer,
    IpvsService,
    KernelCounter,
    Row,
)
from hopback.sources.parse import ipvs
from hopback.sources.parse.base import Parsed
from tests.sources.parse.given import facts, listing, pasted, recorded, rows

HTTPS = {"protocol": "tcp", "address": "10.0.0.100", "port": 443}
DNS = {"protocol": "udp", "address": "10.0.0.100", "port": 5000}
SIX = {"protocol": "udp", "family": 6, "address": "fd00::100", "port": 5000}
MARK = {"protocol": "fwmark", "mark": 7}
SERVICES = (
    {**HTTPS, "scheduler": "wlc", "persistent": 300},
    {**DNS, "scheduler": "rr", "persistent": 0},
    {**SIX, "scheduler": "rr", "persistent": 0},
    {**MARK, "scheduler": "sh", "persistent": 0},
)
SERVERS = (
    {**HTTPS, "server": "10.0.0.11", "server_port": 443, "method": "tunnel", "weight": 0},
    {**HTTPS, "server": "10.0.0.12", "server_port": 443, "method": "masq", "weight": 5},
    {**DNS, "server": "10.0.0.12", "server_port": 5000, "method": "route", "weight": 1},
    {**SIX, "server": "fd00::12", "server_port": 5000, "method": "route", "weight": 1},
    {**MARK, "server": "10.0.0.12", "server_port": 0, "method": "route", "weight": 1},
)


def agree(row: Row, told: dict[str, Any]) -> bool:
    return told.items() <= facts(row).items()


def the(parsed: Parsed, kind: type[Row]) -> dict[str, Any]:
    (row,) = rows(parsed, kind)
    return facts(row)


@pytest.mark.parametrize("name", ["ipvsadm-Ln.txt", "ipvsadm-Sn.txt", "proc-net-ip_vs.txt"])
def test_the_same_table_in_three_forms(name: str) -> None:
    parsed = ipvs.parse(recorded(f"vm61-director-a/{name}"))
    assert not parsed.problems
    assert set(parsed.fills or ()) == {IpvsService, IpvsServer}
    services, servers = rows(parsed, IpvsService), rows(parsed, IpvsServer)
    if name.startswith("proc"):  # the time is in ticks there
        assert "persistent" in {flag for service in services for flag in service.flags}
        wanted = [{**told, "persistent": told["persistent"] or None} for told in SERVICES]
        wanted = [{k: v for k, v in told.items() if k != "persistent" or v == 0} for told in wanted]
    else:
        wanted = list(SERVICES)
    assert len(services) == len(SERVICES)
    assert all(any(agree(row, told) for row in services) for told in wanted)
    assert len(servers) == len(SERVERS)
    assert all(any(agree(row, told) for row in servers) for told in SERVERS)


def test_cites_its_line() -> None:
    parsed = ipvs.parse(recorded("vm61-director-a/ipvsadm-Ln.txt"))
    assert [row.cite.line for row in parsed.rows] == [4, 5, 6, 7, 8, 9, 10, 11, 12]


def test_only_the_table_counts_connections() -> None:
    parsed = ipvs.parse(recorded("vm61-director-b/ipvsadm-Ln.txt"))
    (server,) = rows(parsed, IpvsServer)
    assert (server.active, server.inactive) == (0, 1)
    (saved,) = rows(ipvs.parse(recorded("vm61-director-b/ipvsadm-Sn.txt")), IpvsServer)
    assert (saved.active, saved.inactive) == (None, None)


def test_headings_alone_are_an_empty_table() -> None:
    text = recorded("vm61-director-a/ipvsadm-Ln.txt")
    parsed = ipvs.parse(text._replace(lines=text.lines[:3]))
    assert not parsed.rows
    assert parsed.fills == (IpvsService, IpvsServer)


def test_names_instead_of_numbers() -> None:
    parsed = ipvs.parse(
        listing(
            """
            IP Virtual Server version 1.2.1 (size=4096)
            Prot LocalAddress:Port Scheduler Flags
              -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
            TCP  www.example.com:https wrr persistent 50 mask 255.255.255.0 ops
              -> web1.example.com:https       Route   3      17         204
              -> director:https               Local   1      0          0
            TCP  [vip6.example.com]:http sh (sh-fallback,sh-port) persistent 60 mask 64 pe sip
            """,
            "ipvsadm -L",
        )
    )
    assert not parsed.problems
    first, second = rows(parsed, IpvsService)
    assert (first.address, first.port, first.netmask) == ("www.example.com", 443, "255.255.255.0")
    assert first.flags == ("ops",)
    assert (second.family, second.port, second.netmask) == (6, 80, "64")
    assert second.flags == ("sh-fallback", "sh-port")
    assert [server.method for server in rows(parsed, IpvsServer)] == ["route", "local"]


def test_port_of_an_unknown_name_is_no_guess() -> None:
    parsed = ipvs.parse(listing("TCP  10.0.0.1:frobnicate rr", "ipvsadm -L"))
    assert not parsed.rows
    assert len(parsed.problems) == 1


def test_tunnels() -> None:
    parsed = ipvs.parse(
        listing(
            """
            Prot LocalAddress:Port Scheduler Flags
              -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn
            UDP  10.0.0.100:53 mh (mh-port)
              -> 10.0.0.12:53                 Tunnel  gue:6080:-c   1      0          0
              -> [fd00::13]:53                Tunnel  ipip          1      0          0
              -> 10.0.0.14:53                 Route   n/a           2      0          0
            """,
            "ipvsadm -Ln --tun-info",
        )
    )
    told = [(s.server, s.tunnel, s.tunnel_port, s.weight) for s in rows(parsed, IpvsServer)]
    assert told == [
        ("10.0.0.12", "gue", 6080, 1),
        ("fd00::13", "ipip", None, 1),
        ("10.0.0.14", None, None, 2),
    ]


def test_thresholds_do_not_tell_the_method() -> None:
    parsed = ipvs.parse(
        listing(
            """
            Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn
              -> RemoteAddress:Port
            TCP  10.0.0.100:443 wlc persistent 300
              -> 10.0.0.12:443                100        80         0          0
            """,
            "ipvsadm -Ln --thresholds",
        )
    )
    assert [type(row) for row in parsed.rows] == [IpvsService]
    assert parsed.fills == (IpvsService,)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("-A -t 10.0.0.1:80 -s sh -b sh-fallback,sh-port", {"flags": ("sh-fallback", "sh-port")}),
        ("-A -u 10.0.0.1:53 -s rr -o", {"protocol": "udp", "flags": ("ops",)}),
        ("-A -f 7 -6 -s rr -p 60 -M 64", {"family": 6, "mark": 7, "netmask": "64"}),
        ("-A -t 10.0.0.1:80 -s rr -p 300 -M 255.255.255.0", {"netmask": "255.255.255.0"}),
        ("-A --sctp-service 10.0.0.1:80 -s nq", {"protocol": "sctp", "scheduler": "nq"}),
        ("ipvsadm --add-service --tcp-service [fd00::1]:80 -p", {"family": 6, "persistent": 360}),
        ("-A -f 100 -s rr -p 1", {"mark": 100, "persistent": 1}),
    ],
)
def test_saved_services(line: str, told: dict[str, Any]) -> None:
    assert told.items() <= the(ipvs.parse(listing(line, "ipvsadm -Sn")), IpvsService).items()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("-a -t 10.0.0.1:80 -r 10.0.0.2 -g -w 0", {"server_port": 80, "weight": 0}),
        ("-a -f 100 -r S1:0 -g -w 100", {"server": "S1", "server_port": 0, "mark": 100}),
        ("-a -f 7 -6 -r [fd00::2]:0 -g -w 1", {"family": 6, "server": "fd00::2"}),
        ("-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1 -x 10 -y 5", {"method": "masq", "upper": 10}),
        (
            "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum",
            {"method": "tunnel", "tunnel": "gue", "tunnel_port": 6080},
        ),
        ("-a -t vip:http -r web1:http -g -w 1", {"address": "vip", "port": 80, "server": "web1"}),
    ],
)
def test_saved_servers(line: str, told: dict[str, Any]) -> None:
    assert told.items() <= the(ipvs.parse(listing(line, "ipvsadm -Sn")), IpvsServer).items()


def test_old_kernels_file() -> None:
    text = """
        IP Virtual Server version 1.2.1 (size=4096)
        Prot LocalAddress:Port Scheduler Flags
          -> RemoteAddress:Port Forward Weight ActiveConn InActConn
        FWM  10000000 rr ops persistent 5000 FFFFFF00
          -> [fd00:0000:0000:0000:0000:0000:0000:0012]:0000      Route   1      0          1
        TCP  [fd00:0000:0000:0000:0000:0000:0000:0100]:0050 wlc persistent 5000 40000000
    """
    parsed = ipvs.parse(listing(text, "cat /proc/net/ip_vs"))
    first, second = rows(parsed, IpvsService)
    assert (first.mark, first.netmask) == (0x10000000, "255.255.255.0")
    assert first.flags == ("persistent", "ops")
    assert second.netmask == "64"


def test_both_forms_one_after_the_other() -> None:
    """As ``ipvsadm -Ln; cat /proc/net/ip_vs`` shows them."""
    texts = [
        recorded(f"vm61-director-a/{name}") for name in ("ipvsadm-Ln.txt", "proc-net-ip_vs.txt")
    ]
    for order in (texts, texts[::-1]):
        parsed = ipvs.parse(order[0]._replace(lines=[*order[0].lines, *order[1].lines]))
        assert not parsed.problems
        assert {row.address for row in rows(parsed, IpvsService)} == {"10.0.0.100", "fd00::100", ""}
        assert {row.server_port for row in rows(parsed, IpvsServer)} == {443, 5000, 0}


def test_connections() -> None:
    parsed = ipvs.parse(recorded("vm61-director-a/ipvsadm-Lnc.txt"))
    first, second = rows(parsed, IpvsConnection)
    assert facts(first) == {
        "protocol": "udp",
        "client": "10.0.0.99",
        "client_port": 48962,
        "virtual": "10.0.0.100",
        "virtual_port": 5000,
        "server": "10.0.0.12",
        "server_port": 5000,
        "state": "UDP",
        "expires": 294 * 10**9,
    }
    assert (second.client, second.server) == ("fd00::99", "fd00::12")
    of_kernel = rows(ipvs.parse(recorded("vm61-director-a/proc-net-ip_vs_conn.txt")), type(first))
    assert [(c.client, c.client_port, c.server) for c in of_kernel] == [
        ("10.0.0.99", 48962, "10.0.0.12"),
        ("fd00::99", 54707, "fd00::12"),
    ]


def test_templates_and_long_times() -> None:
    parsed = ipvs.parse(
        pasted(
            """
            TCP 133:35 ESTABLISHED 10.142.0.39:49715 10.40.0.43:18000 10.40.0.16:18000
            IP  00:49  NONE        10.1.2.0:0        0.0.0.100:0        10.0.0.1:0
            IP  00:49  NONE        10.1.2.0:0     10.0.0.1:0
            """,
            "ipvsadm -Lcn",
        )
    )
    first, template = rows(parsed, IpvsConnection)
    assert first.expires == (133 * 60 + 35) * 10**9
    assert (template.protocol, template.client_port, template.virtual) == ("ip", 0, "0.0.0.100")
    assert [problem.line for problem in parsed.problems] == [3]  # without the virtual address


def test_counters() -> None:
    parsed = ipvs.parse(recorded("vm61-director-b/ipvsadm-Ln-stats.txt"))
    service, server = rows(parsed, IpvsCount)
    assert (service.server, service.connections, service.packets_in) == ("", 1, 32)
    assert (server.server, server.server_port, server.packets_out) == ("10.0.0.11", 5000, 1)
    assert parsed.fills == (IpvsCount,)


def test_large_numbers_are_cut_off() -> None:
    line = "TCP  10.0.0.1:80                     2   123456K     2000M        0        0"
    (row,) = rows(ipvs.parse(listing(line, "ipvsadm -Ln --stats")), IpvsCount)
    assert (row.packets_in, row.packets_out) == (123_456_000, 2_000_000_000)


def test_rates_are_no_counters() -> None:
    text = recorded("vm61-director-a/ipvsadm-Ln-rate.txt")
    for one in (text, text._replace(lines=text.lines[3:])):
        parsed = ipvs.parse(one._replace(command=("ipvsadm", "-Ln", "--rate")))
        assert not parsed.rows
        assert not parsed.problems
        assert not parsed.fills


def test_all_services_together() -> None:
    parsed = ipvs.parse(recorded("vm61-director-a/proc-net-ip_vs_stats.txt"))
    told = {row.name: row.value for row in rows(parsed, KernelCounter)}
    assert told == {"IpvsConns": 2, "IpvsInPkts": 0x21, "IpvsOutPkts": 0}
    assert not parsed.problems


def test_daemons() -> None:
    parsed = ipvs.parse(
        listing(
            """
            master sync daemon (mcast=eth0, syncid=1, maxlen=1472, group=224.0.0.81, port=8848)
            backup sync daemon (mcast=eth1.5, syncid=0)
            """,
            "ipvsadm -L --daemon",
        )
    )
    told = [(row.state, row.dev, row.sync_id) for row in rows(parsed, IpvsDaemon)]
    assert told == [("master", "eth0", 1), ("backup", "eth1.5", 0)]


def test_prose_is_no_listing() -> None:
    parsed = ipvs.parse(pasted("TCP 10.0.0.1:80 is down\n -> see the log 1 2\n-a t -c"))
    assert not parsed.rows
    assert not parsed.problems


def test_server_without_its_service() -> None:
    parsed = ipvs.parse(listing("  -> 10.0.0.12:80    Route  1  0  0", "ipvsadm -Ln"))
    assert not parsed.rows
    assert len(parsed.problems) == 1


def test_no_such_command() -> None:
    parsed = ipvs.parse(listing("bash: ipvsadm: command not found", "ipvsadm -Ln"))
    assert not parsed.rows
    assert len(parsed.problems) == 1


@given(mark=st.integers(1, 2**32 - 1), six=st.booleans())
def test_marks(mark: int, six: bool) -> None:
    saved = f"-A -f {mark}{' -6' * six} -s rr"
    shown = f"FWM  {mark}{' IPv6' * six} rr"
    one, two = (the(ipvs.parse(listing(line)), IpvsService) for line in (saved, shown))
    assert one == two
    assert (one["mark"], one["family"]) == (mark, 6 if six else 4)
