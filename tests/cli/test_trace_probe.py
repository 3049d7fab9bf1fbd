"""``hopback trace --arp`` and ``--nd``: does a guest hear its own question?"""

from pathlib import Path

import msgspec
import pytest

from hopback.cli.output import WIDTH
from hopback.render.probe_json_v1 import ProbeV1
from tests.cli.conftest import Run
from tests.reconstructions import PASTE, RING, ROOT, healthy_ring

LIBVIRT = ROOT / "tests/fixtures/libvirt"
MAC = "fa:16:3e:56:ea:fa"


def document(stdout: str) -> ProbeV1:
    decoded = msgspec.json.decode(stdout, type=ProbeV1)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == msgspec.json.decode(stdout)
    return decoded


@pytest.mark.parametrize("kind", ["--arp", "--nd"])
def test_hairpin_gives_the_guest_its_own_probe(run: Run, kind: str) -> None:
    result = run("trace", LIBVIRT, "--from", "vml-k1", kind)
    assert result.exit_code == 1
    assert result.stdout.startswith("vml-k1 hears its own")
    assert "hairpin is on" in result.stdout
    assert "hairpin_mode 1" in result.stdout
    back = document(run("trace", LIBVIRT, "--from", "vml-k1", kind, "-j").stdout)
    assert [(hop.direction, hop.device) for hop in back.returned] == [
        ("in", "vnet7"),
        ("out", "vnet7"),
    ]


def test_a_filter_that_keeps_it_away_is_shown_with_its_rule(run: Run) -> None:
    result = run("trace", LIBVIRT, "--from", "vnet8", "--nd")
    assert result.exit_code == 0
    assert result.stdout.startswith("The neighbour solicitation (DAD) of vml-k2 does not come back")
    assert "-A O-vnet8-mac -s 52:54:00:77:00:22 -j DROP" in result.stdout
    sent = document(run("trace", LIBVIRT, "--from", "vnet9", "--nd", "-j").stdout)
    assert "-A libvirt-I-vnet9 -j DROP" in [row.text for row in sent.filtered_because]
    assert sent.copies == ()


def test_without_hairpin_only_the_way_out_could_return_it(run: Run) -> None:
    result = run("trace", PASTE, "--from", MAC, "--nd", "-j")
    sent = document(result.stdout)
    assert result.exit_code == 0
    assert sent.returned == ()
    assert sent.frame.endswith("target fe80::f816:3eff:fe56:eafa")
    assert sent.copies[0] == "bond0.2222"
    assert sent.echoing == ("bond0.2222",)


def test_what_the_tables_do_not_show_is_not_decided(run: Run) -> None:
    text = healthy_ring().replace("vlan_filtering 0", "vlan_filtering 1")
    result = run("trace", "-", "--from", "lvnet0", "--arp", stdin=text)
    assert result.exit_code == 1
    assert result.stdout.startswith("Not decided: the ARP probe")


@pytest.mark.parametrize(("source", "guest"), [(PASTE, MAC), (RING, "lvnet0"), (LIBVIRT, "vnet8")])
def test_fits_eighty_columns(run: Run, source: Path, guest: str) -> None:
    for kind in ("--arp", "--nd"):
        lines = run("trace", source, "--from", guest, kind).stdout.splitlines()
        assert lines
        assert [line for line in lines if len(line) > WIDTH] == []


def test_a_server_is_for_dhcp(run: Run) -> None:
    assert run("trace", PASTE, "--from", MAC, "--nd", "--server", "host").exit_code == 2
