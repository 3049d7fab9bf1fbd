"""``virsh nwfilter-list``."""

from hopback.snapshot.rows import NwFilter
from hopback.sources.parse import virsh_nwfilter_list
from tests.sources.parse.given import listing, recorded, rows


def test_recorded() -> None:
    parsed = virsh_nwfilter_list.parse(recorded("libvirt/virsh-nwfilter-list.txt"))
    found = rows(parsed, NwFilter)
    assert len(found) == 26
    assert found[4].name == "allow-dhcpv6-server"
    assert not any(row.whole for row in found)
    assert not parsed.problems


def test_other_lines() -> None:
    parsed = virsh_nwfilter_list.parse(listing(" UUID   Name\n-----\n 510f2bb0   allow-arp"))
    assert not parsed.rows
    assert [problem.line for problem in parsed.problems] == [3]
