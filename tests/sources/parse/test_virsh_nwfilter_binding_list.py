"""``virsh nwfilter-binding-list``."""

from hopback.snapshot.rows import NwBinding
from hopback.sources.parse import virsh_nwfilter_binding_list
from tests.sources.parse.given import listing, pasted, recorded, rows


def test_recorded() -> None:
    parsed = virsh_nwfilter_binding_list.parse(recorded("libvirt/virsh-nwfilter-binding-list.txt"))
    found = [(row.device, row.filter, row.parameters) for row in rows(parsed, NwBinding)]
    assert found == [("vnet8", "no-mac-reflection", None), ("vnet9", "clean-traffic", None)]
    assert not parsed.problems


def test_only_below_its_header() -> None:
    text = "vnet8 something\n Port Dev   Filter\n-----\n vnet9   clean-traffic\nand so on it goes"
    (row,) = rows(virsh_nwfilter_binding_list.parse(pasted(text)), NwBinding)
    assert row.device == "vnet9"
    strict = virsh_nwfilter_binding_list.parse(listing(text))
    assert [problem.line for problem in strict.problems] == [1, 5]
