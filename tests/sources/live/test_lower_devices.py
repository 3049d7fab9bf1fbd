"""VXLAN devices and macvlans as the kernel tells them, against what ``ip -d -j link`` prints."""

import subprocess
from collections.abc import Iterator

import pytest

from hopback.snapshot.model import Snapshot
from hopback.snapshot.rows import Fdb, Link, Vxlan
from hopback.sources.live import read
from hopback.sources.parse import ip_link
from tests.kernel.rig import Rig
from tests.sources.parse.given import facts, listing, rows

MODES = ("private", "vepa", "bridge", "source")
DEVICES = (
    "link add d0 type veth peer name d1",
    "link add e0 type veth peer name e1",
    *(f"link add {mode} link d0 type macvlan mode {mode}" for mode in MODES),
    "link add alone link e0 type macvlan mode passthru",
    "link add vx1 type vxlan id 8 group 239.1.1.1 dev d0 dstport 8472 nolearning",
    "link add vx2 type vxlan id 9 remote 2001:db8::1 local 2001:db8::2 dstport 4789 proxy",
    "link add vx3 type vxlan external dstport 4790",
    "link add vx4 type vxlan id 16777215 dstport 4791",
)


@pytest.fixture(scope="module")
def host() -> Iterator[tuple[Rig, Snapshot]]:
    with Rig() as rig:
        rig.namespace("host")
        rig.ip("host", *DEVICES)
        rig.bridge("host", "fdb add 02:00:00:00:00:01 dev vx4 dst 192.0.2.1 vni 77")
        yield rig, read((rig.name("host"),))


def printed(rig: Rig) -> str:
    command = ["ip", "-n", rig.name("host"), "-d", "-j", "link", "show"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_settings(host: tuple[Rig, Snapshot]) -> None:
    rig, snapshot = host
    parsed = ip_link.parse(listing(printed(rig), "ip -d -j link show"))
    told = {row.name: {"lower": None, **facts(row)} for row in rows(parsed, Vxlan)}
    assert {row.name: {"lower": None, **facts(row)} for row in snapshot.vxlans.rows} == told
    assert set(told) == {"vx1", "vx2", "vx3", "vx4"}


def test_modes(host: tuple[Rig, Snapshot]) -> None:
    rig, snapshot = host
    parsed = ip_link.parse(listing(printed(rig), "ip -d -j link show"))
    modes = {row.name: row.macvlan_mode for row in rows(parsed, Link)}
    assert {row.name: row.macvlan_mode for row in snapshot.table(Link).rows} == modes
    assert {mode for mode in modes.values() if mode} == {*MODES, "passthru"}


def test_entry_for_another_vni(host: tuple[Rig, Snapshot]) -> None:
    _, snapshot = host
    vnis = {row.dst: row.vni for row in snapshot.table(Fdb).rows if row.dst and row.dev == "vx4"}
    assert vnis == {"192.0.2.1": 77}
