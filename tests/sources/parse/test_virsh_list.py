"""virsh list."""

from hopback.snapshot.rows import Guest
from hopback.sources.parse import virsh_list
from tests.sources.parse.given import listing, pasted, recorded, rows


def test_recorded() -> None:
    parsed = virsh_list.parse(recorded("libvirt/virsh-list.txt"))
    assert [(guest.name, guest.state) for guest in rows(parsed, Guest)] == [
        ("vml-k1", "running"),
        ("vml-k2", "running"),
        ("vml-k3", "running"),
    ]
    assert not parsed.problems


def test_stopped_guest_and_title() -> None:
    parsed = virsh_list.parse(
        listing(
            """
             Id    Name                           State      Title
            ----------------------------------------------------------------
             1     web                            in shutdown   the shop
             -     data base                      shut off
            """
        )
    )
    assert [(guest.name, guest.state) for guest in rows(parsed, Guest)] == [
        ("web", "in shutdown"),
        ("data base", "shut off"),
    ]


def test_stray_line() -> None:
    text = "error: failed to connect to the hypervisor"
    assert len(virsh_list.parse(listing(text)).problems) == 1
    assert not virsh_list.parse(pasted(text)).problems


def test_shape() -> None:
    assert virsh_list.SHAPE is not None
    assert virsh_list.SHAPE.match(recorded("libvirt/virsh-list.txt").lines[0])
    assert not virsh_list.SHAPE.match("Id like to Name a State")
