"""Roles of VRRP as worlds."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from hopback.engines.roles import MAX_SEATS, role_worlds, seats_of
from hopback.network.build import build
from hopback.network.model import Network
from hopback.snapshot.patch import Add, Remove, Replace, patch
from hopback.snapshot.rows import VrrpInstance
from hopback.sources.open import open_source

FIXTURES = Path(__file__).parents[1] / "fixtures" / "directors"
VIP = "192.0.2.100"


def directors(state: str, *, told: bool = True) -> Network:
    """``told``: VRRP's instances are known."""
    found = [open_source(str(FIXTURES / state / host)).snapshots[0] for host in "ab"]
    if not told:
        found = [patch(s, [Remove(row) for row in s.vrrp_instances.rows]) for s in found]
    return build(found)


@pytest.mark.parametrize("told", [True, False])
def test_who_is_master_as_recorded(told: bool) -> None:
    seats = seats_of(directors("before", told=told))
    assert [(seat.dev.host, seat.dev.name, seat.master) for seat in seats] == [
        ("a", "eth0", True),
        ("b", "eth0", False),
    ]
    assert all(seat.master for seat in seats_of(directors("split", told=told)))


@pytest.mark.parametrize("told", [True, False])
def test_every_other_combination(told: bool) -> None:
    worlds = list(role_worlds(directors("before", told=told)))
    assert sorted(roles.hosts for roles in worlds) == [(), ("a", "b"), ("b",)]
    for roles in worlds:
        for snapshot in roles.snapshots:
            has = any(row.address == VIP for row in snapshot.addresses.rows)
            assert has == (snapshot.host in roles.hosts)


def test_an_address_on_another_device_than_the_instance_is_held_too() -> None:
    """As by ``virtual_ipaddress { 192.0.2.100 dev eth1 }``; on a loopback it is no master's."""
    network = directors("before")
    first = network.snapshots["a"]
    (row,) = (row for row in first.addresses.rows if row.address == VIP)
    for name, master in (("eth1", True), ("lo", False)):
        moved = patch(first, [Replace(row, replace(row, dev=name))])
        given = build([moved, network.snapshots["b"]])
        assert [seat.master for seat in seats_of(given)] == [master, False]
        for roles in role_worlds(given):
            devices = {r.dev for r in roles.snapshots[0].addresses.rows if r.address == VIP}
            assert (name in devices) == ("a" in roles.hosts or not master)


def test_too_many_to_try_each() -> None:
    network = directors("before")
    first = network.snapshots["a"]
    cite = first.vrrp_instances.rows[0].cite
    more = (
        Add(
            VrrpInstance(
                cite=cite, name=f"VI_{n}", dev="eth0", router_id=n, addresses=(f"192.0.2.{n}",)
            )
        )
        for n in range(101, 101 + MAX_SEATS)
    )
    crowded = build([patch(first, more), network.snapshots["b"]])
    worlds = list(role_worlds(crowded))
    assert 0 < len(worlds) <= 2 * len(seats_of(crowded))
    assert any(len(roles.masters) == len(seats_of(crowded)) for roles in worlds)
