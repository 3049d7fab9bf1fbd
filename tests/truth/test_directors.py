"""A share of ``make truth``: expectation, model and kernel agree about two directors."""

import pytest

from tests.kernel.uml import needs_in_uml
from tests.truth.directing import SCENES
from tests.truth.directors import directors

SHARE = (
    "DR, UDP",
    "TUN, IPv6, the virtual address on the NIC",
    "NAT by mark",
    "backup_only, a backup's thread",
    "one holds the address, ip_forward 1",
    "DR, a kernel before 4.10",
)


@needs_in_uml("ipvsadm", "iptables-legacy")
@pytest.mark.timeout(300)
def test_two_directors() -> None:
    chosen = [scene for scene in SCENES if scene.name in SHARE]
    rows = list(directors(chosen))
    assert len(rows) == len(SHARE)
    told = [(row.name, row.expected, row.model, row.kernel) for row in rows if not row.agrees]
    assert told == []
