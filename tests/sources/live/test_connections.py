"""The connection table of a namespace, as the kernel shows it and as conntrack does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hopback.snapshot.keys import said
from hopback.snapshot.rows import Connection, Row
from hopback.snapshot.table import Missing
from hopback.sources.live import connections, programs, read
from hopback.sources.live.modules import presence
from tests.sources.live.conftest import Lab

pytestmark = pytest.mark.kernel("nft", "python3")

SEND = "__import__('socket').socket(2,2).sendto(b'x',('127.0.0.1',999))"


@pytest.fixture
def talking(lab: Lab) -> Iterator[Lab]:
    """A namespace that tracks connections and has one, which nobody answers."""
    for module, symbol in (("nf_tables", "NF_TABLES"), ("nf_conntrack", "NF_CONNTRACK")):
        if presence(module, f"CONFIG_{symbol}") != "present":
            pytest.skip(f"{module} is not in this kernel already")
    try:
        lab.run("ip link set lo up")
        lab.run("nft add table ip hb")
        lab.run("nft add chain ip hb c { type filter hook output priority 0 ; }")
        lab.run("nft add rule ip hb c ct state new ct mark set 7")
        lab.run(f"python3 -c {SEND}")
        yield lab
    finally:
        lab.run("nft flush ruleset")


def ours(lab: Lab) -> list[Row]:
    rows = read((lab.host,)).table(Connection).rows
    return [said(row) for row in rows if row.target_port == 999]


def test_a_connection_is_read(talking: Lab) -> None:
    found = read((talking.host,))
    (row,) = [row for row in found.connections.rows if row.target_port == 999]
    assert (row.protocol, row.source, row.target) == (17, "127.0.0.1", "127.0.0.1")
    assert (row.netns, row.mark, row.zone) == (talking.host, 7, 0)
    assert row.reply_source_port == 999
    assert found.connections.complete(talking.host)


@pytest.mark.kernel("conntrack")
def test_the_program_tells_the_same(talking: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked where the kernel has no file, if the module for that is there."""
    if presence("nf_conntrack_netlink", "CONFIG_NF_CT_NETLINK") != "present":
        pytest.skip("nf_conntrack_netlink is not in this kernel already")
    told = ours(talking)
    monkeypatch.setattr(connections, "_TABLE", Path("/proc/none"))
    assert ours(talking) == told != []


def test_what_cannot_be_read_is_said(talking: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_TABLE", Path("/proc/none"))
    monkeypatch.setattr(programs, "_PATH", "")
    found = read((talking.host,)).connections
    assert found == Missing("the kernel shows no connections", "conntrack -L")


def test_a_table_that_is_too_long_is_not_read(
    talking: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ENTRIES_MAX", 0)
    found = read((talking.host,)).connections
    assert isinstance(found, Missing)
    assert "entries, more than" in found.reason
