"""Kernel settings, and files that only say what shall be set."""

import pytest

from hopback.snapshot.rows import Sysctl
from hopback.sources.parse import sysctl
from tests.sources.parse.given import listing, pasted, recorded, rows


def test_recorded() -> None:
    parsed = sysctl.parse(recorded("vm61-director-a/sysctl-vs.txt"))
    settings = {row.key: row.value for row in rows(parsed, Sysctl)}
    assert len(settings) == 27
    assert settings["net.ipv4.vs.backup_only"] == "0"
    assert settings["net.ipv4.vs.sync_threshold"] == "3\t50"
    assert not parsed.problems


@pytest.mark.parametrize(
    "line",
    [
        "net.ipv4.conf.all.rp_filter = 1",
        "net.ipv4.conf.all.rp_filter=1",
        "net/ipv4/conf/all/rp_filter = 1",
        "/proc/sys/net/ipv4/conf/all/rp_filter:1",
    ],
)
def test_forms(line: str) -> None:
    (row,) = rows(sysctl.parse(pasted(f"It says\n{line}\nas it should.")), Sysctl)
    assert (row.key, row.value, row.cite.line) == ("net.ipv4.conf.all.rp_filter", "1", 2)


def test_lone_value_has_its_path_in_the_command() -> None:
    parsed = sysctl.parse(listing("2", "cat /proc/sys/net/ipv4/conf/bond0.5/arp_announce"))
    assert [(row.key, row.value) for row in rows(parsed, Sysctl)] == [
        ("net.ipv4.conf.bond0/5.arp_announce", "2")
    ]


def test_configuration_is_not_what_is_set() -> None:
    text = "net.ipv4.ip_forward = 1"
    assert not sysctl.parse(pasted(text, "cat /etc/sysctl.d/10-router.conf")).rows
    assert sysctl.parse(pasted(text, "sysctl net.ipv4.ip_forward")).rows


def test_unreadable_setting_is_a_problem_even_in_a_paste() -> None:
    line = "sysctl: cannot stat /proc/sys/net/bridge: No such file or directory"
    assert len(sysctl.parse(pasted(line)).problems) == 1


def test_shape() -> None:
    assert sysctl.SHAPE is not None
    assert sysctl.SHAPE.match("net.bridge.bridge-nf-call-iptables = 0")
    assert sysctl.SHAPE.match("abi.vsyscall32 = 1")
    assert not sysctl.SHAPE.match("net.ipv4 is what it is called = no")
