"""sosreports: the layout of sos, filled with recorded output."""

import shutil
from pathlib import Path

import pytest

from hopback.sources.open import open_source
from hopback.sources.sosreport import is_sosreport, wanted
from hopback.sources.tree import directory_tree

FIXTURES = Path(__file__).parents[1] / "fixtures"
LAYOUT = {
    "sos_commands/networking/ip_-s_-d_link": "vm61-bond/ip-d-link.txt",
    "sos_commands/networking/bridge_-s_-s_-d_-t_fdb_show": "vm61-bond/bridge-fdb.txt",
    "sos_commands/networking/bridge_-d_vlan_show": "vm61-bond/bridge-vlan.txt",
    "sos_commands/networking/brctl_show": "vm61-bond/brctl-show.txt",
    "sos_commands/networking/namespaces/q-1/ip_netns_exec_q-1_ip_-d_link": "libvirt/ip-d-link.txt",
    "sos_commands/networking/ip_netns_exec_q-2_ip_-d_link": "libvirt/ip-d-link.txt",
    "sos_commands/kernel/dmesg": "vm61-bond/dmesg.txt",
    "sos_commands/kernel/uname_-a": "vm61-bond/uname.txt",
    "sos_commands/virsh/virsh_-r_list_--all": "libvirt/virsh-list.txt",
    "sos_commands/firewall_tables/iptables_-t_nat_-nvL": "xtables/iptables-nft-t-nat-nvxL.txt",
    "etc/libvirt/nwfilter/no-mac-reflection.xml": (
        "libvirt/virsh-nwfilter-dumpxml-no-mac-reflection.xml"
    ),
    "proc/net/bonding/bond0": "vm61-bond/proc-net-bonding-bond0.txt",
    "proc/net/vlan/config": "vm61-bond/proc-net-vlan-config.txt",
    "proc/net/snmp6": "counters/proc-net-snmp6.txt",
    "proc/net/ip_vs_conn": "vm61-director-a/proc-net-ip_vs_conn.txt",
    "sos_commands/ipvs/ipvsadm_-Ln": "vm61-director-a/ipvsadm-Ln.txt",
    "sos_commands/networking/nstat_-zas": "vm61-director-a/nstat.txt",
    "etc/keepalived/keepalived.conf": "keepalived/keepalived.conf",
}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    root = tmp_path / "sosreport-compute1-2026-11-20"
    for name, source in LAYOUT.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FIXTURES / source, root / name)
    (root / "hostname").write_text("compute1.example.org\n")
    (root / "version.txt").write_text("sosreport: 4.5\n")
    (root / "free").symlink_to("sos_commands/memory/free")
    (root / "sos_commands/memory").mkdir()
    (root / "sos_commands/memory/free").write_text("Mem: 1 2 3\n")
    return root


def test_all_that_a_parser_knows_is_read(report: Path) -> None:
    opened = open_source(str(report))
    (snapshot,) = opened.snapshots
    assert snapshot.host == "compute1.example.org"
    assert snapshot.problems == ()
    assert snapshot.fdb.complete()
    assert snapshot.links.complete()
    assert {row.name for row in snapshot.bonds.rows} == {"bond0"}
    assert len(snapshot.own_sources.rows) == 4
    assert len(snapshot.guests.rows) == 3
    assert len(snapshot.kernels.rows) == 1
    assert {row.table for row in snapshot.filter_chains.rows} == {"nat"}
    assert [row.name for row in snapshot.nw_filters.rows] == ["no-mac-reflection"]
    assert len([row for row in snapshot.ipvs_services.rows if not row.configured]) == 4
    assert snapshot.ipvs_services.complete()
    assert len(snapshot.ipvs_connections.rows) == 2
    assert len(snapshot.vrrp_instances.rows) == 2
    assert snapshot.counters.complete()
    assert not any("s3cret" in (source.text or "") for source in snapshot.sources)
    assert not snapshot.unread.rows


@pytest.mark.parametrize("netns", ["q-1", "q-2"])
def test_namespaces(report: Path, netns: str) -> None:
    (snapshot,) = open_source(str(report)).snapshots
    assert snapshot.links.complete(netns=netns)
    assert any(row.netns == netns for row in snapshot.links.rows)


def test_archive_gives_the_same(report: Path) -> None:
    archive = shutil.make_archive(
        str(report.parent / "report"), "xztar", report.parent, report.name
    )
    unpacked, packed = open_source(str(report)), open_source(archive)
    assert packed.unreadable is None
    assert packed.snapshots[0].fdb == unpacked.snapshots[0].fdb
    assert packed.snapshots == unpacked.snapshots


def test_without_hostname_the_directory_names_the_host(report: Path) -> None:
    (report / "hostname").unlink()
    (snapshot,) = open_source(str(report)).snapshots
    assert snapshot.host == report.name


def test_recognised(report: Path) -> None:
    assert is_sosreport(directory_tree(report).files)
    assert is_sosreport(directory_tree(report.parent).files)
    assert not is_sosreport(["brctl-show.txt", "x/y/sos_commands/z"])


@pytest.mark.parametrize("path", ["sos_commands/memory/free", "etc/passwd", "sos_reports/sos.txt"])
def test_not_wanted(path: str) -> None:
    assert not wanted(path)
