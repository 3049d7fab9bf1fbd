"""virsh domiflist."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import GuestNic
from hopback.sources.parse import virsh_domiflist
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


def test_recorded() -> None:
    parsed = virsh_domiflist.parse(recorded("libvirt/virsh-domiflist-vml-k1.txt"))
    assert [facts(row) for row in parsed.rows] == [
        {
            "guest": "vml-k1",
            "mac": parse_mac("52:54:00:77:00:21"),
            "target": "vnet7",
            "source": "vml-br",
            "source_kind": "bridge",
            "model": "virtio",
        }
    ]
    assert not parsed.problems


@pytest.mark.parametrize(
    "header", ["", "Interface  Type  Source  Model  MAC\n--------------------\n"]
)
def test_stopped_guest_with_and_without_header(header: str) -> None:
    line = "-          network    default    -       52:54:00:01:02:03"
    parsed = virsh_domiflist.parse(listing(header + line, "virsh domiflist web"))
    (nic,) = rows(parsed, GuestNic)
    assert facts(nic) == {
        "guest": "web",
        "mac": parse_mac("52:54:00:01:02:03"),
        "source": "default",
        "source_kind": "network",
    }
    assert not parsed.problems


def test_redacted_mac() -> None:
    parsed = virsh_domiflist.parse(pasted("vnet0 bridge br0 virtio 52:54:00:xx:xx:xx"))
    (nic,) = rows(parsed, GuestNic)
    assert (nic.target, nic.mac, nic.guest) == ("vnet0", None, None)


def test_prose_is_passed_over_only_in_a_paste() -> None:
    text = "the bridge is br0"
    assert not virsh_domiflist.parse(pasted(text)).problems
    assert len(virsh_domiflist.parse(listing(text)).problems) == 1
