"""What DHCP servers remember."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Lease
from hopback.sources.parse import dhcp_leases
from tests.sources.parse.given import facts, listing, rows

DNSMASQ = """
    1700000000 52:54:00:00:00:01 192.0.2.5 web1 01:52:54:00:00:00:01
    1700000000 06-52:54:00:00:00:02 192.0.2.6 * *
    duid 00:01:00:01:2c:f1:aa:bb:52:54:00:00:00:fe
    1700000000 7340033 2001:db8::5 web1 00:04:8e:2a
"""


def test_dnsmasq() -> None:
    parsed = dhcp_leases.parse(listing(DNSMASQ, "cat /var/lib/misc/dnsmasq.leases"))
    assert [facts(row) for row in rows(parsed, Lease)] == [
        {
            "address": "192.0.2.5",
            "mac": parse_mac("52:54:00:00:00:01"),
            "client_id": "01:52:54:00:00:00:01",
            "hostname": "web1",
        },
        {"address": "192.0.2.6", "mac": parse_mac("52:54:00:00:00:02")},
        {"address": "2001:db8::5", "client_id": "00:04:8e:2a", "hostname": "web1"},
    ]
    assert not parsed.problems


DHCPD = """
    # The format of this file is documented in the dhcpd.leases(5) manual page.
    lease 192.0.2.5 {
      starts 5 2026/11/20 08:00:00;
      binding state active;
      hardware ethernet 52:54:00:00:00:01;
      uid "\\001RT\\000\\000\\000\\001";
      client-hostname "web1";
    }
    lease 192.0.2.5 {
      hardware ethernet 52:54:00:00:00:09;
    }
"""


def test_dhcpd_and_the_last_of_one_address_counts() -> None:
    parsed = dhcp_leases.parse(listing(DHCPD, "cat /var/lib/dhcp/dhcpd.leases"))
    (row,) = rows(parsed, Lease)
    assert (row.mac, row.client_id) == (parse_mac("52:54:00:00:00:09"), None)
    assert not parsed.problems
    first = dhcp_leases.parse(listing(DHCPD.split("    lease 192.0.2.5 {\n      hardware")[0], "x"))
    assert rows(first, Lease)[0].client_id == '"\\001RT\\000\\000\\000\\001"'


@pytest.mark.parametrize("line", ["lease 1.2.3.4.5 {", "1700000000 52:54:00:00:00:01 1:2 web1 *"])
def test_what_is_no_address_gives_no_lease(line: str) -> None:
    assert not dhcp_leases.parse(listing(line, "cat /var/lib/misc/dnsmasq.leases")).rows


def test_other_lines_are_problems() -> None:
    assert dhcp_leases.parse(listing("what is this", "cat /var/lib/misc/x")).problems
