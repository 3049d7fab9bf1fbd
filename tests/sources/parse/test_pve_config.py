"""qm config and pct config."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import GuestNic
from hopback.sources.parse import pve_config
from hopback.sources.parse.registry import for_command, for_line, parser
from tests.sources.parse.given import facts, listing, pasted, rows

VM = """\
#the web server
boot: order=scsi0;net0
cores: 4
name: web
net0: virtio=BC:24:11:00:00:31,bridge=vmbr0
net1: e1000=BC:24:11:00:00:32,bridge=vmbr1,firewall=1,tag=20
[before-upgrade]
net0: virtio=BC:24:11:00:00:99,bridge=vmbr0
"""


@pytest.mark.parametrize("command", ["qm config 104", "cat /etc/pve/qemu-server/104.conf"])
def test_a_virtual_machine(command: str) -> None:
    parsed = pve_config.parse(listing(VM, command))
    assert [facts(row) for row in parsed.rows] == [
        {
            "guest": "web",
            "mac": parse_mac("bc:24:11:00:00:31"),
            "target": "tap104i0",
            "source": "vmbr0",
            "source_kind": "bridge",
            "model": "virtio",
        },
        {
            "guest": "web",
            "mac": parse_mac("bc:24:11:00:00:32"),
            "target": "fwpr104p1",
            "source": "vmbr1",
            "source_kind": "bridge",
            "model": "e1000",
        },
    ]
    assert not parsed.problems
    assert for_command(tuple(command.split())) is parser("pve_config")


def test_a_container() -> None:
    line = "net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:33,ip=dhcp,type=veth"
    (nic,) = rows(pve_config.parse(listing(line, "pct config 107")), GuestNic)
    assert (nic.guest, nic.target, nic.mac) == ("107", "veth107i0", parse_mac("bc:24:11:00:00:33"))


def test_without_its_number_the_port_is_not_known() -> None:
    line = "net0: virtio=BC:24:11:00:00:31,bridge=vmbr0"
    (nic,) = rows(pve_config.parse(pasted(line)), GuestNic)
    assert (nic.guest, nic.target, nic.source) == (None, None, "vmbr0")
    assert for_line(line) is parser("pve_config")
    assert for_line("net0: a bridge=what") is None


def test_what_is_no_setting_is_a_problem() -> None:
    (problem,) = pve_config.parse(listing("Configuration file missing", "qm config 104")).problems
    assert "qm config" in problem.message
