"""What changed between two snapshots."""

from hypothesis import given, settings
from msgspec.structs import replace

from hopback.frames.mac import Mac
from hopback.snapshot.diff import diff
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Remove, Replace, patch
from hopback.snapshot.rows import BridgePort, Fdb, OwnSource
from hopback.snapshot.table import Cite, Rows
from tests.snapshot.samples import snapshots

HERE = Cite(0, 1)
VM = Mac(0xFA163E56EAFA)
TAP = Fdb(cite=HERE, mac=VM, dev="tap0", bridge="br0")
MOVED = Fdb(cite=Cite(1, 9), mac=VM, dev="bond0", bridge="br0")


def fdb(*rows: Fdb) -> Snapshot:
    return Snapshot(fdb=Rows(rows))


@given(snapshots())
@settings(max_examples=30, deadline=None)
def test_nothing_changes_by_itself(snapshot: Snapshot) -> None:
    assert diff(snapshot, snapshot) == ()


@given(snapshots())
@settings(max_examples=30, deadline=None)
def test_what_one_way_adds_the_other_removes(snapshot: Snapshot) -> None:
    empty = Snapshot()
    for there, back in zip(diff(empty, snapshot), diff(snapshot, empty), strict=True):
        assert (there.table, there.appeared) == (back.table, back.vanished)
        assert there.added == back.removed
        assert there.removed == back.added == ()


def test_moved_address_is_a_change() -> None:
    (table,) = diff(fdb(TAP), fdb(MOVED))
    assert table.changed == ((TAP, MOVED),)
    assert table.added == table.removed == ()


def test_citation_is_no_change() -> None:
    assert diff(fdb(TAP), fdb(replace(TAP, cite=Cite(3, 4)))) == ()


def test_equal_rows_are_counted() -> None:
    event = OwnSource(cite=HERE, dev="bond0", bridge="br0")
    old, new = Snapshot(own_sources=Rows((event,))), Snapshot(own_sources=Rows((event,) * 3))
    assert diff(old, new)[0].added == (event, event)


def test_events_never_change() -> None:
    old = Snapshot(own_sources=Rows((OwnSource(cite=HERE, dev="eth0"),)))
    new = Snapshot(own_sources=Rows((OwnSource(cite=HERE, dev="eth1"),)))
    (table,) = diff(old, new)
    assert (len(table.added), len(table.removed), table.changed) == (1, 1, ())


def test_diff_sees_what_patch_did() -> None:
    before = BridgePort(cite=HERE, name="vnet0", hairpin=True)
    after = replace(before, hairpin=False)
    old = Snapshot(fdb=Rows((TAP,)), ports=Rows((before,)))
    new = patch(old, [Remove(TAP), Replace(before, after), Add(replace(TAP, mac=Mac(5)))])
    ports, table = diff(old, new)
    assert ports.changed == ((before, after),)
    assert (len(table.added), len(table.removed)) == (1, 1)
