"""The guests of libvirt's state files."""

from pathlib import Path

from hopback.frames.mac import parse_mac
from hopback.snapshot.model import Builder, Snapshot
from hopback.snapshot.rows import Guest, GuestNic, NwBinding, NwFilter, NwReference, NwRule
from hopback.sources.live.libvirt import Folder, read
from hopback.sources.live.reading import Reading

# src/util/virxml.c:virXMLEmitWarning
GENERATED = "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n  virsh edit web1\n-->\n\n"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "libvirt"


def snapshot(state: Path) -> Snapshot:
    builder = Builder("here")
    read(Reading(builder, "here", ""), [Folder(state, "dumpxml", (Guest, GuestNic))])
    return builder.build()


def status(domain: str) -> str:
    """As libvirt wraps a running guest's definition in its state file."""
    inner = domain.replace('<?xml version="1.0"?>', "")
    head = "<domstatus state='running' reason='booted' pid='4711'>"
    return f"{GENERATED}{head}\n{inner}\n</domstatus>\n"


def test_running_guests_are_read_from_their_state(tmp_path: Path) -> None:
    for name in ("vml-k1", "vml-k2"):
        text = (FIXTURES / f"virsh-dumpxml-{name}.xml").read_text()
        (tmp_path / f"{name}.xml").write_text(status(text))
    found = snapshot(tmp_path)
    assert [g.name for g in found.guests.rows] == ["vml-k1", "vml-k2"]
    nics = {n.target: (n.mac, n.filter) for n in found.guest_nics.rows}
    assert nics["vnet7"] == (parse_mac("52:54:00:77:00:21"), "")
    assert nics["vnet8"] == (parse_mac("52:54:00:77:00:22"), "no-mac-reflection")
    assert found.problems == ()


def test_a_host_without_libvirt_has_no_guests_and_no_complaint(tmp_path: Path) -> None:
    found = snapshot(tmp_path / "absent")
    assert found.guest_nics.rows == ()
    assert found.problems == ()


def test_a_broken_state_file_is_one_problem_and_the_rest_is_read(tmp_path: Path) -> None:
    good = (FIXTURES / "virsh-dumpxml-vml-k1.xml").read_text()
    (tmp_path / "bad.xml").write_text("<domstatus>\n<domain type='kvm'>\n  <name>x</nome>\n")
    (tmp_path / "good.xml").write_text(status(good))
    found = snapshot(tmp_path)
    assert "vml-k1" in [g.name for g in found.guests.rows]
    assert len(found.problems) == 1


def test_filters_and_bindings(tmp_path: Path) -> None:
    for kind in ("nwfilter", "binding"):
        (tmp_path / kind).mkdir()
    document = (FIXTURES / "virsh-nwfilter-dumpxml-no-mac-reflection.xml").read_text()
    (tmp_path / "nwfilter" / "no-mac-reflection.xml").write_text(
        f"<!--\nWARNING\n-->\n\n{document}"
    )
    document = (FIXTURES / "virsh-nwfilter-binding-dumpxml-vnet8.xml").read_text()
    wrapped = f"<filterbindingstatus>\n{document}</filterbindingstatus>\n"
    (tmp_path / "binding" / "vnet8.xml").write_text(wrapped)
    builder = Builder("here")
    filters = (NwFilter, NwRule, NwReference)
    folders = (
        Folder(tmp_path / "nwfilter", "nwfilter-dumpxml", filters, (NwFilter,)),
        Folder(tmp_path / "binding", "nwfilter-binding-dumpxml", (NwBinding,), (NwBinding,)),
    )
    read(Reading(builder, "here", ""), folders)
    found = builder.build()
    assert [row.name for row in found.nw_filters.rows] == ["no-mac-reflection"]
    assert [row.protocol for row in found.nw_rules.rows] == ["mac"]
    assert [(row.device, row.guest) for row in found.nw_bindings.rows] == [("vnet8", "vml-k2")]
    assert found.nw_filters.complete("")
    assert found.nw_bindings.complete("")
    assert not found.guest_nics.rows
    assert found.problems == ()
