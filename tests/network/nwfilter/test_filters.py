"""Who uses which filter, and what its variables stand for."""

import pytest

from hopback.network.nwfilter.filters import bindings_of, filters_of, inert
from hopback.network.nwfilter.variables import combinations, missing, variables_of
from hopback.snapshot.rows import GuestNic, NwBinding, NwItem
from hopback.snapshot.table import Cite
from tests.network.nwfilter.given import filters, recorded, snapshot

CITE = Cite(0, 1)
CHAIN = """<filter name='{0}'><filterref filter='{1}'/></filter>"""
ALONE = """<filter name='{0}'><rule action='drop' direction='in'/></filter>"""


def nic(name: str | None) -> GuestNic:
    return GuestNic(cite=CITE, filter=name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ["a", "b", "c"]),
        (("c",), ["a", "b"]),
        (("a",), ["c"]),
        (("",), ["a", "b", "c"]),
        ((None,), []),
        (("gone",), []),
    ],
    ids=["no interface", "one", "by reference", "no filter", "not shown", "not defined"],
)
def test_a_filter_that_nobody_uses(names: tuple[str | None, ...], expected: list[str]) -> None:
    known = filters(CHAIN.format("a", "b"), ALONE.format("b"), ALONE.format("c"))
    assert [row.name for row in inert(known, map(nic, names))] == expected


def test_a_filter_in_use_that_was_not_shown_whole() -> None:
    known = filters(CHAIN.format("a", "b"), ALONE.format("c"))
    assert inert(known, [nic("a")]) == ()
    cut = filters("<filter name='a'>\n<rule action='drop'>", ALONE.format("c"))
    assert inert(cut, [nic("a")]) == ()


def test_recorded_filters_that_nobody_uses() -> None:
    told = recorded("libvirt-nwfilter")
    assert inert(filters_of(told), bindings_of(told)) == ()
    one = [row for row in bindings_of(told) if row.device == "vnet4"]
    names = {row.name for row in inert(filters_of(told), one)}
    assert "clean-traffic" in names
    assert "allow-dhcp-server" not in names


DOMAIN = """<domain type='kvm'><name>web</name><devices><interface type='bridge'>
<mac address='02:00:00:00:00:31'/><source bridge='br0'/><target dev='tap1'/>
<filterref filter='f'/></interface></devices></domain>"""
BOUND = """<filterbinding><owner><name>web</name></owner><portdev name='tap1'/>
<filterref filter='g'><parameter name='IP' value='10.0.0.1'/></filterref></filterbinding>"""


def test_libvirt_s_binding_goes_before_the_guest_s_definition() -> None:
    (row,) = bindings_of(snapshot(texts=[BOUND, DOMAIN]))
    assert (row.device, row.filter, row.parameters) == ("tap1", "g", (("IP", "10.0.0.1"),))
    (row,) = bindings_of(snapshot(texts=[DOMAIN]))
    assert (row.device, row.filter, row.guest) == ("tap1", "f", "web")


KNOWN = variables_of((("A", "1"), ("A", "2"), ("B", "3"), ("B", "4"), ("C", "5"), ("A", "1")))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("$C",), [("5",)]),
        (("$A",), [("1",), ("2",)]),
        (("$B", "$A"), [("3", "1"), ("4", "2")]),
        (("$A[@1]", "$B[@2]"), [("1", "3"), ("2", "3"), ("1", "4"), ("2", "4")]),
        (("$A[1]", "x"), [("2", "x")]),
        (("$A[9]",), [("$A[9]",)]),
        (("$GONE", "$C"), [("$GONE", "5")]),
    ],
)
def test_variables_make_several_rules(
    values: tuple[str, ...], expected: list[tuple[str, ...]]
) -> None:
    items = [NwItem(f"n{at}", value) for at, value in enumerate(values)]
    found = [tuple(item.value for item in one) for one in combinations(items, KNOWN)]
    assert found == expected
    assert missing(items, KNOWN) == (("GONE",) if "$GONE" in values else ())


def test_a_binding_by_name_alone() -> None:
    row = NwBinding(cite=CITE, device="tap1", filter="f")
    assert row.parameters is None
